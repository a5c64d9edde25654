"""Writes fixtures/scores.json: quantiles of the normal distribution by SciPy, and columns through scikit-learn's QuantileTransformer.

  pip install scipy scikit-learn numpy
  python test/table/make_scores_fixture.py
"""

import json
import pathlib

import numpy as np
from scipy.stats import norm
from sklearn.preprocessing import QuantileTransformer

rng = np.random.default_rng(8)
shares = [1e-300, 1e-20, 1e-7, 1e-3, 0.0749, 0.0751, 0.3, 0.5, 0.7, 0.9249, 0.9251, 0.999, 1 - 1e-7]


def column(values, quantiles):
    transformer = QuantileTransformer(n_quantiles=quantiles, output_distribution="normal").fit(values[:, None])
    asked = np.concatenate([values, [values.min() - 1, values.max() + 1, np.median(values) + 0.1]])
    scores = transformer.transform(asked[:, None])[:, 0]
    return {"quantiles": transformer.quantiles_[:, 0].tolist(), "values": asked.tolist(), "scores": scores.tolist()}


made = {
    "shares": shares,
    "normal": norm.ppf(shares).tolist(),
    "columns": {
        "of many values": column(rng.exponential(size=60), 12),
        "of equal values": column(np.round(rng.exponential(size=60) * 2), 15),
        "of two values": column((rng.random(40) > 0.3) * 1.0, 10),
    },
}
(pathlib.Path(__file__).parent / "fixtures" / "scores.json").write_text(json.dumps(made) + "\n")

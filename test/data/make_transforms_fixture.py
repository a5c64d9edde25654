"""Writes fixtures/transforms.json: scikit-learn's StandardScaler and MinMaxScaler on columns that are easy to get wrong.

Run: python test/data/make_transforms_fixture.py (scikit-learn, numpy).
"""

import json
from pathlib import Path

import numpy
import sklearn
from sklearn.preprocessing import MinMaxScaler, StandardScaler

rng = numpy.random.default_rng(20260101)
ROWS = 257
columns = [
    rng.normal(0, 1, ROWS),
    1.7e9 + rng.integers(0, 86_400, ROWS),  # timestamps of one day, in seconds
    rng.exponential(3e-7, ROWS),
    rng.integers(0, 256, ROWS).astype(float),
    numpy.full(ROWS, 0.1),  # constant, and not exact in binary
    -5e5 * rng.random(ROWS),
]
x = numpy.stack(columns, axis=1)
later = x[:5] * 1.5 + 1

standard = StandardScaler().fit(x)
unit = MinMaxScaler().fit(x)
wide = MinMaxScaler(feature_range=(-1, 3)).fit(x)
fixture = {
    "sklearn": sklearn.__version__,
    "x": x.tolist(),
    "later": later.tolist(),
    "standardize": {
        "mean": standard.mean_.tolist(),
        "deviation": standard.scale_.tolist(),
        "later": standard.transform(later).tolist(),
    },
    "minMax": {"later": unit.transform(later).tolist()},
    "minMaxWide": {"later": wide.transform(later).tolist()},
}
path = Path(__file__).parent / "fixtures" / "transforms.json"
path.parent.mkdir(exist_ok=True)
path.write_text(json.dumps(fixture) + "\n")

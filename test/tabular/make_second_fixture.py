"""Writes fixtures/second.json: columns as TabM is given them by pytabkit 1.8.0 and tabm 0.0.3, numbers through `TabrQuantileTransformer` and values through its one-hot encoding.

  pip install pytabkit==1.8.0 tabm==0.0.3
  python test/tabular/make_second_fixture.py
"""

import json
import pathlib

import numpy as np
import torch
from pytabkit.models.utils import TabrQuantileTransformer
from tabm import _OneHotEncoding as OneHotEncoding

rng = np.random.default_rng(5)
ROWS = 600
skew = np.round(np.exp(2 * rng.standard_normal(ROWS)), 4)
few = np.round(rng.exponential(size=ROWS) * 2)
plan = rng.integers(0, 4, ROWS)
scores = [
    TabrQuantileTransformer(random_state=seed).fit(np.c_[skew, few]).transform(np.c_[skew, few])
    for seed in range(8)
]
hot = OneHotEncoding([4])(torch.as_tensor(plan[:, None]))
made = {
    "skew": skew.tolist(),
    "few": few.tolist(),
    "plan": [["basic", "free", "max", "pro"][one] for one in plan],
    # Of several seeds of the noise: what they have in common, and how far they are from that.
    "mean": np.mean(scores, axis=0).round(5).tolist(),
    "deviation": np.std(scores, axis=0).round(5).tolist(),
    "hot": hot.int().tolist(),
}
(pathlib.Path(__file__).parent / "fixtures" / "second.json").write_text(json.dumps(made, separators=(",", ":")) + "\n")

#!/usr/bin/env bash
# scikit-learn's RobustScaler does not scale a column at all where three quarters of its rows share a value.
#
# Version:   scikit-learn 1.9.1, NumPy 2.4.6.
# Behaviour: the scale is the distance of the quartiles; where that is 0 it becomes 1, as if the column were constant. No warning, and no second
#            measure (pytabkit's, which RealMLP uses, takes half the range then).
# Seen:      2,000 rows, four fifths 0, the rest up to 10,000: scale_ is 1, the largest output 9,996. With half zeros it is 2.02.
# Guess:     scaling gives outputs near 1; robust means that a few large values do not spoil it.
# Matters:   amounts, counts and gains of which most are 0 are common in tables (capital gains of Adult: 92%). The network gets inputs of ten
#            thousand beside others near 1, and whether it does turns on a few rows more or fewer with the value.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "scikit-learn==1.9.1" "numpy==2.4.6"
"$folder/venv/bin/python" - <<'PY'
import numpy as np
from sklearn.preprocessing import RobustScaler

random = np.random.default_rng(0)
draw, amounts = random.random(2000), 10_000 * random.random(2000)
seen = {}
for zeros in (0.8, 0.5):
    column = np.where(draw < zeros, 0, amounts)[:, None]
    scaler = RobustScaler()
    seen[zeros] = (scaler.fit_transform(column).max(), scaler.scale_[0])
    print(zeros, seen[zeros])
assert seen[0.8][1] == 1 and seen[0.8][0] > 9_000
assert seen[0.5][0] < 3
PY
echo "as described"

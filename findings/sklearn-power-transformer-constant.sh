#!/usr/bin/env bash
# scikit-learn's PowerTransformer turns a column that is skewed to the right and lies far from zero into a constant 0.
#
# Version:   scikit-learn 1.9.1, NumPy 2.4.6.
# Behaviour: Yeo-Johnson raises 1 + x to a power that makes the column most normal. Skew to the right far from zero needs a very negative power; the
#            results then differ by less than their rounding, and the scaling that follows leaves them as a constant. No warning.
# Seen:      waiting times of 5 on average, by three seeds: standard deviation after the transform 1; the same plus 100, 1000 or 2000: below 1e-12.
# Guess:     where a column begins matters little, as the output is standardized: mean 0, standard deviation 1.
# Matters:   years, pressures and prices above a basic fee are such columns, and skew is what the transform is used against. The network is
#            given zeros for them in training and in use, and nothing says so; with the smallest value subtracted before they are there.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "scikit-learn==1.9.1" "numpy==2.4.6"
"$folder/venv/bin/python" -W error - <<'PY'
import numpy as np
from sklearn.preprocessing import PowerTransformer

for seed in range(3):
    times = np.random.default_rng(seed).exponential(5, (1000, 1))
    spreads = {start: PowerTransformer().fit_transform(start + times).std() for start in (0, 100, 1000, 2000)}
    print(spreads)
    assert abs(spreads[0] - 1) < 1e-6
    assert max(spreads[100], spreads[1000], spreads[2000]) < 1e-12
PY
echo "as described"

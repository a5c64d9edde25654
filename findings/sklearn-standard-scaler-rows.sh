#!/usr/bin/env bash
# Whether scikit-learn's StandardScaler scales a column depends on how many rows there are.
#
# Version:   scikit-learn 1.9.1, NumPy 2.4.6.
# Behaviour: a column counts as constant, and is then shifted but not scaled, where its variance is below the worst-case rounding
#            error of the computation, n·ε·variance + (n·mean·ε)². The bound grows with the number of rows n, the rounding error
#            of the pairwise sums does not: var_ is right to all digits while scale_ is 1.
# Seen:      milliseconds since 1970 that repeat 1.7e12 + 0 … 99 (standard deviation 28.87): scale_ is 28.87 with 1,000 rows and 1
#            with 100,000 rows of the same values; var_ is 833.25 in both.
# Guess:     more rows of the same distribution give the same scale.
# Matters:   a network trained on a sample and then on the full table gets an input 29 times as large, without a warning; the same
#            holds for seconds within half a second and a million rows, or nanoseconds within seconds.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "scikit-learn==1.9.1" "numpy==2.4.6"
"$folder/venv/bin/python" - <<'PY'
import numpy as np
from sklearn.preprocessing import StandardScaler

for rows, expected in ((1_000, 28.866), (100_000, 1.0)):
    column = 1.7e12 + np.arange(rows) % 100
    scaler = StandardScaler().fit(column[:, None])
    print(f"{rows} rows: scale_ {scaler.scale_[0]:.3f}, sqrt(var_) {np.sqrt(scaler.var_[0]):.3f}")
    assert abs(scaler.scale_[0] - expected) < 1e-2, scaler.scale_
    assert abs(np.sqrt(scaler.var_[0]) - 28.866) < 1e-2, scaler.var_
PY
echo "as described"

#!/usr/bin/env bash
# scikit-learn's log_loss of the same probabilities depends on the dtype that they are stored in.
#
# Version:   scikit-learn 1.9.1, NumPy 2.4.6.
# Behaviour: probabilities are clipped to [eps, 1 − eps], where eps is the machine epsilon of the array's own dtype. A confident
#            wrong answer (a probability of exactly 0 for the true class) costs −ln(1.19e-7) = 15.9 as float32 and
#            −ln(2.22e-16) = 36.0 as float64.
# Seen:      labels 0, 1; rows (0, 1), (0, 1): 7.971 as float32, 18.022 as float64.
# Guess:     a metric of numbers that both dtypes hold exactly is the same for both.
# Matters:   networks give float32 and saturate (a softmax gives exact zeros from a margin of 104 on), tables and boosted trees
#            give float64: a leader board by log loss that mixes both ranks the float64 model lower for the same mistakes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "scikit-learn==1.9.1" "numpy==2.4.6"
"$folder/venv/bin/python" - <<'PY'
import numpy as np
from sklearn.metrics import log_loss

rows = [[0.0, 1.0], [0.0, 1.0]]
single = log_loss([0, 1], np.array(rows, dtype=np.float32))
double = log_loss([0, 1], np.array(rows, dtype=np.float64))
print(f"float32 {single:.4f}, float64 {double:.4f}")
assert abs(single + np.log(np.finfo(np.float32).eps) / 2) < 1e-3, single
assert abs(double + np.log(np.finfo(np.float64).eps) / 2) < 1e-3, double
PY
echo "as described"

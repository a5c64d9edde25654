#!/usr/bin/env bash
# The loss of scikit-learn's MLPRegressor is half of the mean squared error.
#
# Version:   scikit-learn 1.9.1.
# Behaviour: loss_ and loss_curve_ are Σ(ŷ − y)²/2n, plus half of alpha times the squared weights; the parameter is called
#            squared_error, as in other estimators, whose squared_error has no half.
# Seen:      alpha 0: loss_ of a last epoch in which nothing is learned (learning rate 1e-300) is mean_squared_error / 2.
# Guess:     loss_ with alpha 0 is the mean squared error.
# Matters:   whoever compares a network elsewhere with scikit-learn's by the printed loss, or moves tol, early stopping thresholds and
#            alpha over, is off by 2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "scikit-learn==1.9.1" "numpy==2.4.6"
cd "$folder"
HOME="$folder" "$folder/venv/bin/python" - <<'PY'
import warnings

import numpy as np
from sklearn.metrics import mean_squared_error
from sklearn.neural_network import MLPRegressor

warnings.filterwarnings("ignore")
rng = np.random.default_rng(0)
x = rng.normal(size=(200, 3))
y = x @ [1.0, 2.0, 3.0]
model = MLPRegressor(hidden_layer_sizes=(4,), alpha=0, max_iter=1, learning_rate_init=1e-300, batch_size=200, random_state=0)
model.fit(x, y)
error = mean_squared_error(y, model.predict(x))
print(f"loss_ {model.loss_:.6f}, mean squared error {error:.6f}")
assert abs(model.loss_ * 2 - error) < 1e-9 * error
PY
echo "as described"

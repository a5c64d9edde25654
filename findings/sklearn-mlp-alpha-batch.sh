#!/usr/bin/env bash
# The L2 penalty of scikit-learn's MLPRegressor and MLPClassifier is divided by the batch size, so another batch_size is another optimum.
#
# Version:   scikit-learn 1.9.1, NumPy 2.4.6.
# Behaviour: the loss of a batch of b rows is mean loss + alpha·‖w‖²/(2b). The documentation says that the term is "divided by the
#            sample size"; that is the batch's, not the training set's, so alpha's meaning changes with batch_size, and the short last
#            batch of an epoch is penalized more.
# Seen:      y = 3x for x = −1 and 1, 50 rows each, no hidden layer, alpha 10, plain SGD until it stands still: the weight is 2.727
#            with batches of 100 and 1.500 with batches of 10, which is 3/(1 + alpha/b).
# Guess:     the penalty belongs to the objective: the batch size changes the way, not the optimum.
# Matters:   alpha tuned at the default min(200, rows) means another penalty for another batch size or a smaller table, and cannot be
#            carried over to Keras, PyTorch or here, where the penalty of a step does not depend on the batch.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "scikit-learn==1.9.1" "numpy==2.4.6"
"$folder/venv/bin/python" -W ignore - <<'PY'
import numpy as np
from sklearn.neural_network import MLPRegressor

x = np.tile([[-1.0], [1.0]], (50, 1))
y = 3 * x[:, 0]
weights = {}
for batch in (10, 100):
    model = MLPRegressor(
        hidden_layer_sizes=(), solver="sgd", alpha=10, learning_rate_init=0.01, batch_size=batch,
        max_iter=2000, momentum=0, random_state=0, tol=0, n_iter_no_change=3000, shuffle=False,
    ).fit(x, y)
    weights[batch] = model.coefs_[0].item()
    print(f"batch {batch}: weight {weights[batch]:.4f}, bias {model.intercepts_[0].item():.4f}")
assert abs(weights[10] - 3 / 2) < 1e-3 and abs(weights[100] - 3 / 1.1) < 1e-3, weights
PY
echo "as described"

#!/usr/bin/env bash
# Keras' AUC of scores that are all small is 0.5, whatever their order.
#
# Version:   Keras 3.15.1 with JAX 0.10.0; scikit-learn 1.9.1.
# Behaviour: the curve is built over 200 fixed thresholds between 0 and 1; scores between two neighbours are one point.
# Seen:      scores below 0.002, a tenth of which higher for the positive class: AUC 0.50 where scikit-learn's roc_auc_score, by ranks,
#            says above 0.8.
# Guess:     AUC depends on the order of the scores alone.
# Matters:   probabilities of rare events (fraud, clicks, failures) live below 1/200: a model that ranks well looks worthless, early
#            stopping by val_auc ends at once.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "keras==3.15.1" "jax==0.10.0" "numpy==2.4.6" "scikit-learn==1.9.1"
cd "$folder"
HOME="$folder" KERAS_BACKEND=jax "$folder/venv/bin/python" - <<'PY'
import keras
import numpy as np
from sklearn.metrics import roc_auc_score

rng = np.random.default_rng(0)
label = rng.integers(0, 2, 1000)
score = 1e-3 * rng.random(1000) + 5e-4 * label
metric = keras.metrics.AUC()
metric.update_state(label, score)
ours, ranks = float(metric.result()), roc_auc_score(label, score)
print(f"Keras {ours:.4f}, by ranks {ranks:.4f}")
assert ours == 0.5 and ranks > 0.8
PY
echo "as described"

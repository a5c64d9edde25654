#!/usr/bin/env bash
# F1Score of Keras on a network with one output counts every example as positive.
#
# Version:   Keras 3.15.1 with JAX 0.10.0.
# Behaviour: without a threshold the prediction is the largest column of the row; with one column that is always the first.
# Seen:      labels 1, 0, 0 with probabilities 0.9, 0.2, 0.1: F1 0.5, the value for three positives; with threshold 0.5 it is 1.
# Guess:     the threshold is 0.5, as for BinaryAccuracy, Precision and Recall, whose default it is.
# Matters:   the usual binary classifier, one sigmoid, has a constant F1 (that of answering yes to all) for the whole training; as it
#            moves with the share of positives from batch to batch, it looks alive.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "keras==3.15.1" "jax==0.10.0" "numpy==2.4.6"
cd "$folder"
HOME="$folder" KERAS_BACKEND=jax "$folder/venv/bin/python" - <<'PY'
import keras
import numpy as np

label, probability = np.array([[1.0], [0.0], [0.0]]), np.array([[0.9], [0.2], [0.1]])
told = {}
for threshold in (None, 0.5):
    metric = keras.metrics.F1Score(threshold=threshold)
    metric.update_state(label, probability)
    told[threshold] = float(np.asarray(metric.result())[0])
print(told)
assert abs(told[None] - 0.5) < 1e-6 and abs(told[0.5] - 1) < 1e-6
PY
echo "as described"

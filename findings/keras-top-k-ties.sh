#!/usr/bin/env bash
# Keras' top-k accuracy counts every tie as a hit: a network that says the same for all classes is perfect.
#
# Version:   Keras 3.15.1 with JAX 0.10.0, scikit-learn 1.9.1 for comparison.
# Behaviour: a row is a hit if fewer than k outputs are greater than that of the true class. Where outputs are equal that holds for all of them.
# Seen:      six rows, six classes, all outputs 0, k = 3: SparseTopKCategoricalAccuracy 1.0; scikit-learn's top_k_accuracy_score 0.5. With k = 1
#            also 1.0, where SparseCategoricalAccuracy of the same rows is 0.1667.
# Guess:     k of n classes are chosen, whatever the ties: k/n for a constant network, and top-1 equals accuracy.
# Matters:   dead units, a zero head before the first step and saturated float16 outputs all give equal outputs; the figure that should
#            expose them says 100%.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "keras==3.15.1" "jax==0.10.0" "numpy==2.4.6" "scikit-learn==1.9.1"
HOME="$folder" KERAS_BACKEND=jax "$folder/venv/bin/python" - <<'PY'
import keras
import numpy as np
from sklearn.metrics import top_k_accuracy_score

labels, outputs = np.arange(6), np.zeros((6, 6), np.float32)


def figure(metric):
    metric.update_state(labels, outputs)
    return float(metric.result())


three = figure(keras.metrics.SparseTopKCategoricalAccuracy(k=3))
one = figure(keras.metrics.SparseTopKCategoricalAccuracy(k=1))
accuracy = figure(keras.metrics.SparseCategoricalAccuracy())
reference = top_k_accuracy_score(labels, outputs, k=3)
print(f"Keras: k = 3 {three}, k = 1 {one}, accuracy {accuracy:.4f}; scikit-learn: k = 3 {reference}")
assert three == 1 and one == 1 and abs(accuracy - 1 / 6) < 1e-6 and reference == 0.5
PY
echo "as described"

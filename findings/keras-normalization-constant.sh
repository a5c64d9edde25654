#!/usr/bin/env bash
# Keras' Normalization layer turns a column that was constant when it was adapted into numbers of millions.
#
# Version:   Keras 3.15.1 with JAX 0.10.0.
# Behaviour: a standard deviation of 0 is replaced by the backend's epsilon, 1e-7, so that what differs from the constant at all is
#            divided by that.
# Seen:      adapted to 5, 5, 5: a value of 5.5 becomes 5,000,000.
# Guess:     a constant column is centred and left in its unit, as scikit-learn's StandardScaler does (scale 1).
# Matters:   a flag that nobody had set in the training data, a new sensor, a price that rises once: the first new value drowns every
#            other input, and the answer is that of a saturated network.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "keras==3.15.1" "jax==0.10.0" "numpy==2.4.6"
cd "$folder"
HOME="$folder" KERAS_BACKEND=jax "$folder/venv/bin/python" - <<'PY'
import keras
import numpy as np

layer = keras.layers.Normalization()
layer.adapt(np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]]))
told = np.asarray(layer(np.array([[2.0, 5.5]])))[0]
print(told)
assert abs(told[0]) < 1e-6 and abs(told[1] - 5e6) < 1e3
PY
echo "as described"

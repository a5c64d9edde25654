#!/usr/bin/env bash
# Keras has two default slopes for leaky ReLU: 0.3 as a layer, 0.2 as an activation.
#
# Version:   Keras 3.15.1 with JAX 0.10.0.
# Behaviour: LeakyReLU() multiplies negative values by 0.3; Dense(activation="leaky_relu") and keras.activations.leaky_relu by 0.2. PyTorch's
#            LeakyReLU has 0.01.
# Seen:      of −1: −0.3 by the layer, −0.2 by the name and by the function.
# Guess:     one name, one default.
# Matters:   rewriting Dense(n, activation="leaky_relu") as Dense(n) and LeakyReLU(), or exporting it layer by layer, is another network
#            with the same weights: shapes fit, answers are slightly off.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "keras==3.15.1" "jax==0.10.0" "numpy==2.4.6"
HOME="$folder" KERAS_BACKEND=jax "$folder/venv/bin/python" - <<'PY'
import keras
import numpy as np

x = np.array([[-1.0]], np.float32)
layer = float(keras.layers.LeakyReLU()(x)[0, 0])
function = float(keras.activations.leaky_relu(x)[0, 0])
named = float(keras.layers.Dense(1, kernel_initializer="ones", activation="leaky_relu")(x)[0, 0])
print(f"layer {layer:.2f}, function {function:.2f}, by name {named:.2f}")
assert abs(layer + 0.3) < 1e-6 and abs(function + 0.2) < 1e-6 and abs(named + 0.2) < 1e-6
PY
echo "as described"

#!/usr/bin/env bash
# One unseeded Keras initializer object used for two layers gives both the same weights.
#
# Version:   Keras 3.15.1 with JAX 0.10.0 (the same with the PyTorch backend).
# Behaviour: an initializer without a seed picks one when it is made, and draws the same numbers at every call. Two layers of one shape made
#            with the same object begin as copies of each other; a larger one begins with related numbers. Names ("glorot_uniform") make an
#            object each, so that only those who set an option of the initializer meet it. No warning is given.
# Seen:      GlorotUniform() handed to two Dense(4): their kernels are equal in every bit; with the name they are not.
# Guess:     without a seed every call draws anew, as in PyTorch and NumPy.
# Matters:   `init = HeNormal()` once and `kernel_initializer=init` in every layer is how people write it; deep and multi-tower networks start
#            correlated, twin towers identical, and an ensemble of heads is one head.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "keras==3.15.1" "jax==0.10.0" "numpy==2.4.6"
HOME="$folder" KERAS_BACKEND=jax "$folder/venv/bin/python" -W error::UserWarning - <<'PY'
import keras
import numpy as np


def kernels(initializer):
    layers = [keras.layers.Dense(4, kernel_initializer=initializer) for _ in range(2)]
    model = keras.Sequential([keras.layers.Input((4,)), *layers])
    return model.layers[0].get_weights()[0], model.layers[1].get_weights()[0]


first, second = kernels(keras.initializers.GlorotUniform())
print("one object, equal kernels:", np.array_equal(first, second))
assert np.array_equal(first, second)
first, second = kernels("glorot_uniform")
print("by name, equal kernels:", np.array_equal(first, second))
assert not np.array_equal(first, second)
PY
echo "as described"

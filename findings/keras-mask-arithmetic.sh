#!/usr/bin/env bash
# Multiplying the output of a Keras Embedding by a number loses its mask; the same as a Rescaling layer keeps it.
#
# Version:   Keras 3.15.1 with JAX 0.10.0 (the same with the PyTorch backend).
# Behaviour: masks travel through layers. Arithmetic, keras.ops and functions of keras.activations are no layers: what they give for a
#            symbolic tensor has no mask, without a warning, and pooling, recurrent layers and the loss count the padding from there on.
# Seen:      rows 100, 1, 3, ids 1, 2, 0, 0, mean over the steps: 2 directly and behind Rescaling(1.0), 51 behind `* 1.0`, behind `+ 0.0` and
#            behind keras.activations.relu.
# Guess:     an operation element by element leaves the steps what they are, as Activation, Rescaling and Dropout do.
# Matters:   embeddings are scaled by √size and added to positions in every transformer; written as arithmetic, the network trains on
#            padding, its answers depend on how far a batch was padded, and the loss tells nothing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "keras==3.15.1" "jax==0.10.0" "numpy==2.4.6"
cd "$folder"
HOME="$folder" KERAS_BACKEND=jax "$folder/venv/bin/python" - <<'PY'
import warnings

import keras
import numpy as np

warnings.simplefilter("error", UserWarning)
ids = np.array([[1, 2, 0, 0]])


def average(between):
    inputs = keras.Input((4,), dtype="int32")
    table = keras.layers.Embedding(3, 1, mask_zero=True)
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling1D()(between(table(inputs))))
    table.set_weights([np.array([[100.0], [1.0], [3.0]])])
    return model.predict(ids, verbose=0).item()


for name, between, expected in (
    ("nothing", lambda x: x, 2),
    ("Rescaling(1.0)", keras.layers.Rescaling(1.0), 2),
    ("Activation('relu')", keras.layers.Activation("relu"), 2),
    ("* 1.0", lambda x: x * 1.0, 51),
    ("+ 0.0", lambda x: x + 0.0, 51),
    ("activations.relu", keras.activations.relu, 51),
):
    found = average(between)
    print(f"{name}: {found}")
    assert abs(found - expected) < 1e-5
PY
echo "as described"

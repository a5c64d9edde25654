#!/usr/bin/env bash
# One text without any word makes the whole of a Keras network NaN: averaging over an empty mask divides 0 by 0.
#
# Version:   Keras 3.15.1 with JAX 0.10.0 (the same with the PyTorch backend).
# Behaviour: GlobalAveragePooling1D divides by the number of steps that are not masked, whatever it is. BatchNormalization with a mask and the
#            losses guard the same division.
# Seen:      Embedding(mask_zero=True), GlobalAveragePooling1D, Dense; ids [1, 2] and [0, 0]: the second answer is NaN, and after one step of fit
#            on both rows all weights of the dense layer are NaN. Rows of PyTorch's EmbeddingBag that are empty give zeros.
# Guess:     an empty row pools to zeros, as an empty bag does.
# Matters:   an empty comment, a text of unknown words only, a customer without history: one row of a large table ends the run, and which
#            one the NaN loss does not say. A served model answers NaN to an empty text.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "keras==3.15.1" "jax==0.10.0" "numpy==2.4.6"
cd "$folder"
HOME="$folder" KERAS_BACKEND=jax "$folder/venv/bin/python" - <<'PY'
import keras
import numpy as np

model = keras.Sequential(
    [
        keras.Input((2,), dtype="int32"),
        keras.layers.Embedding(3, 4, mask_zero=True),
        keras.layers.GlobalAveragePooling1D(),
        keras.layers.Dense(1),
    ]
)
ids = np.array([[1, 2], [0, 0]])
answers = model.predict(ids, verbose=0).ravel()
print("answers", answers)
assert np.isfinite(answers[0]) and np.isnan(answers[1])
model.compile("sgd", loss="mse")
model.fit(ids, np.ones((2, 1)), batch_size=2, verbose=0)
kernel = model.layers[-1].get_weights()[0]
print("weights after a step", kernel.ravel())
assert np.isnan(kernel).all()
PY
echo "as described"

#!/usr/bin/env bash
# With the TensorFlow backend Keras' Adam takes a row that a batch looks up k times √k times as far as with the other backends.
#
# Version:   Keras 3.15.1 with TensorFlow 2.21.0 (CPU), with JAX 0.10.0 for comparison.
# Behaviour: the gradient of an Embedding is IndexedSlices with an entry a lookup. Its square is taken entry by entry and summed then, where it
#            should be summed first: the second moment of a row is Σg² in the place of (Σg)². So Adam and its kin, Adagrad, RMSprop and Adadelta
#            divide by too little, and clipnorm, global_clipnorm and clipvalue bound single entries. SGD and its momentum are right.
# Seen:      ids 1, 1, 1, 2, each with gradient 1, one step of rate 1: Adam moves row 1 by 1.732 and row 2 by 1.000, with JAX both by 1.000; Adagrad's
#            sums are 3 and 1, with JAX 9 and 1. SGD(1, clipnorm=1) makes a step of norm 1.58, with JAX 1.00.
# Guess:     a backend is a matter of speed: one optimizer, one step. The optimizers of Keras 2 summed repeated rows first.
# Matters:   frequent words, popular items and padding without a mask occur dozens of times in a batch: their rows learn several times
#            faster than the rest and than in a run with JAX, PyTorch or anywhere else; a job cannot be repeated on another backend,
#            and clipping does not clip.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "keras==3.15.1" "tensorflow==2.21.0" "jax==0.10.0"
cd "$folder"
cat >main.py <<'PY'
import keras
import numpy as np


def step(optimizer):
    table = keras.layers.Embedding(4, 1, embeddings_initializer="zeros")
    head = keras.layers.Dense(1, kernel_initializer="ones", use_bias=False, trainable=False)
    model = keras.Sequential([keras.Input((4,), dtype="int32"), table, keras.layers.Flatten(), head])
    model.compile(optimizer, "mse")
    model.fit(np.array([[1, 1, 1, 2]]), np.array([[-0.5]]), verbose=0)
    return table.get_weights()[0].ravel()


repeated = 3**0.5 if keras.backend.backend() == "tensorflow" else 1.0
for name, optimizer in (
    ("Adam", keras.optimizers.Adam(1.0)),
    ("Adagrad", keras.optimizers.Adagrad(1.0, initial_accumulator_value=0.0)),
):
    moved = step(optimizer)
    print(keras.backend.backend(), name, moved)
    assert np.allclose(moved, [0, -repeated, -1, 0], atol=1e-3)
moved = step(keras.optimizers.SGD(1.0))
assert np.allclose(moved, [0, -3, -1, 0], atol=1e-5)
length = np.linalg.norm(step(keras.optimizers.SGD(1.0, clipnorm=1.0)))
print(keras.backend.backend(), "step with clipnorm=1:", length)
assert abs(length - (2.5**0.5 if repeated > 1 else 1.0)) < 1e-4
PY
for backend in tensorflow jax; do
  HOME="$folder" TF_CPP_MIN_LOG_LEVEL=3 KERAS_BACKEND=$backend "$folder/venv/bin/python" main.py
done
echo "as described"

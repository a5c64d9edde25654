#!/usr/bin/env bash
# One weight for each sequence is in Keras one for each time step, where the batch has as many sequences as steps; otherwise an error.
#
# Version:   Keras 3.15.1 with JAX 0.10.0 (the same with the PyTorch backend).
# Behaviour: losses of [batch, time, features] have the shape [batch, time]; sample_weight of shape [batch] is multiplied to it as it is, that is
#            along time. fit and evaluate document it as one weight a row.
# Seen:      four sequences of four steps, the first with squared error 1 at every step, the others with 0, weights 1, 0, 0, 0: loss 0.0625; with
#            the weights as [4, 1] it is 0.25. With three or five sequences "Incompatible shapes for broadcasting".
# Guess:     the first axis is the examples, with any loss; or it is refused for any size.
# Matters:   weights for rare or recent series act on positions instead, and only in batches of that size: 32 windows of 32 steps are no
#            rare batch. One of another size, mostly the last of the epoch, fails with a message about shapes that seems to blame it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "keras==3.15.1" "jax==0.10.0" "numpy==2.4.6"
cd "$folder"
HOME="$folder" KERAS_BACKEND=jax "$folder/venv/bin/python" - <<'PY'
import keras
import numpy as np


def loss(count, weights):
    model = keras.Sequential([keras.Input((4, 1)), keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile("sgd", loss="mse")
    targets = np.zeros((count, 4, 1))
    targets[0] = 1
    return model.evaluate(np.ones((count, 4, 1)), targets, sample_weight=weights, verbose=0)


flat, column = loss(4, np.eye(4)[0]), loss(4, np.eye(4)[0][:, None])
print("weights [4]", flat, "weights [4, 1]", column)
assert abs(flat - 0.0625) < 1e-6 and abs(column - 0.25) < 1e-6
for count in (3, 5):
    assert abs(loss(count, np.eye(count)[0][:, None]) - 1 / count) < 1e-6
    try:
        loss(count, np.eye(count)[0])
    except ValueError as error:
        print(count, "sequences:", str(error)[:60])
    else:
        raise AssertionError("weights of sequences were accepted")
PY
echo "as described"

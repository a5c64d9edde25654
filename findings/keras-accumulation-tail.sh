#!/usr/bin/env bash
# Keras' gradient_accumulation_steps drops the batches that do not fill the last window of a run.
#
# Version:   Keras 3.15.1 with JAX 0.10.0 (the same with the PyTorch backend).
# Behaviour: an update happens when the count of batches divides by gradient_accumulation_steps, and only then. The end of an epoch
#            is no boundary: a remainder goes into the first window of the next epoch, mixed with other rows, and the remainder of the
#            last epoch is never applied.
# Seen:      one weight from 0, target 3, SGD 0.1, batches of one row, accumulation over 2, one epoch: with 4 rows w = 1.08 (two
#            updates), with 3 rows w = 0.6 (one update): the third row has changed nothing. With accumulation over 4 and 3 rows w stays 0.
# Guess:     the last, shorter window is applied at the end of the epoch, as the last, shorter batch is.
# Matters:   the usual short job (one table, few epochs, accumulation to imitate a large batch) silently trains on fewer rows, and one whose epochs
#            have fewer batches than the window ends its first epochs untrained.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "keras==3.15.1" "jax==0.10.0" "numpy==2.4.6"
HOME="$folder" KERAS_BACKEND=jax "$folder/venv/bin/python" - <<'PY'
import keras
import numpy as np


def weight_after(rows, window):
    model = keras.Sequential(
        [keras.layers.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros", use_bias=False)]
    )
    model.compile(keras.optimizers.SGD(0.1, gradient_accumulation_steps=window), loss="mse")
    model.fit(np.ones((rows, 1)), np.full((rows, 1), 3.0), batch_size=1, epochs=1, verbose=0)
    return model.get_weights()[0].item()


for rows, window, expected in ((4, 2, 1.08), (3, 2, 0.6), (3, 4, 0.0)):
    weight = weight_after(rows, window)
    print(f"{rows} rows, accumulated over {window}: weight {weight:.4f}")
    assert abs(weight - expected) < 1e-5
PY
echo "as described"

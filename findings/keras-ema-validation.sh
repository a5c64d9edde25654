#!/usr/bin/env bash
# With use_ema=True Keras' fit validates the raw weights, and leaves the averaged ones in the model; restore_best_weights undoes the averaging.
#
# Version:   Keras 3.15.1 with JAX 0.10.0 (the same with the PyTorch backend).
# Behaviour: the average is written over the weights once, at the end of fit. Every val_loss of the history, early stopping and
#            checkpoints by best saw the raw weights. EarlyStopping(restore_best_weights=True) puts its raw weights back after that,
#            so that the averages are lost silently.
# Seen:      one weight, target 3, plain SGD 0.1, ema_momentum 0.9, five epochs of one step: last val_loss 0.966 (w = 2.017), but evaluate right
#            after fit 4.194 (w = 0.952); with restore_best_weights w = 2.017, which is no average.
# Guess:     the model that fit leaves is the one that the last val_loss belongs to; or validation uses the averages, as asked for.
# Matters:   the validation figure of a job with averaged weights says nothing about the model that is saved, and the usual pair of callbacks turns
#            averaging off without a word.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "keras==3.15.1" "jax==0.10.0" "numpy==2.4.6"
HOME="$folder" KERAS_BACKEND=jax "$folder/venv/bin/python" - <<'PY'
import keras
import numpy as np

x, y = np.ones((4, 1), np.float32), np.full((4, 1), 3.0, np.float32)


def train(callbacks):
    model = keras.Sequential(
        [keras.layers.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros", use_bias=False)]
    )
    model.compile(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9), loss="mse")
    history = model.fit(
        x, y, epochs=5, batch_size=4, verbose=0, validation_data=(x, y), callbacks=callbacks
    ).history
    return history["val_loss"][-1], model.evaluate(x, y, verbose=0), model.get_weights()[0].item()


validated, evaluated, weight = train([])
print(f"last val_loss {validated:.4f}, evaluate {evaluated:.4f}, weight {weight:.4f}")
assert abs(validated - 0.9664) < 1e-3 and abs(evaluated - 4.1940) < 1e-3
stopping = keras.callbacks.EarlyStopping(monitor="val_loss", patience=100, restore_best_weights=True)
_, evaluated, weight = train([stopping])
print(f"with restore_best_weights: evaluate {evaluated:.4f}, weight {weight:.4f}")
assert abs(weight - 2.01696) < 1e-4
PY
echo "as described"

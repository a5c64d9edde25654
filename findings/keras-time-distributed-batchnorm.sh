#!/usr/bin/env bash
# Keras' TimeDistributed(BatchNormalization()) normalizes every time step by itself and removes what differs between steps.
#
# Version:   Keras 3.15.1 with JAX 0.10.0 (the same with the PyTorch backend).
# Behaviour: the layer runs once a step over the batch of that step: each has its own mean and variance in training, and the running values
#            move once a step, so that the last steps of a sequence weigh most. Inference then applies these to all steps.
# Seen:      four sequences of three steps with means 0, 10, 20: the outputs of each step have mean 0, and at momentum 0.5 the moving
#            mean is about 12, the moving variance 0.5. BatchNormalization() on the same [batch, time, features]: step means −1.2, 0, 1.2,
#            moving variance above 30.
# Guess:     the wrapper applies one layer to all steps: for a layer that acts on the last axis anyway it is the same with and without
#            it, as for Dense. In Keras 2, where the batch size is left open, the steps were one large batch.
# Matters:   networks of Keras 2 with this idiom (video, sensor windows, speech) train otherwise after the move to Keras 3, and their
#            outputs in training and at inference differ by all that the steps differ in.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "keras==3.15.1" "jax==0.10.0" "numpy==2.4.6"
cd "$folder"
HOME="$folder" KERAS_BACKEND=jax "$folder/venv/bin/python" - <<'PY'
import keras
import numpy as np

noise = np.random.default_rng(0).normal(size=(4, 3, 1))
x = (noise + np.arange(3)[None, :, None] * 10).astype(np.float32)


def train(wrap):
    layer = keras.layers.BatchNormalization(momentum=0.5)
    outputs = keras.ops.convert_to_numpy(wrap(layer)(x, training=True))
    state = [float(keras.ops.convert_to_numpy(v)[0]) for v in (layer.moving_mean, layer.moving_variance)]
    return outputs[:, :, 0].mean(axis=0), state


wrapped, state = train(keras.layers.TimeDistributed)
print("wrapped: step means", wrapped, "moving mean and variance", state)
assert np.abs(wrapped).max() < 1e-3 and 10 < state[0] < 15 and state[1] < 2
plain, state = train(lambda layer: layer)
print("plain: step means", plain, "moving mean and variance", state)
assert plain[0] < -1 and plain[2] > 1 and state[1] > 20
PY
echo "as described"

#!/usr/bin/env bash
# The moving variance of batch normalization is divided by n in Keras and by n − 1 in PyTorch.
#
# Version:   Keras 3.15.1, PyTorch 2.13.0 (CPU).
# Behaviour: both normalize a training batch with the variance over n. What they remember for inference differs: Keras the same one,
#            PyTorch n / (n − 1) times it.
# Seen:      a batch 0, 2 (variance 1 over n, 2 over n − 1), start 1, momentum 0.5: Keras' moving variance is 1.0, PyTorch's running_var
#            1.5.
# Guess:     ε and the meaning of momentum differ, as everybody knows; with these translated the two train and answer alike.
# Matters:   a network moved between the two and trained on answers differently from one that stayed: by 1/(n − 1) of the variance, 14%
#            at 8 rows a batch, which a comparison of training outputs never shows.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "keras==3.15.1" "torch==2.13.0" "numpy==2.4.6"
cd "$folder"
HOME="$folder" KERAS_BACKEND=torch "$folder/venv/bin/python" - <<'PY'
import keras
import numpy as np
import torch

batch = np.array([[0.0], [2.0]], np.float32)
layer = keras.layers.BatchNormalization(momentum=0.5)
layer(batch, training=True)
keras_variance = float(layer.moving_variance.value.detach()[0])
other = torch.nn.BatchNorm1d(1, momentum=0.5)
other(torch.from_numpy(batch))
torch_variance = float(other.running_var[0])
print(f"Keras {keras_variance}, PyTorch {torch_variance}")
assert abs(keras_variance - 1.0) < 1e-6 and abs(torch_variance - 1.5) < 1e-6
PY
echo "as described"

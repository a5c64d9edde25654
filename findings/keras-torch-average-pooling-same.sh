#!/usr/bin/env bash
# One Keras network averages other numbers at the border of an image with the PyTorch backend than with JAX's.
#
# Version:   Keras 3.15.1 with PyTorch 2.13.0 and with JAX 0.10.0.
# Behaviour: average pooling with padding "same" divides by the elements that are there, wherever as much padding stands at both ends. Where it is one more at
#            the end, the PyTorch backend makes that place out of the last element, which counts twice; JAX leaves it out.
# Seen:      1 to 6 along an axis, windows of 3, steps of 2: 2, 4, 5.667 with PyTorch; 2, 4, 5.5 with JAX. Windows of 3 without steps: alike.
# Guess:     a backend changes rounding, not which elements a mean is of.
# Matters:   the usual block of a network for images (windows of 3, steps of 2, even sizes) answers otherwise after a change of the backend, in evaluation
#            too; who moves such weights elsewhere compares with the wrong numbers.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "keras==3.15.1" "torch==2.13.0" "jax==0.10.0" "numpy==2.4.6"
cd "$folder"
cat >pools.py <<'PY'
import keras
import numpy as np

x = np.arange(1, 7, dtype="float32").reshape(1, 6, 1)
for steps in (2, 1):
    pooled = keras.layers.AveragePooling1D(3, steps, padding="same")(x)
    print(keras.backend.backend(), steps, np.round(keras.ops.convert_to_numpy(pooled).ravel(), 3).tolist())
PY
for backend in torch jax; do
  HOME="$folder" KERAS_BACKEND=$backend "$folder/venv/bin/python" pools.py | tee -a seen
done
grep -qx 'torch 2 \[2.0, 4.0, 5.667.*\]' seen
grep -qx 'jax 2 \[2.0, 4.0, 5.5\]' seen
[ "$(grep ' 1 ' seen | cut -d' ' -f2- | sort -u | wc -l)" = 1 ]
echo "as described"

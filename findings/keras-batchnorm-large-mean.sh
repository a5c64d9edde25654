#!/usr/bin/env bash
# With the PyTorch backend Keras' BatchNormalization gives NaN for columns whose mean is large.
#
# Version:   Keras 3.15.1 with PyTorch 2.13.0 (CPU); with JAX 0.10.0, and in PyTorch itself, the values are right.
# Behaviour: the variance is E[x²] − E[x]² in float32, which may be negative by some ulps of E[x²]; its root is NaN, and the negative value
#            goes into moving_variance. GroupNormalization does the same.
# Seen:      64 rows, 8 columns, mean 10,000, deviation 1: outputs with NaN, moving variances between −16 and 16 at momentum 0 (true: about 1).
#            torch.nn.BatchNorm1d of the same rows: deviation 1.0; Keras with JAX the same.
# Guess:     standardizing is what the layer is for: it takes raw columns, to a precision of the mean's ulp, as on the other backends.
# Matters:   a BatchNormalization as first layer is a common way to take years, prices, elevations and Kelvin as they are. The loss is NaN
#            at the first step on one backend, or, with means of hundreds, the scale is merely wrong and training looks alive.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "keras==3.15.1" "torch==2.13.0" "jax==0.10.0" "numpy==2.4.6"
cd "$folder"
cat >main.py <<'PY'
import keras
import numpy as np

rows = (np.random.default_rng(0).normal(size=(64, 8)) + 1e4).astype(np.float32)
layer = keras.layers.BatchNormalization(momentum=0.0)
output = keras.ops.convert_to_numpy(layer(rows, training=True))
variance = keras.ops.convert_to_numpy(layer.moving_variance)
print(keras.backend.backend(), "deviation", output.std(), "moving variance", variance)
if keras.backend.backend() == "torch":
    import torch

    assert np.isnan(output).any() and (variance < 0).any()
    with torch.no_grad():
        plain = torch.nn.BatchNorm1d(8)(torch.from_numpy(rows)).numpy()
    print("PyTorch alone, deviation", plain.std())
    assert abs(plain.std() - 1) < 1e-2
else:
    assert abs(output.std() - 1) < 1e-2 and variance.min() > 0.5
PY
for backend in torch jax; do
  HOME="$folder" KERAS_BACKEND=$backend "$folder/venv/bin/python" main.py
done
echo "as described"

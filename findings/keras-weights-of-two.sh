#!/usr/bin/env bash
# Weights of 2 for every example double Keras' loss and leave its weighted metric of the same name as it is.
#
# Version:   Keras 3.15.1 with JAX 0.10.0.
# Behaviour: the loss is Σ w·ℓ / n, over the number of examples; a weighted metric is Σ w·ℓ / Σ w.
# Seen:      errors 1 and 4, both with weight 2: loss (mse) 5.0, weighted mse 2.5.
# Guess:     weights say what counts more than what: equal ones change nothing, in loss and metric alike.
# Matters:   weights of counts or inverse frequencies whose mean is not 1 scale the gradient, and with it what learning rate, clipping
#            and penalties mean; loss and metric of one run cannot be compared, nor val_loss between sets with other mean weights.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "keras==3.15.1" "jax==0.10.0" "numpy==2.4.6"
cd "$folder"
HOME="$folder" KERAS_BACKEND=jax "$folder/venv/bin/python" - <<'PY'
import keras
import numpy as np

model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones", use_bias=False)])
model.compile("sgd", "mse", weighted_metrics=["mse"])
told = model.evaluate(np.array([[1.0], [2.0]]), np.zeros((2, 1)), sample_weight=np.array([2.0, 2.0]), verbose=0)
print("loss, weighted mse:", told)
assert np.allclose(told, [5.0, 2.5])
PY
echo "as described"

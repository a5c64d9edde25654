#!/usr/bin/env bash
# Keras' focal loss of two classes leaves its alpha out, that of several takes it.
#
# Version:   Keras 3.15.1 with PyTorch 2.13.0.
# Behaviour: `BinaryFocalCrossentropy(alpha=…)` weighs nothing unless `apply_class_balancing=True` is said as well; `CategoricalFocalCrossentropy(alpha=…)`, which has no
#            such option, always multiplies by it, 0.25 by default.
# Seen:      a rare example told with 0.7: the same loss, 0.0321, for alpha 0.25 and 0.75 of the first; 0.0080 and 0.0241 of the first with the option, and of the second.
# Guess:     alpha is a part of the formula (Lin et al. 2017) in both, and its default does the same in both.
# Matters:   who tunes alpha for a rare class compares runs that are all the same; who goes from two classes to several has a loss and gradients a quarter as large,
#            so that penalties and clipping weigh four times as much.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "keras==3.15.1" "torch==2.13.0" "numpy==2.4.6"
cd "$folder"
cat >focal.py <<'PY'
import keras
import numpy as np

def losses(make):
    return [round(make(alpha), 4) for alpha in (0.25, 0.75)]

one, two = np.array([[1.0]]), np.array([[1.0, 0.0]])
told, told_two = np.array([[0.7]]), np.array([[0.7, 0.3]])
plain = keras.losses.BinaryFocalCrossentropy
print("binary", losses(lambda alpha: float(plain(alpha=alpha)(one, told))))
print("binary, balanced", losses(lambda alpha: float(plain(alpha=alpha, apply_class_balancing=True)(one, told))))
several = keras.losses.CategoricalFocalCrossentropy
print("categorical", losses(lambda alpha: float(several(alpha=alpha)(two, told_two))))
print("categorical by default", round(float(several()(two, told_two)), 4))
PY
HOME="$folder" KERAS_BACKEND=torch "$folder/venv/bin/python" focal.py | tee seen
grep -qx 'binary \[0.0321, 0.0321\]' seen
grep -qx 'binary, balanced \[0.008, 0.0241\]' seen
grep -qx 'categorical \[0.008, 0.0241\]' seen
grep -qx 'categorical by default 0.008' seen
echo "as described"

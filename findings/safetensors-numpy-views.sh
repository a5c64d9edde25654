#!/usr/bin/env bash
# safetensors.numpy writes transposed and strided arrays with their elements in the wrong order, silently.
#
# Version:   safetensors 0.8.0, NumPy 2.4.6.
# Behaviour: save_file takes the array's memory as it lies and its logical shape. A transposed, Fortran-ordered or strided view is
#            written without an error and comes back with other numbers. (The PyTorch flavour refuses such tensors.)
# Seen:      [[0, 1, 2], [3, 4, 5]] saved as its transpose, as np.asfortranarray of it, and as every other column: none equals what
#            was saved; np.ascontiguousarray of each does.
# Guess:     what is saved is what is loaded, or an error as in PyTorch.
# Matters:   weights of a dense layer are transposed on their way between frameworks ([in, out] there, [out, in] here), and `w.T` is
#            how everybody writes that: shapes fit, the model loads, and its answers are noise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "safetensors==0.8.0" "numpy==2.4.6"
"$folder/venv/bin/python" - "$folder/weights.safetensors" <<'PY'
import sys
import numpy as np
from safetensors.numpy import load_file, save_file

weights = np.arange(6, dtype=np.float32).reshape(2, 3)
views = {"transposed": weights.T, "fortran": np.asfortranarray(weights), "strided": weights[:, ::2]}
save_file(views, sys.argv[1])
for name, loaded in load_file(sys.argv[1]).items():
    print(name, "saved", views[name].tolist(), "loaded", loaded.tolist())
    assert loaded.shape == views[name].shape and not np.array_equal(loaded, views[name]), name
save_file({name: np.ascontiguousarray(view) for name, view in views.items()}, sys.argv[1])
assert all(np.array_equal(loaded, views[name]) for name, loaded in load_file(sys.argv[1]).items())
PY
echo "as described"

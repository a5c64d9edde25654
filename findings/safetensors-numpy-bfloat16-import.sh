#!/usr/bin/env bash
# Whether safetensors.numpy can read a bfloat16 tensor depends on whether something else in the process has imported ml_dtypes.
#
# Version:   safetensors 0.8.0, NumPy 2.4.6, ml_dtypes 0.5.4.
# Behaviour: the dtype is looked up by name in NumPy, which knows 'bfloat16' once ml_dtypes has registered it; safetensors neither needs
#            nor imports that package. load_file fails as a whole, also for the float32 tensors beside it.
# Seen:      a file of one BF16 and one F32 tensor: load_file raises TypeError "data type 'bfloat16' not understood"; after `import
#            ml_dtypes` the same call gives both tensors.
# Guess:     the reader supports a dtype of its own format or it does not, and says so.
# Matters:   most weights of today are BF16; a conversion script works in a notebook where jax, onnx or Keras were imported and fails
#            alone, or in the test of a function by itself. Whoever writes files for others keeps to F32 or F16.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "safetensors==0.8.0" "numpy==2.4.6" "ml_dtypes==0.5.4"
cd "$folder"
HOME="$folder" "$folder/venv/bin/python" - <<'PY'
import json
import struct

import safetensors.numpy

header = json.dumps({
    "a": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]},
    "b": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]},
}).encode()
header += b" " * (-len(header) % 8)
with open("model.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(header)) + header + bytes.fromhex("803f803f") + struct.pack("<f", 2.0))
try:
    safetensors.numpy.load_file("model.safetensors")
    raise SystemExit("it was read")
except TypeError as error:
    print("before:", error)
    assert "bfloat16" in str(error)
import ml_dtypes  # noqa: E402,F401

tensors = safetensors.numpy.load_file("model.safetensors")
print("after:", tensors)
assert tensors["a"].dtype.name == "bfloat16" and tensors["b"][0] == 2
PY
echo "as described"

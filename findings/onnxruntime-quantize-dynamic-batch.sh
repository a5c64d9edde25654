#!/usr/bin/env bash
# A network that ONNX Runtime's quantize_dynamic has made answers a row differently according to the other rows of its batch.
#
# Version:   onnxruntime 1.32.0, onnx 1.23.2 (CPU).
# Behaviour: quantize_dynamic puts DynamicQuantizeLinear before the product: one scale and one zero point for the whole batch of
#            activations, from its smallest and largest value. So a row is rounded more coarsely where a neighbour is large.
# Seen:      a layer 8 → 4, relu: row 0 alone within 0.01 of float32 everywhere; in a batch whose fourth row is 50 times as large it is
#            off by more than 0.1.
# Guess:     weights become int8 and a row is quantized by itself, so that its answer is the same in every batch.
# Matters:   servers gather requests into batches; a caller's answer then depends on strangers, cannot be repeated, and an outlier in
#            the batch costs all of them accuracy that a test of single rows never shows.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "onnxruntime==1.32.0" "onnx==1.23.2" "numpy==2.4.6"
cd "$folder"
HOME="$folder" "$folder/venv/bin/python" - <<'PY'
import logging

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import quantize_dynamic

logging.disable(logging.WARNING)
rng = np.random.default_rng(0)
weight = (rng.normal(size=(4, 8)) / np.sqrt(8)).astype(np.float32)
graph = helper.make_graph(
    [helper.make_node("Gemm", ["x", "w", "b"], ["h"], transB=1), helper.make_node("Relu", ["h"], ["y"])],
    "layer",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 8])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])],
    [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(np.zeros(4, np.float32), "b")],
)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "f32.onnx")
quantize_dynamic("f32.onnx", "int8.onnx")
x = rng.normal(size=(4, 8)).astype(np.float32)
x[3] *= 50
answer = lambda path, rows: onnxruntime.InferenceSession(path).run(None, {"x": rows})[0][0]
exact = answer("f32.onnx", x[:1])
alone, beside = answer("int8.onnx", x[:1]), answer("int8.onnx", x)
print("float32", exact, "int8 alone", alone, "int8 in a batch", beside)
assert np.abs(alone - exact).max() < 0.01
assert np.abs(beside - exact).max() > 0.1
PY
echo "as described"

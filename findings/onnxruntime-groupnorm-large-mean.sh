#!/usr/bin/env bash
# ONNX's GroupNormalization gives NaN in ONNX Runtime where a group's mean is large; LayerNormalization of the same numbers is right.
#
# Version:   onnxruntime 1.32.0, onnx 1.23.2 (CPU), opset 21.
# Behaviour: it is computed as the function body of the standard says, with the variance as E[x²] − E[x]² in float32. LayerNormalization,
#            InstanceNormalization and MeanVarianceNormalization of the runtime do not lose it.
# Seen:      rows of 64 values, one group, deviation 1: at mean 1,000 the largest error is 0.095 (layer normalization 3e-5), at mean 10,000
#            there are NaN (layer normalization 6e-4).
# Guess:     normalizing over one group is layer normalization, to rounding, in one and the same runtime.
# Matters:   a network that trained well with group normalization is exported by the operator of that name, and fails on raw
#            images, sensor counts or channels with a common offset; written as Reshape and InstanceNormalization it works. A check on inputs
#            around 0, as random test data is, passes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "onnxruntime==1.32.0" "onnx==1.23.2" "numpy==2.4.6"
cd "$folder"
HOME="$folder" "$folder/venv/bin/python" - <<'PY'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


def error(operator, shape, values, **attributes):
    channels = shape[1]
    count = channels if operator == "GroupNormalization" else shape[-1]
    tensors = [numpy_helper.from_array(np.full(count, v, np.float32), name) for name, v in (("scale", 1), ("shift", 0))]
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", "scale", "shift"], ["y"], **attributes)],
        "norm",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    found = session.run(None, {"x": values.reshape(shape)})[0].reshape(4, 64)
    exact = values.astype(np.float64)
    exact = (exact - exact.mean(1, keepdims=True)) / np.sqrt(exact.var(1, keepdims=True) + 1e-5)
    return np.abs(found - exact).max()


noise = np.random.default_rng(0).normal(size=(4, 64))
for mean in (0, 1e3, 1e4):
    values = (noise + mean).astype(np.float32)
    group = error("GroupNormalization", [4, 2, 32], values, num_groups=1)
    layer = error("LayerNormalization", [4, 64], values, axis=-1)
    print(f"mean {mean:g}: largest error {group:.2g} by group, {layer:.2g} by layer normalization")
    assert layer < 2e-3
    assert group < 1e-5 if mean == 0 else group > 0.02 if mean == 1e3 else np.isnan(group)
PY
echo "as described"

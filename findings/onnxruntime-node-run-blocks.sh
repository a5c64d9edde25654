#!/usr/bin/env bash
# session.run of onnxruntime-node returns a promise and holds the event loop until the network has been computed.
#
# Version:   onnxruntime-node 1.30.0 (Node.js 20 and 24, linux x64).
# Behaviour: the work begins in a later turn and is done on the JavaScript thread, with helpers of its own; no timer, request or signal
#            is served meanwhile. There is no other form of run.
# Seen:      a network of some hundred milliseconds: a timer of 5 ms fires not once between the call and the answer; while as long a
#            wait for a timer lets it fire dozens of times.
# Guess:     what returns a promise from a native library works on a thread of that library, and the event loop stays free.
# Matters:   a server that answers with a larger network, or a training job that measures with one, has the latency of a whole batch
#            added to every other request; workers are needed where `await` looks enough.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts "onnxruntime-node@1.30.0"
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
venv/bin/python model.py 2048 8 float32
cat >main.mjs <<'JS'
import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import ort from "onnxruntime-node";

const session = await ort.InferenceSession.create("model.onnx");
const x = new ort.Tensor("float32", new Float32Array(2048 * 2048).fill(1), [2048, 2048]);
async function ticksDuring(work) {
  let ticks = 0;
  const timer = setInterval(() => ticks++, 5);
  const began = performance.now();
  await work();
  clearInterval(timer);
  return { ticks, milliseconds: performance.now() - began };
}
const run = await ticksDuring(() => session.run({ x }));
const idle = await ticksDuring(() => wait(run.milliseconds));
console.log(`run: ${run.ticks} ticks in ${run.milliseconds.toFixed(0)} ms; waiting as long: ${idle.ticks}`);
assert.ok(run.milliseconds > 50);
assert.ok(run.ticks <= 1);
assert.ok(idle.ticks >= 5);
JS
node main.mjs
echo "as described"

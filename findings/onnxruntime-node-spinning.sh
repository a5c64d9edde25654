#!/usr/bin/env bash
# A session of onnxruntime-node with two threads keeps a core busy for tens of milliseconds after every run, however short.
#
# Version:   onnxruntime-node 1.30.0 (Node.js 20, linux x64), two cores.
# Behaviour: the workers of a session wait for the next run by spinning before they sleep; it is the default, and
#            session.intra_op.allow_spinning in the extra session options turns it off.
# Seen:      processor time of the process in the 300 ms after one run of a tiny network: 39 ms with two threads, 0.2–1.2 ms with one,
#            below 10 ms with spinning off.
# Guess:     helpers sleep within microseconds of the end of a run; a run of 0.2 ms costs 0.2 ms.
# Matters:   a server with a few dozen small requests a second shows a full core in use that computes nothing, and a training job or
#            another model beside it loses that core; measured in turns, whoever comes next looks slow.
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
venv/bin/python model.py 256 2 float32
cat >main.mjs <<'JS'
import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import ort from "onnxruntime-node";

const x = new ort.Tensor("float32", new Float32Array(64 * 256).fill(1), [64, 256]);
async function busyAfter(options) {
  const session = await ort.InferenceSession.create("model.onnx", options);
  const seen = [];
  for (let i = 0; i < 5; i++) {
    await session.run({ x });
    const before = process.cpuUsage();
    await wait(300);
    const { user, system } = process.cpuUsage(before);
    seen.push((user + system) / 1000);
  }
  await session.release();
  return seen.sort((a, b) => a - b)[2];
}
const two = await busyAfter({ intraOpNumThreads: 2 });
const one = await busyAfter({ intraOpNumThreads: 1 });
const calm = await busyAfter({ intraOpNumThreads: 2, extra: { session: { intra_op: { allow_spinning: "0" } } } });
console.log(`ms of processor in 300 ms after a run: ${two.toFixed(1)} with two threads, ${one.toFixed(1)} with one, ${calm.toFixed(1)} without spinning`);
assert.ok(two > 15);
assert.ok(one < 5);
assert.ok(calm < two / 2);
JS
node main.mjs
echo "as described"

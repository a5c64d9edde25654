#!/usr/bin/env bash
# ONNX's reference evaluator reads over the lengths of sequences, and over the clipping, of recurrent operators.
#
# Version:   onnx 1.23.2, ONNX Runtime 1.32.0.
# Behaviour: `ReferenceEvaluator` runs GRU and LSTM as if `sequence_lens` and `clip` were not there, without a word: states go on through the padding. ONNX Runtime
#            stops each sequence at its length and clips.
# Seen:      two sequences, 2 and 3 of 3 steps: the last state of the first differs for both operators, that of the second is alike; with clip 0.5 all states differ.
# Guess:     the reference of a standard computes every input and attribute of an operator that it accepts, or refuses it.
# Matters:   it is what one compares an exported network with: a right export of padded sequences fails there, and one that forgets the lengths passes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "onnx==1.23.2" "onnxruntime==1.32.0" "numpy==2.4.6"
cd "$folder"
cat >lengths.py <<'PY'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

random = np.random.default_rng(0)
def array(*shape):
    return random.normal(size=shape).astype(np.float32)

def last_states(kind, gates, named, **attributes):
    feeds = {"x": array(3, 2, 2), "w": array(1, gates * 2, 2), "r": array(1, gates * 2, 2), "b": array(1, gates * 4)}
    types = dict.fromkeys(feeds, TensorProto.FLOAT)
    if named:
        feeds["lengths"], types["lengths"] = np.array([2, 3], np.int32), TensorProto.INT32
    node = helper.make_node(kind, list(feeds), ["", "last"], hidden_size=2, **attributes)
    inputs = [helper.make_tensor_value_info(name, types[name], list(value.shape)) for name, value in feeds.items()]
    graph = helper.make_graph([node], "g", inputs, [helper.make_tensor_value_info("last", TensorProto.FLOAT, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    reference = ReferenceEvaluator(model).run(["last"], feeds)[0]
    runtime = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(["last"], feeds)[0]
    return ["alike" if np.allclose(reference[0, b], runtime[0, b], atol=1e-5) else "differs" for b in range(2)]

for kind, gates in (("GRU", 3), ("LSTM", 4)):
    print(kind, "plain:", *last_states(kind, gates, False), "lengths 2, 3:", *last_states(kind, gates, True))
print("LSTM clipped:", *last_states("LSTM", 4, False, clip=0.5))
PY
"$folder/venv/bin/python" lengths.py | tee seen
for kind in GRU LSTM; do grep -qx "$kind plain: alike alike lengths 2, 3: differs alike" seen; done
grep -qx "LSTM clipped: differs differs" seen
echo "as described"

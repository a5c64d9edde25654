"""Holds files of write_architectures.ts against onnx.checker and ONNX Runtime, and writes what npm test compares with.

    python check_architectures.py FOLDER [FIXTURE]

Needs onnx and onnxruntime; written with onnx 1.23.2 and onnxruntime 1.32.0. An element may be off by 1e-5 of the largest of its output: both sides round
sums of some hundred float32 terms, in orders of their own. Where a norm of small numbers makes more of that, the file in float64 decides (onnx.reference), of which both have to be within the bound. FIXTURE gets, of each architecture, the beginning of the SHA-256 of its file and, of some, the
runtime's answers.
"""

import base64
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator

BOUND = 1e-5
TYPES = {"Float32Array": np.float32, "Int32Array": np.int32, "Uint8Array": np.uint8}



def in_double(path, feeds):
    """Outputs of a file with all of its floats in float64."""
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            wide = onnx.numpy_helper.to_array(tensor).astype(np.float64)
            tensor.CopyFrom(onnx.numpy_helper.from_array(wide, tensor.name))
    for node in model.graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.i == onnx.TensorProto.FLOAT:
                attribute.i = onnx.TensorProto.DOUBLE
    for value in [*model.graph.input, *model.graph.output]:
        if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT:
            value.type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    wide = {name: data.astype(np.float64) if data.dtype == np.float32 else data for name, data in feeds.items()}
    return dict(zip((each.name for each in model.graph.output), ReferenceEvaluator(model).run(None, wide)))


folder = Path(sys.argv[1])
worst, decided, failures, fixture = 0.0, 0, [], []
paths = sorted(folder.glob("*.onnx"), key=lambda path: int(path.stem))
for path in paths:
    told = json.loads(path.with_suffix(".json").read_text())
    of = f"{path.stem} ({told['name']})"
    entry = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()[:16]}
    try:
        onnx.checker.check_model(onnx.load(path), full_check=True)
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        for number, case in enumerate(told["cases"]):
            feeds = {
                each["name"]: np.frombuffer(base64.b64decode(each["data"]), TYPES[each["type"]]).reshape(each["dims"])
                for each in case["inputs"]
            }
            wanted = {each["name"]: each for each in case["outputs"]}
            found = session.run(list(wanted), feeds)
            for (name, each), given in zip(wanted.items(), found):
                ours = np.frombuffer(base64.b64decode(each["data"]), np.float32).reshape(each["dims"])
                if ours.shape != given.shape:
                    failures.append(f"{of}: {name} {given.shape}, ours {ours.shape}")
                    continue
                largest = max(np.abs(ours).max(initial=0.0), 1e-3)
                share = np.abs(given.astype(np.float64) - ours).max(initial=0.0) / largest
                if share > BOUND:
                    exact = in_double(path, feeds)[name]
                    share = max(np.abs(each - exact).max(initial=0.0) / largest for each in (given, ours))
                    decided += 1
                worst = max(worst, share)
                if not share <= BOUND:
                    failures.append(f"{of}: rows {ours.shape[0]} {name} off by {share:.2e}")
            if number == 1 and int(path.stem) % 10 == 0:
                entry["outputs"] = [[float(f"{x:.7g}") for x in given.astype(np.float64).ravel()[:6]] for given in found]
    except Exception as problem:  # whatever a checker or a runtime says is a failure
        failures.append(f"{of}: {str(problem)[:300]}")
    fixture.append(entry)
print(f"{len(paths)} architectures, {len(failures)} failures, at most {worst:.2e} off, {decided} decided in float64")
print("\n".join(failures))
if len(sys.argv) > 2 and not failures:
    versions = {"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__}
    lines = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in fixture)
    Path(sys.argv[2]).write_text(f'{{"versions":{json.dumps(versions)},"architectures":[\n{lines}\n]}}\n')
sys.exit(1 if failures else 0)

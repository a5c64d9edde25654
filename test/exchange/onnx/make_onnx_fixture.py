"""Writes files of PyTorch's exporter, with rows and the answers of ONNX Runtime, for import.test.ts:

    python make_onnx_fixture.py fixtures/pytorch [all]

Needs torch, onnx, onnxscript and onnxruntime; written with torch 2.13.0 and onnxruntime 1.32.0. Models are small, so that files are; each is exported as `torch.onnx.export` does by default
(weights of 256 bytes and more lie in a file beside, which may be empty), in training mode, or as its older exporter does; with `all` in every form.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

folder = Path(sys.argv[1])
folder.mkdir(exist_ok=True)
torch.manual_seed(7)


def without_traces(path):
    """Takes out what the exporter tells of the program that it saw: lines of files of this machine. Nothing else changes."""
    file = onnx.load(path, load_external_data=False)
    for part in [*file.graph.node, *file.graph.value_info, *file.graph.input, *file.graph.output, *file.graph.initializer, file.graph, file]:
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    path.write_bytes(file.SerializeToString())


class Last(nn.Module):
    """The last step of a recurrent network, as tutorials have it."""

    def __init__(self, layer, width):
        super().__init__()
        self.layer, self.head = layer, nn.Linear(width, 2)

    def forward(self, x):
        y, _ = self.layer(x)
        return self.head(y[:, -1])


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(11, 8)
        self.block = nn.TransformerEncoderLayer(8, 2, 12, dropout=0.1, activation="gelu", batch_first=True, norm_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, ids):
        return self.head(self.block(self.table(ids)).mean(1))


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x):
        return torch.relu(x + self.inner(x))


lenet = nn.Sequential(
    nn.Conv2d(1, 4, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3), nn.Tanh(), nn.AvgPool2d(2),
    nn.Flatten(), nn.Linear(24, 12), nn.ReLU(), nn.Dropout(0.4), nn.Linear(12, 5), nn.Softmax(1),
)  # fmt: skip
normed = nn.Sequential(
    nn.Linear(5, 20), nn.BatchNorm1d(20, eps=1e-3), nn.GELU(), nn.Linear(20, 8), nn.LayerNorm(8), nn.SiLU(), nn.Linear(8, 2)
)
resnet = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), Block(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
series = nn.Sequential(nn.Conv1d(2, 4, 3, padding=1), nn.BatchNorm1d(4), nn.ELU(), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(12, 2))
upward = nn.Sequential(nn.Linear(4, 18), nn.ReLU(), nn.Unflatten(1, (2, 3, 3)), nn.ConvTranspose2d(2, 3, 4, stride=2, padding=1), nn.Sigmoid())
CASES = {
    "lenet": (lenet, (2, 1, 12, 12)),
    "normed": (normed, (3, 5)),
    "resnet": (resnet, (2, 3, 8, 8)),
    "series": (series, (2, 2, 6)),
    "upward": (upward, (2, 4)),
    "lstm": (Last(nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True), 8), (2, 5, 3)),
    "gru": (Last(nn.GRU(3, 4, batch_first=True), 4), (2, 5, 3)),
    "transformer": (Tokens(), (2, 6)),
}
for norm in (lenet, normed, resnet, series):
    for part in norm.modules():
        if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d)):
            part.running_mean.uniform_(-0.5, 0.5)
            part.running_var.uniform_(0.5, 2)

FORMS = {
    **{"lenet": "training", "normed": "new", "resnet": "old", "series": "new", "upward": "old", "lstm": "old"},
    **{"gru": "old", "transformer": "old"},
}

told = []
for name, (model, shape) in CASES.items():
    rows = torch.randint(0, 11, shape) if name == "transformer" else (torch.randn(shape) * 32).round() / 32
    batch = torch.export.Dim("batch")
    for form in ("new", "old", "training"):
        if form != FORMS[name] and (sys.argv[2:] != ["all"] or (form == "training" and name not in ("lenet", "normed"))):
            continue
        path = folder / f"{name}_{form}.onnx"
        model.train(form == "training")
        try:
            if form == "old":
                torch.onnx.export(model, (rows,), path, dynamo=False, input_names=["x"], output_names=["y"], dynamic_axes={"x": {0: "batch"}, "y": {0: "batch"}})
            else:
                torch.onnx.export(model, (rows,), path, dynamo=True, input_names=["x"], output_names=["y"], dynamic_shapes=({0: batch},), verbose=False)
        except Exception as problem:  # an exporter that cannot is left out
            print(f"{path.name}: {str(problem)[:200]}")
            continue
        model.eval()
        without_traces(path)
        with torch.no_grad():
            wanted = model(rows).numpy()
        if form != "training":
            found = onnxruntime.InferenceSession(str(path)).run(None, {"x": rows.numpy()})[0]
            assert np.abs(found - wanted).max() < 1e-5, path
        told.append({
            "file": path.name,
            "dtype": "i32" if name == "transformer" else "f32",
            "shape": list(shape),
            "x": [float(f"{value:.9g}") for value in rows.numpy().ravel()],
            "y": [float(f"{value:.7g}") for value in wanted.ravel()],
        })  # fmt: skip
(folder / "pytorch.json").write_text(json.dumps(told, separators=(",", ":")).replace('{"file"', '\n{"file"') + "\n")

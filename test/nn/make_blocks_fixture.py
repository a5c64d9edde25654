"""Writes fixtures/blocks.json: residual blocks in one another and a running mean, trained by PyTorch in float64 and in float32.

  python test/nn/make_blocks_fixture.py
"""

import json
import pathlib

import torch
from torch import nn

ROWS, BATCH, STEPS, RATE, KEEP = 24, 8, 50, 0.1, 0.9
torch.manual_seed(11)


class Residual(nn.Module):
    def __init__(self, *layers, project=None):
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.projection = project

    def forward(self, x):
        return (x if self.projection is None else self.projection(x)) + self.layers(x)


class Centre(nn.Module):
    """x − mean before the batch; then mean ← keep·mean + (1 − keep)·(mean of the batch), which no gradient goes through."""

    def __init__(self, size):
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))

    def forward(self, x):
        y = x - self.mean
        if self.training:
            self.mean = (KEEP * self.mean + (1 - KEEP) * x.mean(0)).detach()
        return y


def build():
    inner = Residual(nn.Linear(16, 16), nn.ReLU())
    return nn.Sequential(
        nn.Linear(4, 8),
        Residual(nn.Linear(8, 16), nn.Tanh(), inner, nn.Linear(16, 8)),
        Residual(nn.Linear(8, 6), nn.Tanh(), project=nn.Linear(8, 6, bias=False)),
        Centre(6),
        nn.Linear(6, 2),
    )


# Our names of PyTorch's.
NAMES = {
    "0": "linear1",
    "1.layers.0": "residual1.linear1",
    "1.layers.2.layers.0": "residual1.residual1.linear1",
    "1.layers.3": "residual1.linear2",
    "2.layers.0": "residual2.linear1",
    "2.projection": "residual2.projection",
    "3": "centre1",
    "4": "linear2",
}

start = build().state_dict()
x, y = torch.randn(ROWS, 4), torch.randn(ROWS, 2)


def state(model):
    named = {}
    for name, value in model.state_dict().items():
        layer, role = name.rsplit(".", 1)
        named[f"{NAMES[layer]}.{role}"] = value.flatten().tolist()
    return named


def trained(dtype):
    model = build()
    model.load_state_dict(start)
    model.to(dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    losses = []
    for step in range(STEPS):
        rows = slice(step * BATCH % ROWS, step * BATCH % ROWS + BATCH)
        loss = nn.functional.mse_loss(model(x[rows].to(dtype)), y[rows].to(dtype))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    return {"losses": losses, "weights": state(model), "outputs": model(x.to(dtype)).detach().flatten().tolist()}


first = build()
first.load_state_dict(start)
document = {
    "torch": torch.__version__,
    "rate": RATE,
    "keep": KEEP,
    "steps": STEPS,
    "batch": BATCH,
    "x": x.tolist(),
    "y": y.tolist(),
    "start": state(first),
    "float64": trained(torch.float64),
    "float32": trained(torch.float32),
}
path = pathlib.Path(__file__).parent / "fixtures" / "blocks.json"
path.write_text(json.dumps(document, separators=(",", ":")) + "\n")

"""Writes fixtures/ple.json: bins and piecewise-linear embeddings of rtdl_num_embeddings, trained in float64 and in float32.

  pip install rtdl_num_embeddings==0.0.12
  python test/nn/make_ple_fixture.py
"""

import json
import pathlib

import torch
from rtdl_num_embeddings import PiecewiseLinearEmbeddings, compute_bins
from torch import nn

ROWS, BATCH, STEPS, RATE, SIZE, OUTPUTS, BINS = 60, 20, 100, 0.02, 3, 2, 6
torch.manual_seed(4)
x = torch.randn(ROWS, 4)
x[:, 1] = torch.round(2 * x[:, 1]) / 2
x[:, 2] = (x[:, 2] > 0).float()
x[:, 3] = torch.round(x[:, 3])
y = torch.randn(ROWS, OUTPUTS)
bins = compute_bins(x, BINS)


class Network(nn.Module):
    def __init__(self, dtype):
        super().__init__()
        self.embedding = PiecewiseLinearEmbeddings([edges.to(dtype) for edges in bins], SIZE, activation=False, version="B")
        self.head = nn.Linear(x.shape[1] * SIZE, OUTPUTS)
        self.to(dtype)

    def forward(self, rows):
        return self.head(self.embedding(rows).flatten(1))


def ours(named):
    """By our names: weights lie as [column, number, bin], where rtdl has the last bin of a column behind the room of those that others have more."""
    named = {name: p.detach() for name, p in named}
    theirs = named["embedding.linear.weight"].transpose(1, 2)
    weight = torch.zeros_like(theirs)
    for column, edges in enumerate(bins):
        count = len(edges) - 1
        weight[column, :, : count - 1] = theirs[column, :, : count - 1]
        weight[column, :, count - 1] = theirs[column, :, -1]
    parts = {
        "numericEmbedding1.slope": named["embedding.linear0.weight"],
        "numericEmbedding1.bias": named["embedding.linear0.bias"],
        "numericEmbedding1.weight": weight,
        "linear1.weight": named["head.weight"],
        "linear1.bias": named["head.bias"],
    }
    return {name: p.flatten().tolist() for name, p in parts.items()}


def trained(start, dtype, order):
    model = Network(dtype)
    model.load_state_dict({name: start[name] if name in dict(model.named_parameters()) else p for name, p in model.state_dict().items()})
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    kept = []
    for step in range(STEPS):
        rows = [step * BATCH % ROWS + row for row in order]
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x[rows].to(dtype)), y[rows].to(dtype)).backward()
        optimizer.step()
        if step in (1, STEPS - 1):
            with torch.no_grad():
                kept.append({**ours(model.named_parameters()), "predicted": model(2 * x.to(dtype)).flatten().tolist()})
    return kept


def distance(a, b):
    return sum((p - q) ** 2 for name in a for p, q in zip(a[name], b[name])) ** 0.5


start = {name: p.detach().clone() for name, p in Network(torch.float32).named_parameters()}
second, last = trained(start, torch.float64, range(BATCH))
orders = [torch.randperm(BATCH, generator=torch.Generator().manual_seed(seed)).tolist() for seed in range(8)]
narrow = [trained(start, torch.float32, order)[1] for order in orders]
made = {
    **{"batch": BATCH, "steps": STEPS, "rate": RATE, "bins": BINS, "x": x.tolist(), "y": y.tolist()},
    **{"edges": [edges.tolist() for edges in bins], "first": ours(start.items()), "second": second, "last": last},
    "distance": max(distance(last, each) for each in narrow),
}
path = pathlib.Path(__file__).parent / "fixtures" / "ple.json"
path.write_text(json.dumps(json.loads(json.dumps(made), parse_float=lambda text: float(f"{float(text):.12g}"))) + "\n")

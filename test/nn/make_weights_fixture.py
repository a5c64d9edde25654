"""Writes fixtures/weights.json: a network whose rows partly weigh nothing, by PyTorch in float64 and float32.

    python test/nn/make_weights_fixture.py    # torch 2.13

Embedding(6, 3) of two ids by SparseAdam, flatten, BatchNorm1d(6), linear(6, 1) by SGD; Σwℓ/Σw of squared errors; 20 rows in batches of 5, always in the same order, two
rows of each weigh 0. Such a row is given to the network as zeros: ids 0, which names row 0 of the table, and counts in mean and variance. Of the float64 run the last
weights and running values are kept, of the float32 run how far each is from that.
"""

import json
import pathlib

import numpy as np
import torch

ROWS, COUNT, SIZE, BATCH, STEPS = 20, 6, 3, 5, 40
random = np.random.default_rng(7)
TABLE = random.integers(-96, 97, (COUNT, SIZE)) / 64
HEAD = random.integers(-64, 65, (1, 2 * SIZE)) / 64
Y = random.integers(-96, 97, ROWS) / 64
IDS = random.integers(0, COUNT, (ROWS, 2))
WEIGHT = np.where(np.arange(ROWS) % BATCH < 2, 0, random.integers(1, 5, ROWS)) / 2


def run(dtype):
    table = torch.nn.Embedding(COUNT, SIZE, sparse=True, dtype=dtype)
    norm = torch.nn.BatchNorm1d(2 * SIZE, dtype=dtype)
    head = torch.nn.Linear(2 * SIZE, 1, bias=False, dtype=dtype)
    with torch.no_grad():
        table.weight.copy_(torch.tensor(TABLE))
        head.weight.copy_(torch.tensor(HEAD))
    optimizers = [
        torch.optim.SparseAdam(list(table.parameters()), 0.02),
        torch.optim.SGD([*norm.parameters(), *head.parameters()], 0.05),
    ]
    ids = torch.tensor(np.where(WEIGHT[:, None] == 0, 0, IDS))
    y, weight = torch.tensor(Y, dtype=dtype), torch.tensor(WEIGHT, dtype=dtype)
    for step in range(STEPS):
        rows = slice(step % (ROWS // BATCH) * BATCH, step % (ROWS // BATCH) * BATCH + BATCH)
        for optimizer in optimizers:
            optimizer.zero_grad()
        output = head(norm(table(ids[rows]).flatten(1)))[:, 0]
        (weight[rows] * (output - y[rows]) ** 2).sum().div(weight[rows].sum()).backward()
        for optimizer in optimizers:
            optimizer.step()
    kept = {
        "table.table": table.weight,
        "norm.scale": norm.weight,
        "norm.shift": norm.bias,
        "norm.mean": norm.running_mean,
        "norm.variance": norm.running_var,
        "head.weight": head.weight,
    }
    return {name: value.detach().double().flatten().numpy() for name, value in kept.items()}


exact, single = run(torch.float64), run(torch.float32)
fixture = {
    "table": TABLE.flatten().tolist(),
    "head": HEAD.flatten().tolist(),
    "y": Y.tolist(),
    "ids": IDS.tolist(),
    "weight": WEIGHT.tolist(),
    "steps": STEPS,
    "batch": BATCH,
    "after": {
        name: {"data": data.tolist(), "error": float(np.linalg.norm(single[name] - data))} for name, data in exact.items()
    },
}
path = pathlib.Path(__file__).parent / "fixtures" / "weights.json"
path.write_text(json.dumps(fixture, separators=(",", ":")) + "\n")

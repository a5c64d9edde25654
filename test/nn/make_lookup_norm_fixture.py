"""Writes fixtures/lookup_norm.json: torch.nn.Embedding with max_norm, by PyTorch in float64 and float32.

    python test/nn/make_lookup_norm_fixture.py    # torch 2.13

Embedding(20, 4, max_norm=1.25) of three ids and flatten, then linear(12, 2); mean squared error; 24 rows in batches of 8, always in the same
order; ids repeat, and some rows are never named. Of the float64 run the weights after one step and after 60 are kept, and what is predicted
then; of the float32 run how far it is from that. Data and first weights are multiples of 1/64, so that float32 holds them.
"""

import copy
import json
import pathlib

import numpy as np
import torch

ROWS, COUNT, SIZE, OUT, BATCH, STEPS, NORM = 24, 20, 4, 2, 8, 60, 1.25
random = np.random.default_rng(7)
TABLE = random.integers(-96, 97, (COUNT, SIZE)) / 64
HEAD = random.integers(-64, 65, (OUT, 3 * SIZE)) / 64
Y = random.integers(-96, 97, (ROWS, OUT)) / 16
IDS = random.integers(0, COUNT - 3, (ROWS, 3))
MAKE = {
    "sgd": lambda of, sparse: torch.optim.SGD(of, 0.1),
    "adam": lambda of, sparse: torch.optim.SparseAdam(of, 0.05) if sparse else torch.optim.Adam(of, 0.05),
}


def run(optimizer, sparse, dtype, steps):
    table = torch.nn.Embedding(COUNT, SIZE, max_norm=NORM, sparse=sparse, dtype=dtype)
    head = torch.nn.Linear(3 * SIZE, OUT, bias=False, dtype=dtype)
    with torch.no_grad():
        table.weight.copy_(torch.tensor(TABLE))
        head.weight.copy_(torch.tensor(HEAD))
    optimizers = [MAKE[optimizer](list(table.parameters()), sparse), torch.optim.SGD(head.parameters(), 0.1)]
    y = torch.tensor(Y, dtype=dtype)
    for step in range(steps):
        rows = list(range(step % 3 * BATCH, step % 3 * BATCH + BATCH))
        for each in optimizers:
            each.zero_grad()
        looked = table(torch.tensor(IDS[rows])).flatten(1)
        torch.nn.functional.mse_loss(head(looked), y[rows]).backward()
        for each in optimizers:
            each.step()
    # A lookup changes the table, at inference too.
    predicted = head(copy.deepcopy(table).eval()(torch.tensor(IDS)).flatten(1))
    values = {"embedding1.table": table.weight, "linear1.weight": head.weight, "predicted": predicted}
    return {name: value.detach().double().flatten().numpy() for name, value in values.items()}


def main():
    fixture = {"norm": NORM, "ids": IDS.tolist(), "y": Y.tolist(), "table": TABLE.flatten().tolist(), "head": HEAD.flatten().tolist()}
    fixture["cases"] = []
    for optimizer, sparse in (("sgd", False), ("adam", False), ("adam", True)):
        for steps in (1, STEPS):
            exact = run(optimizer, sparse, torch.float64, steps)
            single = run(optimizer, sparse, torch.float32, steps)
            fixture["cases"].append({
                "optimizer": optimizer, "sparse": sparse, "steps": steps,
                "exact": {name: values.tolist() for name, values in exact.items()},
                "distance": {name: float(np.abs(single[name] - values).max()) for name, values in exact.items()},
            })
    (pathlib.Path(__file__).parent / "fixtures" / "lookup_norm.json").write_text(json.dumps(fixture) + "\n")


main()

"""Writes fixtures/embeddings.json: 200 steps of small networks that look rows of a table up, by PyTorch and Keras in float64 and float32.

    KERAS_BACKEND=torch python test/nn/make_embeddings_fixture.py    # torch 2.13, keras 3.15

Embedding(30, 4) of three ids and flatten, or EmbeddingBag(30, 4) of up to five, with weights of each or without, then linear(…, 2); mean squared error; 24 rows in batches of 8,
always in the same order; ids repeat, and some rows are never named. Of the float64 run the last weights are kept, after one step and after
all; of the float32 run how far it is from that. Data and first weights are multiples of 1/64, so that float32 holds them.
"""

import json
import pathlib

import keras
import numpy as np
import torch

ROWS, COUNT, SIZE, OUT, BATCH, STEPS, PADDING = 24, 30, 4, 2, 8, 200, 3
random = np.random.default_rng(5)
TABLE = random.integers(-96, 97, (COUNT, SIZE)) / 64
TABLE[PADDING] = 0
Y = random.integers(-96, 97, (ROWS, OUT)) / 64
IDS = np.where(random.random((ROWS, 3)) < 0.3, random.integers(0, 4, (ROWS, 3)), random.integers(0, 25, (ROWS, 3)))
BAGS = [random.integers(0, 25, int(random.integers(0, 6))).tolist() for _ in range(ROWS)]
BAGS[1] = []
HEAD = {width: random.integers(-64, 65, (OUT, width)) / 64 for width in (SIZE, 3 * SIZE)}
WEIGHTS = [(random.integers(-64, 65, len(ids)) / 64).tolist() for ids in BAGS]


def run_keras(case, dtype, steps):
    name = str(dtype).removeprefix("torch.")
    table = keras.layers.Embedding(COUNT, SIZE, dtype=name)
    head = keras.layers.Dense(OUT, use_bias=False, dtype=name)
    model = keras.Sequential([keras.Input((3,), dtype="int32"), table, keras.layers.Flatten(), head])
    table.set_weights([TABLE])
    head.set_weights([HEAD[3 * SIZE].T])
    make = {"sgd": lambda: keras.optimizers.SGD(0.1), "adam": lambda: keras.optimizers.Adam(0.02)}[case["optimizer"]]
    optimizers = [(make(), table.trainable_variables), (keras.optimizers.SGD(0.1), head.trainable_variables)]
    y = torch.tensor(Y, dtype=dtype)
    for step in range(steps):
        rows = list(range(step % 3 * BATCH, step % 3 * BATCH + BATCH))
        model.zero_grad()
        torch.nn.functional.mse_loss(model(torch.tensor(IDS[rows]), training=True), y[rows]).backward()
        with torch.no_grad():
            for optimizer, variables in optimizers:
                optimizer.apply([variable.value.grad for variable in variables], variables)
    return {
        "table": keras.ops.convert_to_numpy(table.embeddings).astype("float64"),
        "head": keras.ops.convert_to_numpy(head.kernel).astype("float64").T,
    }


def run(case, dtype, steps):
    if case.get("framework") == "keras":
        return run_keras(case, dtype, steps)
    bag = case["layer"] == "embeddingBag"
    padding = case.get("padding")
    if bag:
        table = torch.nn.EmbeddingBag(COUNT, SIZE, mode=case["mode"], padding_idx=padding, sparse=case["sparse"], dtype=dtype)
    else:
        table = torch.nn.Embedding(COUNT, SIZE, padding_idx=padding, sparse=case["sparse"], dtype=dtype)
    head = torch.nn.Linear(SIZE if bag else 3 * SIZE, OUT, bias=False, dtype=dtype)
    with torch.no_grad():
        table.weight.copy_(torch.tensor(TABLE))
        head.weight.copy_(torch.tensor(HEAD[head.in_features]))
    make = {
        "sgd": lambda of: torch.optim.SGD(of, 0.1),
        "adagrad": lambda of: torch.optim.Adagrad(of, 0.05),
        "adam": lambda of: torch.optim.Adam(of, 0.02),
        "sparseAdam": lambda of: torch.optim.SparseAdam(of, 0.02),
    }[case["optimizer"]]
    optimizers = [make(list(table.parameters())), torch.optim.SGD(head.parameters(), 0.1)]
    y = torch.tensor(Y, dtype=dtype)
    for step in range(steps):
        rows = range(step % 3 * BATCH, step % 3 * BATCH + BATCH)
        for optimizer in optimizers:
            optimizer.zero_grad()
        if bag:
            lists = [BAGS[row] for row in rows]
            offsets = np.cumsum([0] + [len(ids) for ids in lists])[:-1]
            flat = torch.tensor(sum(lists, []), dtype=torch.int64)
            weights = torch.tensor(sum((WEIGHTS[row] for row in rows), []), dtype=dtype) if case.get("weighted") else None
            looked = table(flat, torch.tensor(offsets), per_sample_weights=weights)
        else:
            looked = table(torch.tensor(IDS[list(rows)])).flatten(1)
        torch.nn.functional.mse_loss(head(looked), y[list(rows)]).backward()
        for optimizer in optimizers:
            optimizer.step()
    return {"table": table.weight.detach().double().numpy(), "head": head.weight.detach().double().numpy()}


def result(case):
    exact = {steps: run(case, torch.float64, steps) for steps in (1, STEPS)}
    single = {steps: run(case, torch.float32, steps) for steps in (1, STEPS)}
    after = {}
    for steps, weights in exact.items():
        after[steps] = {
            name: {"data": data.flatten().tolist(), "error": float(np.linalg.norm(single[steps][name] - data))}
            for name, data in weights.items()
        }
    return case | {"after": after}


CASES = [
    {"layer": "embedding", "optimizer": "sgd", "sparse": False},
    {"layer": "embedding", "optimizer": "adam", "sparse": False, "padding": PADDING},
    {"framework": "keras", "layer": "embedding", "optimizer": "sgd", "sparse": False},
    {"framework": "keras", "layer": "embedding", "optimizer": "adam", "sparse": False},
    {"layer": "embedding", "optimizer": "adagrad", "sparse": True},
    {"layer": "embedding", "optimizer": "sparseAdam", "sparse": True},
    {"layer": "embeddingBag", "mode": "sum", "optimizer": "sgd", "sparse": True},
    {"layer": "embeddingBag", "mode": "mean", "optimizer": "sgd", "sparse": True},
    {"layer": "embeddingBag", "mode": "mean", "optimizer": "adam", "sparse": False, "padding": PADDING},
    {"layer": "embeddingBag", "mode": "sum", "optimizer": "sparseAdam", "sparse": True},
    {"layer": "embeddingBag", "mode": "sum", "optimizer": "sgd", "sparse": True, "weighted": True},
    {"layer": "embeddingBag", "mode": "sum", "optimizer": "adam", "sparse": False, "weighted": True},
]
fixture = {
    "table": TABLE.flatten().tolist(),
    "heads": {str(width): data.flatten().tolist() for width, data in HEAD.items()},
    "y": Y.tolist(),
    "ids": IDS.tolist(),
    "bags": BAGS,
    "weights": WEIGHTS,
    "cases": [result(case) for case in CASES],
}
path = pathlib.Path(__file__).parent / "fixtures" / "embeddings.json"
path.write_text(json.dumps(fixture, separators=(",", ":")) + "\n")

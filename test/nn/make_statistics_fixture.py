"""Writes fixtures/statistics.json: torch.optim.swa_utils.update_bn in float64 and float32.

    python test/nn/make_statistics_fixture.py    # torch 2.13

Two networks in the state that their weights and running values are drawn in: linear(6, 8), a batch norm, tanh, linear(8, 5), a batch norm,
linear(5, 2); and one whose batch norm stands in two places. 60 rows in batches of 20. Kept are the running values of the float64 run and what it
predicts then, and how far the float32 run is from that. Data and weights are multiples of 1/64, so that float32 holds them.
"""

import json
import pathlib

import numpy as np
import torch

ROWS, BATCH = 60, 20
random = np.random.default_rng(23)


def draw(*shape):
    return random.integers(-96, 97, shape) / 64


X = draw(ROWS, 6) + 1


def linear(name, inputs, outputs):
    return name, torch.nn.Linear(inputs, outputs)


def networks():
    norm = torch.nn.BatchNorm1d(8)
    yield (
        "two",
        [
            linear("linear1", 6, 8),
            ("batchNorm1", torch.nn.BatchNorm1d(8)),
            (None, torch.nn.Tanh()),
            linear("linear2", 8, 5),
            ("batchNorm2", torch.nn.BatchNorm1d(5)),
            linear("linear3", 5, 2),
        ],
    )
    yield (
        "shared",
        [
            linear("linear1", 6, 8),
            ("batchNorm1", norm),
            (None, torch.nn.Tanh()),
            linear("linear2", 8, 8),
            (None, norm),
            linear("linear3", 8, 2),
        ],
    )


NAMES = {"weight": "weight", "bias": "bias"}
NORMS = {"scale": "weight", "shift": "bias", "mean": "running_mean", "variance": "running_var"}


def tensors(layers):
    for name, layer in layers:
        for ours, theirs in (NORMS if name and name.startswith("batch") else NAMES).items():
            if name:
                yield f"{name}.{ours}", getattr(layer, theirs)


def measured(layers, first, dtype):
    model = torch.nn.Sequential(*[layer for _, layer in layers]).to(dtype)
    for name, tensor in tensors(layers):
        tensor.data.copy_(torch.tensor(first[name]))
    x = torch.tensor(X, dtype=dtype)
    torch.optim.swa_utils.update_bn(x.split(BATCH), model)
    model.eval()
    result = {name: t.detach().double().flatten().numpy() for name, t in tensors(layers) if t.dim() == 1}
    kept = {name: values for name, values in result.items() if name.endswith((".mean", ".variance"))}
    return kept | {"predicted": model(x).detach().double().flatten().numpy()}


def main():
    fixture = {"batch": BATCH, "x": X.tolist()}
    for kind, layers in networks():
        first = {
            name: np.abs(draw(*t.shape)) + 1 if name.endswith((".variance", ".scale")) else draw(*t.shape)
            for name, t in tensors(layers)
        }
        exact = measured(layers, first, torch.float64)
        single = measured(layers, first, torch.float32)
        fixture[kind] = {
            "first": {name: values.flatten().tolist() for name, values in first.items()},
            "exact": {name: values.tolist() for name, values in exact.items()},
            "distance": {name: float(np.abs(single[name] - values).max()) for name, values in exact.items()},
        }
    path = pathlib.Path(__file__).parent / "fixtures" / "statistics.json"
    path.write_text(json.dumps(fixture) + "\n")


main()

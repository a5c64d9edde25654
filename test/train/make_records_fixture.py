"""Writes test/train/fixtures/records.json: SGD over a network with two inputs and two outputs, in float64, with and without weights by output.

    python test/train/make_records_fixture.py    # torch 2.13

A table of users and a number, one hidden layer, a rating (squared error) and a click (cross-entropy of logits). The total is
3·mean of the rating + 0.5·mean of the click, each Σ wℓ/Σ w over the batch.
"""

import json
from pathlib import Path

import torch

torch.set_default_dtype(torch.float64)
ROWS, USERS, STEPS, BATCH, RATE = 24, 5, 12, 8, 0.05


def numbers(shape, salt):
    count = torch.Size(shape).numel()
    return ((torch.arange(count) * salt % 101) / 64 - 0.75).to(torch.float32).to(torch.float64).reshape(shape)


data = {
    "user": (torch.arange(ROWS) * 7 % USERS).tolist(),
    "age": numbers([ROWS, 2], 37).tolist(),
    "rating": numbers([ROWS, 1], 53).tolist(),
    "click": [float(row * 5 % 3 == 0) for row in range(ROWS)],
    "weights": {
        "rating": [float(row % 4) for row in range(ROWS)],
        "click": [0.0 if row % 5 == 0 else 1.0 + row % 2 for row in range(ROWS)],
    },
}
initial = {
    "users.table": numbers([USERS, 3], 17),
    "hidden.weight": numbers([6, 5], 29),
    "hidden.bias": numbers([6], 13),
    "rate.weight": numbers([1, 6], 41),
    "rate.bias": numbers([1], 7),
    "press.weight": numbers([1, 6], 43),
    "press.bias": numbers([1], 11),
}


def trained(weighted):
    p = {name: value.clone().requires_grad_(True) for name, value in initial.items()}
    losses = []
    for step in range(STEPS):
        begin = step * BATCH % ROWS
        part = slice(begin, begin + BATCH)
        user, age = torch.tensor(data["user"])[part], torch.tensor(data["age"])[part]
        hidden = torch.tanh(torch.cat([p["users.table"][user], age], 1) @ p["hidden.weight"].T + p["hidden.bias"])
        rating = hidden @ p["rate.weight"].T + p["rate.bias"]
        click = hidden @ p["press.weight"].T + p["press.bias"]
        squares = ((rating - torch.tensor(data["rating"])[part]) ** 2).mean(1)
        logits = torch.nn.functional.binary_cross_entropy_with_logits(
            click[:, 0], torch.tensor(data["click"])[part], reduction="none"
        )
        means = []
        for name, each in (("rating", squares), ("click", logits)):
            w = torch.tensor(data["weights"][name])[part] if weighted else torch.ones(BATCH)
            means.append((w * each).sum() / w.sum())
        total = 3 * means[0] + 0.5 * means[1]
        losses.append(total.item())
        grads = torch.autograd.grad(total, list(p.values()))
        with torch.no_grad():
            for value, grad in zip(p.values(), grads):
                value -= RATE * grad
    return {"losses": losses, "parameters": {name: value.detach().flatten().tolist() for name, value in p.items()}}


fixture = {
    "data": data,
    "initial": {name: value.flatten().tolist() for name, value in initial.items()},
    "plain": trained(False),
    "weighted": trained(True),
}
path = Path(__file__).parent / "fixtures" / "records.json"
path.write_text(json.dumps(fixture) + "\n")

"""Writes fixtures/carry.json: truncated back-propagation by PyTorch in float64 and float32.

    python test/train/make_carry_fixture.py    # torch 2.13

Two series of 63 and 41 steps of 2 numbers are cut into windows of 4 steps, each of which tells the next step of the second number, or with `sequences` the next step of each of its own. The 25 windows
lie in 7 lanes of neighbours, the first four of 4 windows, the others of 3: the last batch of an epoch has 4 rows. The state of a lane goes from batch to batch, detached, and is 0 at the beginning of a lane
and of a series. Recurrent layers, then linear(4, 1); mean squared error; SGD, rate 0.1; 6 epochs of 4 steps. Of the float64 run the weights after two steps and after all are kept; of the float32 run how far it is
from the last. Data and first weights are multiples of 1/64, so that float32 holds them.
"""

import json
import pathlib

import numpy as np
import torch

SERIES, LENGTH, IN, HIDDEN, LANES, EPOCHS, RATE = (63, 41), 4, 2, 4, 7, 6, 0.1
random = np.random.default_rng(31)
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
CASES = [
    {"kind": "lstm", "layers": 1, "sequences": False},
    {"kind": "lstm", "layers": 2, "sequences": True},
    {"kind": "gru", "layers": 2, "sequences": False},
    {"kind": "gru", "layers": 1, "sequences": True},
    {"kind": "rnn", "layers": 2, "sequences": True},
]


def draw(*shape):
    return random.integers(-80, 81, shape) / 64


DATA = [draw(steps, IN) for steps in SERIES]


def windows(sequences):
    x, y, begins = [], [], []
    for series in DATA:
        for begin in range(0, len(series) - LENGTH, LENGTH):
            x.append(series[begin : begin + LENGTH])
            told = series[begin + 1 : begin + LENGTH + 1, 1:]
            y.append(told if sequences else told[-1])
            begins.append(begin == 0)
    return np.array(x), np.array(y), begins


def lanes_of(count):
    least, longer = divmod(count, LANES)
    lanes, row = [], 0
    for lane in range(LANES):
        length = least + (lane < longer)
        lanes.append(list(range(row, row + length)))
        row += length
    return lanes


def first_weights(kind, layers):
    stacked = GATES[kind] * HIDDEN
    weights = {}
    for layer in range(layers):
        ordinal = "" if layer == 0 else str(layer + 1)
        weights[f"cell.weight{ordinal}"] = draw(stacked, IN if layer == 0 else HIDDEN) / 2
        weights[f"cell.recurrent{ordinal}"] = draw(stacked, HIDDEN) / 2
        weights[f"cell.bias{ordinal}"] = draw(stacked) / 4
        weights[f"cell.recurrentBias{ordinal}"] = draw(stacked) / 4
    return weights | {"linear1.weight": draw(1, HIDDEN) / 2, "linear1.bias": draw(1) / 4}


def run(case, first, dtype, steps):
    kind, layers, sequences = case["kind"], case["layers"], case["sequences"]
    make = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[kind]
    cell = make(IN, HIDDEN, layers, batch_first=True, dtype=dtype)
    head = torch.nn.Linear(HIDDEN, 1, dtype=dtype)
    kept = {}
    for layer in range(layers):
        ordinal = "" if layer == 0 else str(layer + 1)
        kept[f"cell.weight{ordinal}"] = getattr(cell, f"weight_ih_l{layer}")
        kept[f"cell.recurrent{ordinal}"] = getattr(cell, f"weight_hh_l{layer}")
        kept[f"cell.bias{ordinal}"] = getattr(cell, f"bias_ih_l{layer}")
        kept[f"cell.recurrentBias{ordinal}"] = getattr(cell, f"bias_hh_l{layer}")
    kept |= {"linear1.weight": head.weight, "linear1.bias": head.bias}
    with torch.no_grad():
        for name, value in kept.items():
            value.copy_(torch.tensor(first[name]))
    x, y, begins = windows(sequences)
    x, y = torch.tensor(x, dtype=dtype), torch.tensor(y, dtype=dtype)
    lanes = lanes_of(len(x))
    optimizer = torch.optim.SGD([*cell.parameters(), *head.parameters()], RATE)
    states = 2 if kind == "lstm" else 1
    done = 0
    for _ in range(EPOCHS):
        state = [torch.zeros(layers, LANES, HIDDEN, dtype=dtype) for _ in range(states)]
        for step in range(len(lanes[0])):
            if done == steps:
                break
            rows = [lane[step] for lane in lanes if step < len(lane)]
            goes_on = torch.tensor([step > 0 and not begins[row] for row in rows])[None, :, None]
            given = [torch.where(goes_on, one[:, : len(rows)], 0) for one in state]
            outputs, after = cell(x[rows], tuple(given) if kind == "lstm" else given[0])
            after = list(after) if kind == "lstm" else [after]
            answer = head(outputs if sequences else after[0][-1])
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(answer, y[rows]).backward()
            optimizer.step()
            for old, new in zip(state, after):
                old[:, : len(rows)] = new.detach()
            done += 1
    return {name: value.detach().double().flatten().numpy() for name, value in kept.items()}


def rounded(values):
    return {name: [float(f"{value:.11g}") for value in list_] for name, list_ in values.items()}


def case(own):
    first = first_weights(own["kind"], own["layers"])
    steps = EPOCHS * len(lanes_of(len(windows(False)[0]))[0])
    last = run(own, first, torch.float64, steps)
    single = run(own, first, torch.float32, steps)
    off = np.sqrt(sum(((single[name] - last[name]) ** 2).sum() for name in last))
    return own | {
        "begin": {name: value.flatten().tolist() for name, value in first.items()},
        "second": rounded(run(own, first, torch.float64, 2)),
        "last": rounded(last),
        "distance": float(off),
    }


fixture = {
    "length": LENGTH,
    "lanes": LANES,
    "epochs": EPOCHS,
    "rate": RATE,
    "series": [series.tolist() for series in DATA],
    "cases": [case(own) for own in CASES],
}
path = pathlib.Path(__file__).parent / "fixtures" / "carry.json"
path.write_text(json.dumps(fixture) + "\n")

"""Writes fixtures/recurrent.json: 100 steps of small recurrent networks, by PyTorch and Keras in float64 and float32.

    KERAS_BACKEND=torch python test/nn/make_recurrent_fixture.py    # torch 2.13, keras 3.15

The recurrent layers over [batch, 6, 3], then linear(width, 2) on the last state or on every state; mean squared error; SGD, rate 0.1; 12 rows in batches
of 8 and 4, always in the same order. Of the float64 run the answers at first, the weights after one step and after all are kept; of the float32
run how far it is from the last. Data and first weights are multiples of 1/64, so that float32 holds them. `lengths` are those of packed sequences in
PyTorch and of masks in Keras.
"""

import json
import os
import pathlib

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import torch

ROWS, TIME, IN, HIDDEN, OUT, BATCH, STEPS, RATE = 12, 6, 3, 4, 2, 8, 100, 0.1
random = np.random.default_rng(18)


def draw(*shape):
    return random.integers(-80, 81, shape) / 64


X = draw(ROWS, TIME, IN)
LAST, ALL = draw(ROWS, OUT), draw(ROWS, TIME, OUT)
LENGTHS = random.integers(1, TIME + 1, ROWS)
LENGTHS[:2] = TIME, 1
GATES = {"lstm": 4, "gru": 3, "rnn": 1}


def names_of(layers, bidirectional):
    for layer in range(layers):
        for back in (False, True) if bidirectional else (False,):
            ordinal = "" if layer == 0 else str(layer + 1)
            given = IN if layer == 0 else HIDDEN * (2 if bidirectional else 1)
            yield layer, back, given, lambda name, o=ordinal, b=back: ("reverse" + name[0].upper() + name[1:] if b else name) + o


def first_weights(kind, second, layers, bidirectional, bias):
    stacked = GATES[kind] * HIDDEN
    weights = {}
    for _, _, given, key in names_of(layers, bidirectional):
        weights[key("weight")] = draw(stacked, given) / 2
        weights[key("recurrent")] = draw(stacked, HIDDEN) / 2
        if bias:
            weights[key("bias")] = draw(stacked) / 4
        if second is not None:
            weights[key(second)] = draw(HIDDEN if second == "candidateBias" else stacked) / 4
    width = HIDDEN * (2 if bidirectional else 1)
    return {f"cell.{name}": value for name, value in weights.items()} | {
        "linear1.weight": draw(OUT, width) / 2,
        "linear1.bias": draw(OUT) / 4,
    }


def batches(steps):
    for step in range(steps):
        begin = step % 2 * BATCH
        yield slice(begin, min(begin + BATCH, ROWS))


def pytorch(case, first, dtype, steps):
    kind, layers, bidirectional, sequences = case["kind"], case["layers"], case["bidirectional"], case["sequences"]
    make = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[kind]
    own = {"nonlinearity": case["activation"]} if kind == "rnn" else {}
    cell = make(IN, HIDDEN, layers, batch_first=True, bidirectional=bidirectional, bias=case["bias"], dtype=dtype, **own)
    head = torch.nn.Linear(HIDDEN * (2 if bidirectional else 1), OUT, dtype=dtype)
    kept = {}
    for layer, back, _, key in names_of(layers, bidirectional):
        end = f"_l{layer}{'_reverse' if back else ''}"
        kept[f"cell.{key('weight')}"] = getattr(cell, "weight_ih" + end)
        kept[f"cell.{key('recurrent')}"] = getattr(cell, "weight_hh" + end)
        if case["bias"]:
            kept[f"cell.{key('bias')}"] = getattr(cell, "bias_ih" + end)
            kept[f"cell.{key('recurrentBias')}"] = getattr(cell, "bias_hh" + end)
    kept |= {"linear1.weight": head.weight, "linear1.bias": head.bias}
    with torch.no_grad():
        for name, value in kept.items():
            value.copy_(torch.tensor(first[name]))
    x, y = torch.tensor(X, dtype=dtype), torch.tensor(ALL if sequences else LAST, dtype=dtype)

    def answer(rows):
        given = x[rows]
        if case["lengths"]:
            given = torch.nn.utils.rnn.pack_padded_sequence(
                given, torch.tensor(LENGTHS[rows]), batch_first=True, enforce_sorted=False
            )
        outputs, state = cell(given)
        if sequences:
            if case["lengths"]:
                outputs, _ = torch.nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True, total_length=TIME)
            return head(outputs)
        h = state[0] if kind == "lstm" else state
        return head(torch.cat(list(h[-(2 if bidirectional else 1) :]), 1))

    before = answer(slice(0, ROWS)).detach().double().flatten().numpy()
    optimizer = torch.optim.SGD([*cell.parameters(), *head.parameters()], RATE)
    for rows in batches(steps):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(answer(rows), y[rows]).backward()
        optimizer.step()
    result = {name: value.detach().double().flatten().numpy() for name, value in kept.items()}
    return before, result | {"predicted": answer(slice(0, ROWS)).detach().double().flatten().numpy()}


def with_keras(case, first, dtype, steps):
    kind, layers, bidirectional, sequences = case["kind"], case["layers"], case["bidirectional"], case["sequences"]
    name_of_type = "float64" if dtype == torch.float64 else "float32"
    make = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "rnn": keras.layers.SimpleRNN}[kind]
    own = {"reset_after": case["resetAfter"]} if kind == "gru" else {"activation": case["activation"]} if kind == "rnn" else {}
    made = []
    for layer in range(layers):
        one = make(HIDDEN, return_sequences=sequences or layer + 1 < layers, dtype=name_of_type, use_bias=case["bias"], **own)
        made.append(keras.layers.Bidirectional(one, dtype=name_of_type) if bidirectional else one)
    head = keras.layers.Dense(OUT, dtype=name_of_type)
    x, y = X.astype(name_of_type), (ALL if sequences else LAST).astype(name_of_type)
    mask = np.arange(TIME)[None, :] < LENGTHS[:, None]

    def answer(rows):
        given = torch.tensor(x[rows])
        for layer in made:
            given = layer(given, mask=torch.tensor(mask[rows])) if case["lengths"] else layer(given)
        return head(given)

    answer(slice(0, 2))
    kept = {}
    for layer, back, _, key in names_of(layers, bidirectional):
        one = made[layer]
        if bidirectional:
            one = one.backward_layer if back else one.forward_layer
        variables = one.cell.trainable_variables
        kept[f"cell.{key('weight')}"] = (variables[0], "T")
        kept[f"cell.{key('recurrent')}"] = (variables[1], "T")
        if case["bias"]:
            if case["second"] == "recurrentBias":
                kept[f"cell.{key('bias')}"] = (variables[2], 0)
                kept[f"cell.{key('recurrentBias')}"] = (variables[2], 1)
            else:
                kept[f"cell.{key('bias')}"] = (variables[2], None)
    kept |= {"linear1.weight": (head.kernel, "T"), "linear1.bias": (head.bias, None)}

    def part(variable, how):
        value = variable.value
        return value.T if how == "T" else value if how is None else value[how]

    with torch.no_grad():
        for name, (variable, how) in kept.items():
            part(variable, how).copy_(torch.tensor(first[name]))
    variables = [variable for layer in [*made, head] for variable in layer.trainable_variables]
    before = answer(slice(0, ROWS)).detach().double().flatten().numpy()
    for rows in batches(steps):
        for variable in variables:
            variable.value.grad = None
        difference = answer(rows) - torch.tensor(y[rows])
        (difference**2).mean().backward()
        with torch.no_grad():
            for variable in variables:
                variable.value.sub_(variable.value.grad * RATE)
    result = {name: part(variable, how).detach().double().flatten().numpy() for name, (variable, how) in kept.items()}
    return before, result | {"predicted": answer(slice(0, ROWS)).detach().double().flatten().numpy()}


def distance(a, b):
    return float(np.sqrt(sum(((a[name] - b[name]) ** 2).sum() for name in a)))


def rounded(values):
    return {name: [float(f"{value:.11g}") for value in list_] for name, list_ in values.items()}


def case(framework, kind, **given):
    own = {"layers": 1, "bidirectional": False, "sequences": False, "bias": True, "lengths": False}
    own |= {"activation": "tanh", "resetAfter": True} | given
    second = None
    if own["bias"] and (framework == "pytorch" or (kind == "gru" and own["resetAfter"])):
        second = "recurrentBias"
    own |= {"kind": kind, "second": second}
    first = first_weights(kind, second, own["layers"], own["bidirectional"], own["bias"])
    run = pytorch if framework == "pytorch" else with_keras
    before, one = run(own, first, torch.float64, 1)
    _, last = run(own, first, torch.float64, STEPS)
    off = distance(run(own, first, torch.float32, STEPS)[1], last)
    options = {"layers": own["layers"], "bidirectional": own["bidirectional"], "sequences": own["sequences"], "bias": own["bias"]}
    options |= {"preset": framework}
    if kind == "rnn":
        options["activation"] = own["activation"]
    if kind == "gru":
        options["resetAfter"] = own["resetAfter"]
    return {
        "framework": framework,
        "kind": kind,
        "options": options,
        "lengths": own["lengths"],
        "begin": {name: value.flatten().tolist() for name, value in first.items()},
        "before": rounded({"predicted": before})["predicted"],
        "first": rounded(one),
        "last": rounded(last),
        "distance": off,
    }


DEEP = {"layers": 2, "bidirectional": True, "sequences": True}
CASES = [
    case("pytorch", "lstm"),
    case("pytorch", "lstm", **DEEP),
    case("pytorch", "lstm", bias=False, layers=2),
    case("pytorch", "lstm", lengths=True, layers=2, bidirectional=True),
    case("pytorch", "gru"),
    case("pytorch", "gru", **DEEP),
    case("pytorch", "gru", bias=False),
    case("pytorch", "gru", lengths=True, bidirectional=True),
    case("pytorch", "rnn", bidirectional=True),
    case("pytorch", "rnn", activation="relu", layers=2),
    case("pytorch", "rnn", lengths=True),
    case("keras", "lstm"),
    case("keras", "lstm", lengths=True, layers=2),
    case("keras", "lstm", **DEEP),
    case("keras", "gru"),
    case("keras", "gru", **DEEP),
    case("keras", "gru", resetAfter=False),
    case("keras", "gru", resetAfter=False, lengths=True, bidirectional=True, layers=2),
    case("keras", "gru", bias=False, layers=2),
    case("keras", "rnn", layers=2, sequences=True),
]

path = pathlib.Path(__file__).parent / "fixtures" / "recurrent.json"
fixture = {
    "torch": torch.__version__,
    "keras": keras.__version__,
    "steps": STEPS,
    "batch": BATCH,
    "rate": RATE,
    "x": X.tolist(),
    "y": {"last": LAST.tolist(), "all": ALL.tolist()},
    "lengths": LENGTHS.tolist(),
    "cases": CASES,
}
path.write_text(json.dumps(fixture) + "\n")

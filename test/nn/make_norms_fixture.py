"""Writes fixtures/norms.json: 200 steps of small networks with a normalization, by PyTorch and Keras in float64 and float32.

    KERAS_BACKEND=torch python test/nn/make_norms_fixture.py    # torch 2.13, keras 3.15

linear(6, 8), the normalization, tanh, linear(8, 3); mean squared error; SGD, rate 0.05; 40 rows in batches of 16, 16 and 8, always in
the same order. Of the float64 run the last weights and running values are kept, after one step and after all; of the float32 run how far
it is from that. Data and first weights are multiples of 1/64, so that float32 holds them.
"""

import json
import os
import pathlib

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import torch

ROWS, IN, HIDDEN, OUT, BATCH, STEPS, RATE = 40, 6, 8, 3, 16, 200, 0.05
random = np.random.default_rng(16)


def draw(*shape):
    return random.integers(-96, 97, shape) / 64


X, Y = draw(ROWS, IN) + 1, draw(ROWS, OUT)
FIRST = {
    "linear1.weight": draw(HIDDEN, IN),
    "linear1.bias": draw(HIDDEN) / 4,
    "linear2.weight": draw(OUT, HIDDEN) / 2,
    "linear2.bias": draw(OUT) / 4,
}


def batches():
    for step in range(STEPS):
        begin = step % 3 * BATCH
        yield slice(begin, min(begin + BATCH, ROWS))


def pytorch(make, names, dtype, steps):
    norm = make().to(dtype)
    first, last = torch.nn.Linear(IN, HIDDEN, dtype=dtype), torch.nn.Linear(HIDDEN, OUT, dtype=dtype)
    with torch.no_grad():
        for layer, name in ((first, "linear1"), (last, "linear2")):
            layer.weight.copy_(torch.tensor(FIRST[f"{name}.weight"]))
            layer.bias.copy_(torch.tensor(FIRST[f"{name}.bias"]))
    model = torch.nn.Sequential(first, norm, torch.nn.Tanh(), last)
    optimizer = torch.optim.SGD(model.parameters(), RATE)
    x, y = torch.tensor(X, dtype=dtype), torch.tensor(Y, dtype=dtype)
    for step, rows in zip(range(steps), batches()):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(x[rows]), y[rows]).backward()
        optimizer.step()
    values = {"linear1.weight": first.weight, "linear1.bias": first.bias}
    values |= {"linear2.weight": last.weight, "linear2.bias": last.bias}
    values |= {ours: getattr(norm, theirs) for ours, theirs in names.items()}
    model.eval()
    result = {name: value.detach().double().flatten().numpy() for name, value in values.items()}
    return result | {"predicted": model(x).detach().double().flatten().numpy()}


def with_keras(make, names, dtype, steps):
    norm = make(str(dtype))
    first = keras.layers.Dense(HIDDEN, dtype=str(dtype))
    last = keras.layers.Dense(OUT, dtype=str(dtype))
    model = keras.Sequential(
        [keras.Input((IN,), dtype=str(dtype)), first, norm, keras.layers.Activation("tanh", dtype=str(dtype)), last]
    )
    for layer, name in ((first, "linear1"), (last, "linear2")):
        layer.set_weights([FIRST[f"{name}.weight"].T, FIRST[f"{name}.bias"]])
    optimizer = keras.optimizers.SGD(RATE)
    x, y = X.astype(dtype), Y.astype(dtype)
    for step, rows in zip(range(steps), batches()):
        model.zero_grad()
        difference = model(torch.tensor(x[rows]), training=True) - torch.tensor(y[rows])
        (difference**2).mean().backward()
        variables = model.trainable_weights
        with torch.no_grad():
            optimizer.apply([variable.value.grad for variable in variables], variables)
    values = {}
    for layer, name in ((first, "linear1"), (last, "linear2")):
        kernel, bias = layer.get_weights()
        values |= {f"{name}.weight": kernel.T, f"{name}.bias": bias}
    values |= {ours: keras.ops.convert_to_numpy(getattr(norm, theirs)) for ours, theirs in names.items()}
    result = {name: np.asarray(value, np.float64).flatten() for name, value in values.items()}
    predicted = keras.ops.convert_to_numpy(model(torch.tensor(x), training=False))
    return result | {"predicted": np.asarray(predicted, np.float64).flatten()}


def distance(a, b):
    return float(np.sqrt(sum(((a[name] - b[name]) ** 2).sum() for name in a)))


def case(run, make, names, types):
    double, single = types
    after = {steps: run(make, names, double, steps) for steps in (1, STEPS)}
    lists = {steps: {name: list(map(float, value)) for name, value in values.items()} for steps, values in after.items()}
    off = distance(run(make, names, single, STEPS), after[STEPS])
    return {"first": lists[1], "last": lists[STEPS], "distance": off}


TORCH = (torch.float64, torch.float32)
NUMPY = (np.dtype("float64"), np.dtype("float32"))
AFFINE = {"norm.scale": "weight", "norm.shift": "bias"}
STATE = {"norm.mean": "running_mean", "norm.variance": "running_var"}
BETA = {"norm.scale": "gamma", "norm.shift": "beta"}
MOVING = {"norm.mean": "moving_mean", "norm.variance": "moving_variance"}

CASES = {
    "pytorch": {
        "layerNorm": case(pytorch, lambda: torch.nn.LayerNorm(HIDDEN), AFFINE, TORCH),
        "rmsNorm": case(pytorch, lambda: torch.nn.RMSNorm(HIDDEN, eps=1e-5), {"norm.scale": "weight"}, TORCH),
        "groupNorm": case(pytorch, lambda: torch.nn.GroupNorm(2, HIDDEN), AFFINE, TORCH),
        "batchNorm": case(pytorch, lambda: torch.nn.BatchNorm1d(HIDDEN), AFFINE | STATE, TORCH),
    },
    "keras": {
        "layerNorm": case(with_keras, lambda t: keras.layers.LayerNormalization(dtype=t), BETA, NUMPY),
        "rmsNorm": case(with_keras, lambda t: keras.layers.RMSNormalization(dtype=t), {"norm.scale": "scale"}, NUMPY),
        "groupNorm": case(with_keras, lambda t: keras.layers.GroupNormalization(2, dtype=t), BETA, NUMPY),
        "batchNorm": case(with_keras, lambda t: keras.layers.BatchNormalization(dtype=t), BETA | MOVING, NUMPY),
    },
}

path = pathlib.Path(__file__).parent / "fixtures" / "norms.json"
fixture = {
    "torch": torch.__version__,
    "keras": keras.__version__,
    "steps": STEPS,
    "batch": BATCH,
    "rate": RATE,
    "x": X.tolist(),
    "y": Y.tolist(),
    "first": {name: value.flatten().tolist() for name, value in FIRST.items()},
    "cases": CASES,
}
path.write_text(json.dumps(fixture) + "\n")

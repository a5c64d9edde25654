"""Writes fixtures/convolution.json: small networks with convolutions and pools, by PyTorch and Keras in float64 and float32.

    KERAS_BACKEND=torch python test/nn/make_convolution_fixture.py    # torch 2.13, keras 3.15

The layers of a case, tanh, flatten, linear to 3 outputs; mean squared error; SGD, rate 0.02; 12 rows in batches of 4, always in the same
order; 100 steps. Kept of the float64 run: what the layers of the case give for the first row, the gradient of the loss of the first batch to that row, and weights and answers
after one step and after all; of the float32 run how far it is from that. Data and first weights are whole numbers of 1/64. Layouts here are ours: channels last, weights [out, …, in], of
transposed ones [in, …, out].
"""

import json
import os
import pathlib

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import torch

torch.set_num_threads(1)

ROWS, OUT, BATCH, STEPS, RATE = 12, 3, 4, 100, 0.02
random = np.random.default_rng(18)


def draw(*shape):
    return random.integers(-64, 65, shape)


X2, X1 = draw(ROWS, 6, 7, 4), draw(ROWS, 11, 4)
Y = draw(ROWS, OUT)


def batches():
    for step in range(STEPS):
        begin = step % (ROWS // BATCH) * BATCH
        yield slice(begin, begin + BATCH)


def to_torch(x):
    return x.movedim(-1, 1)


def to_ours(x):
    return x.movedim(1, -1)


class Torch:
    """The layers of a case by PyTorch: modules with or without a weight."""

    def __init__(self, modules, dtype):
        self.modules = [module.to(dtype) for module in modules]
        self.dtype = dtype

    def parameters(self):
        return [p for module in self.modules for p in module.parameters()]

    def weights(self):
        named = {}
        for number, module in enumerate([m for m in self.modules if list(m.parameters())], 1):
            named[f"layer{number}.weight"] = to_ours(module.weight)
            if module.bias is not None:
                named[f"layer{number}.bias"] = module.bias
        return named

    def apply(self, x):
        x = to_torch(x)
        for module in self.modules:
            x = module(x)
        return to_ours(x)

    def set(self, number, weight, bias):
        module = [m for m in self.modules if list(m.parameters())][number - 1]
        with torch.no_grad():
            module.weight.copy_(to_torch(torch.tensor(weight)))
            if module.bias is not None:
                module.bias.copy_(torch.tensor(bias))


class Keras:
    """The same by Keras."""

    def __init__(self, make, dtype, shape):
        self.layers = make(str(dtype).removeprefix("torch."))
        self.dtype = dtype
        x = torch.zeros((1, *shape), dtype=dtype)
        for layer in self.layers:
            x = layer(x)

    def weighted(self):
        return [layer for layer in self.layers if layer.weights]

    def parameters(self):
        return [w.value for layer in self.weighted() for w in layer.trainable_weights]

    def ours(self, layer, kernel):
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            return kernel.permute(2, 0, 1, 3)
        if isinstance(layer, (keras.layers.Conv2DTranspose, keras.layers.Conv1DTranspose)):
            return kernel.movedim(-1, 0)
        return kernel.movedim(-1, 0)

    def theirs(self, layer, kernel):
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            return kernel.permute(1, 2, 0, 3)
        return kernel.movedim(0, -1)

    def weights(self):
        named = {}
        for number, layer in enumerate(self.weighted(), 1):
            kernel, bias = [w.value for w in layer.weights]
            named[f"layer{number}.weight"] = self.ours(layer, kernel)
            named[f"layer{number}.bias"] = bias
        return named

    def apply(self, x):
        for layer in self.layers:
            x = layer(x)
        return x

    def set(self, number, weight, bias):
        layer = self.weighted()[number - 1]
        kernel, shift = [w.value for w in layer.weights]
        with torch.no_grad():
            kernel.copy_(self.theirs(layer, torch.tensor(weight)))
            shift.copy_(torch.tensor(bias))


def run(make, x, first, dtype, steps):
    layers = make(dtype, x.shape[1:])
    x, y = torch.tensor(x / 64, dtype=dtype), torch.tensor(Y / 64, dtype=dtype)
    for number in range(1, 1 + sum(name.startswith("layer") and name.endswith("weight") for name in first)):
        layers.set(number, first[f"layer{number}.weight"] / 64, first[f"layer{number}.bias"] / 64)
    size = layers.apply(x).flatten(1).shape[1]
    last = torch.nn.Linear(size, OUT, dtype=dtype)
    with torch.no_grad():
        last.weight.copy_(torch.tensor(first["linear1.weight"] / 256))
        last.bias.copy_(torch.tensor(first["linear1.bias"] / 64))
    parameters = [*layers.parameters(), *last.parameters()]

    def answer(given):
        return last(torch.tanh(layers.apply(given)).flatten(1))

    probe = x[:BATCH].clone().requires_grad_()
    torch.nn.functional.mse_loss(answer(probe), y[:BATCH]).backward()
    with torch.no_grad():
        output = layers.apply(x[:1])
    for _, rows in zip(range(steps), batches()):
        for p in parameters:
            p.grad = None
        torch.nn.functional.mse_loss(answer(x[rows]), y[rows]).backward()
        with torch.no_grad():
            for p in parameters:
                p -= RATE * p.grad
    with torch.no_grad():
        values = layers.weights() | {"linear1.bias": last.bias, "predicted": answer(x)}
    kept = {name: value.detach().double().contiguous().flatten().numpy() for name, value in values.items()}
    return kept, output.double().flatten().numpy(), probe.grad[0].double().flatten().numpy()


def distance(a, b):
    return float(np.sqrt(sum(((a[name] - b[name]) ** 2).sum() for name in a)))


def short(values):
    return [float(f"{value:.9g}") for value in values]


def case(framework, layers, make, x):
    probe = make(torch.float64, x.shape[1:])
    first = {}
    for name, value in probe.weights().items():
        first[name] = draw(*value.shape)
    size = probe.apply(torch.tensor(x[:1] / 64)).flatten(1).shape[1]
    first |= {"linear1.weight": draw(OUT, size), "linear1.bias": draw(OUT)}
    (one, output, gradient), (last, _, _) = (run(make, x, first, torch.float64, steps) for steps in (1, STEPS))
    off = distance(run(make, x, first, torch.float32, STEPS)[0], last)
    one.pop("predicted")
    return {
        "framework": framework,
        "layers": layers,
        "first": {name: value.flatten().tolist() for name, value in first.items()},
        "output": short(output),
        "gradient": short(gradient),
        "one": {name: short(value) for name, value in one.items()},
        "last": {name: short(value) for name, value in last.items()},
        "distance": off,
    }


def pytorch(layers, make, x=X2):
    return case("pytorch", layers, lambda dtype, _: Torch(make(), dtype), x)


def with_keras(layers, make, x=X2):
    return case("keras", layers, lambda dtype, shape: Keras(make, dtype, shape), x)


def conv(inputs, outputs, **options):
    return {"kind": "conv2d", "inputs": inputs, "outputs": outputs, **options}


def conv1(inputs, outputs, **options):
    return {"kind": "conv1d", "inputs": inputs, "outputs": outputs, **options}


nn, kl = torch.nn, keras.layers
CASES = [
    pytorch([conv(4, 5, kernel=3)], lambda: [nn.Conv2d(4, 5, 3)]),
    pytorch([conv(4, 5, kernel=[3, 2], padding="same")], lambda: [nn.Conv2d(4, 5, (3, 2), padding="same")]),
    pytorch([conv(4, 5, kernel=3, stride=[2, 3], padding=[1, 2])], lambda: [nn.Conv2d(4, 5, 3, (2, 3), (1, 2))]),
    pytorch([conv(4, 5, kernel=3, dilation=2, padding=2)], lambda: [nn.Conv2d(4, 5, 3, 1, 2, 2)]),
    pytorch([conv(4, 6, kernel=3, groups=2, padding=1)], lambda: [nn.Conv2d(4, 6, 3, 1, 1, 1, 2)]),
    pytorch([conv(4, 8, kernel=3, groups=4, padding=1, stride=2)], lambda: [nn.Conv2d(4, 8, 3, 2, 1, 1, 4)]),
    pytorch([conv1(4, 5, kernel=3, stride=2, padding=1)], lambda: [nn.Conv1d(4, 5, 3, 2, 1)], X1),
    pytorch([conv(4, 5, kernel=3), {"kind": "maxPool2d", "size": 2}], lambda: [nn.Conv2d(4, 5, 3), nn.MaxPool2d(2)]),
    pytorch(
        [conv(4, 5, kernel=1), {"kind": "maxPool2d", "size": 3, "stride": 2, "padding": 1}],
        lambda: [nn.Conv2d(4, 5, 1), nn.MaxPool2d(3, 2, 1)],
    ),
    pytorch(
        [conv(4, 5, kernel=1), {"kind": "averagePool2d", "size": 3, "stride": 2, "padding": 1, "countPadding": True}],
        lambda: [nn.Conv2d(4, 5, 1), nn.AvgPool2d(3, 2, 1)],
    ),
    pytorch(
        [conv(4, 5, kernel=1), {"kind": "averagePool2d", "size": [3, 2], "stride": 2, "padding": 1}],
        lambda: [nn.Conv2d(4, 5, 1), nn.AvgPool2d((3, 2), 2, 1, count_include_pad=False)],
    ),
    pytorch([{"kind": "maxPool1d", "size": 3, "stride": 2}, conv1(4, 5, kernel=2)], lambda: [nn.MaxPool1d(3, 2), nn.Conv1d(4, 5, 2)], X1),
    pytorch(
        [{"kind": "convTransposed2d", "inputs": 4, "outputs": 5, "kernel": 3, "stride": 2, "padding": 1}],
        lambda: [nn.ConvTranspose2d(4, 5, 3, 2, 1)],
    ),
    pytorch(
        [{"kind": "convTransposed2d", "inputs": 4, "outputs": 6, "kernel": [2, 3], "stride": [1, 2], "groups": 2, "dilation": 2}],
        lambda: [nn.ConvTranspose2d(4, 6, (2, 3), (1, 2), groups=2, dilation=2)],
    ),
    with_keras([conv(4, 5, kernel=3)], lambda t: [kl.Conv2D(5, 3, dtype=t)]),
    with_keras([conv(4, 5, kernel=3, stride=2, padding="same")], lambda t: [kl.Conv2D(5, 3, 2, "same", dtype=t)]),
    with_keras([conv(4, 5, kernel=[2, 4], stride=[3, 2], padding="same")], lambda t: [kl.Conv2D(5, (2, 4), (3, 2), "same", dtype=t)]),
    with_keras([conv(4, 5, kernel=3, dilation=2, padding="same")], lambda t: [kl.Conv2D(5, 3, 1, "same", dilation_rate=2, dtype=t)]),
    with_keras([conv(4, 4, kernel=3, groups=4)], lambda t: [kl.DepthwiseConv2D(3, dtype=t)]),
    with_keras([conv1(4, 5, kernel=3, dilation=2, padding="causal")], lambda t: [kl.Conv1D(5, 3, padding="causal", dilation_rate=2, dtype=t)], X1),
    with_keras(
        [conv(4, 5, kernel=1), {"kind": "maxPool2d", "size": 2, "padding": "same"}],
        lambda t: [kl.Conv2D(5, 1, dtype=t), kl.MaxPooling2D(2, padding="same", dtype=t)],
    ),
    with_keras(
        [conv(4, 5, kernel=1), {"kind": "averagePool2d", "size": [2, 3], "stride": 2, "padding": "same"}],
        # Padding of two ends: where there is one odd place, Keras on PyTorch repeats the last one and counts it.
        lambda t: [kl.Conv2D(5, 1, dtype=t), kl.AveragePooling2D((2, 3), 2, "same", dtype=t)],
    ),
    with_keras([{"kind": "averagePool1d", "size": 2}, conv1(4, 5, kernel=2)], lambda t: [kl.AveragePooling1D(2, dtype=t), kl.Conv1D(5, 2, dtype=t)], X1),
    with_keras(
        [{"kind": "convTransposed2d", "inputs": 4, "outputs": 5, "kernel": 3, "stride": 2, "padding": "same"}],
        lambda t: [kl.Conv2DTranspose(5, 3, 2, "same", dtype=t)],
    ),
    with_keras(
        [{"kind": "convTransposed2d", "inputs": 4, "outputs": 5, "kernel": [2, 3], "stride": 2}],
        lambda t: [kl.Conv2DTranspose(5, (2, 3), 2, dtype=t)],
    ),
]

path = pathlib.Path(__file__).parent / "fixtures" / "convolution.json"
fixture = {
    "torch": torch.__version__,
    "keras": keras.__version__,
    **{"steps": STEPS, "batch": BATCH, "rate": RATE},
    "images": {"shape": list(X2.shape), "data": X2.flatten().tolist()},
    "series": {"shape": list(X1.shape), "data": X1.flatten().tolist()},
    "y": Y.flatten().tolist(),
    "cases": CASES,
}
path.write_text(json.dumps(fixture, separators=(",", ":")) + "\n")

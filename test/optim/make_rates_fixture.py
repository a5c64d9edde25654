"""Writes fixtures/rates.json: every optimizer of PyTorch and Keras under rates that change, with decay and clipping.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install torch==2.13.0 keras==3.15.1
    /tmp/venv/bin/python test/optim/make_rates_fixture.py

A weight [2, 3] and a bias [3] get gradients made in advance for 40 steps; step t has the rate FACTORS[t − 1] times the
optimizer's. `float64` is the framework in double precision, `float32` as it runs by default, whose distance from float64 is
the yardstick. Keras runs on PyTorch.
"""

import json
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import torch

STEPS = 40
KEPT = (2, 10, 11, 15, 16, 20, 21, 25, 40)
SHAPES = ((2, 3), (3,))
random = np.random.default_rng(20261020)
START = [(random.standard_normal(shape) * 0.5).astype(np.float32) for shape in SHAPES]
# A trend, so that velocities grow, and noise; one element is quiet for a while.
GRADIENTS = [
    [(0.5 + random.standard_normal(shape)).astype(np.float32) for shape in SHAPES] for _ in range(STEPS)
]
for step in range(8, 20):
    GRADIENTS[step][0][1, 2] = 0
# Constant, a fall as of a plateau, a rise, a rate of 0, a warm-up, a slow decay.
FACTORS = [1.0] * 10 + [0.1] * 5 + [2.0] * 5 + [0.0] + [(i + 1) / 5 for i in range(4)] + [0.9**i for i in range(15)]
assert len(FACTORS) == STEPS


def flat(values):
    return np.concatenate([np.asarray(value, dtype=np.float64).ravel() for value in values]).tolist()


def by_torch(kind, clip, options, dtype):
    real = {np.float32: torch.float32, np.float64: torch.float64}[dtype]
    theta = [torch.nn.Parameter(torch.tensor(value, dtype=real)) for value in START]
    optimizer = getattr(torch.optim, kind)(theta, **options)
    base = optimizer.param_groups[0]["lr"]
    kept = []
    for t in range(STEPS):
        for value, gradient in zip(theta, GRADIENTS[t]):
            value.grad = torch.tensor(gradient, dtype=real)
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(theta, clip)
        for group in optimizer.param_groups:
            group["lr"] = base * FACTORS[t]
        optimizer.step()
        if t + 1 in KEPT:
            kept.append(flat([value.detach().numpy() for value in theta]))
    return kept


def by_keras(kind, clip, options, dtype):
    name = {np.float32: "float32", np.float64: "float64"}[dtype]
    keras.backend.set_floatx(name)
    theta = [keras.Variable(value.astype(dtype), dtype=name) for value in START]
    more = {} if clip is None else {"global_clipnorm": clip}
    optimizer = getattr(keras.optimizers, kind)(**options, **more)
    base = options.get("learning_rate", 0.001 if kind != "SGD" else 0.01)
    kept = []
    for t in range(STEPS):
        optimizer.learning_rate = base * FACTORS[t]
        optimizer.apply([torch.tensor(gradient.astype(dtype)) for gradient in GRADIENTS[t]], theta)
        if t + 1 in KEPT:
            kept.append(flat([keras.ops.convert_to_numpy(value) for value in theta]))
    return kept


# (name, optimizer here, its options, framework, its class, its options, global norm to clip at)
CASES = []


def torch_case(name, optimizer, options, kind, settings, clip=None):
    CASES.append((f"{name}, PyTorch", optimizer, {"compat": "pytorch", **options}, by_torch, kind, settings, clip))


def keras_case(name, optimizer, options, kind, settings, clip=None):
    CASES.append((f"{name}, Keras", optimizer, {"compat": "keras", **options}, by_keras, kind, settings, clip))


def both(name, optimizer, options, kinds, settings, clip=None):
    """The same option names in both frameworks, but for that of the rate."""
    torch_case(name, optimizer, options, kinds[0], {**settings, "lr": options["lr"]}, clip)
    keras_case(name, optimizer, options, kinds[1], {**settings, "learning_rate": options["lr"]}, clip)


both("sgd", "sgd", {"lr": 0.05}, ("SGD", "SGD"), {})
both("sgd, momentum", "sgd", {"lr": 0.05, "momentum": 0.9}, ("SGD", "SGD"), {"momentum": 0.9})
both("sgd, Nesterov", "sgd", {"lr": 0.05, "momentum": 0.9, "nesterov": True}, ("SGD", "SGD"), {"momentum": 0.9, "nesterov": True})
both("sgd, momentum, clipped", "sgd", {"lr": 0.05, "momentum": 0.9}, ("SGD", "SGD"), {"momentum": 0.9}, 1.0)
torch_case("sgd, dampening", "sgd", {"lr": 0.05, "momentum": 0.9, "dampening": 0.4}, "SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.4})
keras_case("sgd, momentum, decay", "sgd", {"lr": 0.05, "momentum": 0.9, "weightDecay": 0.1}, "SGD", {"learning_rate": 0.05, "momentum": 0.9, "weight_decay": 0.1})
both("adagrad", "adagrad", {"lr": 0.1}, ("Adagrad", "Adagrad"), {})
keras_case("adagrad, decay", "adagrad", {"lr": 0.1, "weightDecay": 0.1}, "Adagrad", {"learning_rate": 0.1, "weight_decay": 0.1})
for form, options in {
    "": {},
    ", centered": {"centered": True},
    ", momentum": {"momentum": 0.8},
    ", centered, momentum": {"centered": True, "momentum": 0.8},
}.items():
    both(f"rmsprop{form}", "rmsprop", {"lr": 0.02, **options}, ("RMSprop", "RMSprop"), options)
both("adadelta", "adadelta", {"lr": 1.0}, ("Adadelta", "Adadelta"), {})
both("adam", "adam", {"lr": 0.05}, ("Adam", "Adam"), {})
keras_case("adam, decay, clipped", "adam", {"lr": 0.05, "weightDecay": 0.1}, "Adam", {"learning_rate": 0.05, "weight_decay": 0.1}, 1.0)
both("adamw", "adamw", {"lr": 0.05, "weightDecay": 0.1}, ("AdamW", "AdamW"), {"weight_decay": 0.1})
both("amsgrad", "amsgrad", {"lr": 0.05}, ("Adam", "Adam"), {"amsgrad": True})
both("nadam", "nadam", {"lr": 0.05}, ("NAdam", "Nadam"), {})
torch_case("radam", "radam", {"lr": 0.05}, "RAdam", {"lr": 0.05})
both("adamax", "adamax", {"lr": 0.05}, ("Adamax", "Adamax"), {})
keras_case("lion, decay", "lion", {"lr": 0.01, "weightDecay": 0.1}, "Lion", {"learning_rate": 0.01, "weight_decay": 0.1})

if __name__ == "__main__":
    cases = [
        {
            "name": name,
            "optimizer": optimizer,
            "options": options,
            "clip": clip,
            "float64": make(kind, clip, settings, np.float64),
            "float32": make(kind, clip, settings, np.float32),
        }
        for name, optimizer, options, make, kind, settings, clip in CASES
    ]
    fixture = {
        "torch": torch.__version__.split("+")[0],
        "keras": keras.__version__,
        "factors": FACTORS,
        "kept": KEPT,
        "start": [value.tolist() for value in START],
        "gradients": [flat(step) for step in GRADIENTS],
        "cases": cases,
    }
    text = json.dumps(fixture)
    (Path(__file__).parent / "fixtures" / "rates.json").write_text(text + "\n")

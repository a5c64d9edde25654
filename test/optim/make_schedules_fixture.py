"""Writes test/optim/fixtures/schedules.json: learning rates of PyTorch's and Keras' schedulers, step after step.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install torch==2.13.0 keras==3.15.1
    /tmp/venv/bin/python test/optim/make_schedules_fixture.py

Entry i of `rates` is the rate of step i + 1. `cycles` are OneCycleLR's of other lengths; where pct_start·total_steps is 1 it
divides 0 by 0, which ends in an error. `keras` is computed in float32.
"""

import json
import os
import warnings
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"

import keras
import torch
from torch.optim import lr_scheduler as schedulers

FIXTURES = Path(__file__).parent / "fixtures"
warnings.simplefilter("ignore")  # optimizer.step() is never called


def rates(lr, make, steps):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = make(optimizer)
    values = []
    for _ in range(steps):
        values.append(float(optimizer.param_groups[0]["lr"]))
        scheduler.step()
    return values


def one_cycle(**options):
    # Asked for exactly its steps: one more is an error in PyTorch.
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    scheduler = schedulers.OneCycleLR(optimizer, cycle_momentum=False, **options)
    values = [scheduler.get_last_lr()[0]]
    for _ in range(options["total_steps"] - 1):
        scheduler.step()
        values.append(scheduler.get_last_lr()[0])
    return [float(value) for value in values]


def warm_cosine(optimizer):
    rise = schedulers.LinearLR(optimizer, start_factor=0.25, total_iters=8)
    fall = schedulers.CosineAnnealingLR(optimizer, T_max=30, eta_min=0.001)
    return schedulers.SequentialLR(optimizer, [rise, fall], milestones=[8])


CASES = {
    "stepDecay": rates(0.1, lambda o: schedulers.StepLR(o, 7, 0.3), 40),
    "exponentialDecay": rates(0.05, lambda o: schedulers.ExponentialLR(o, 0.93), 60),
    "polynomialDecay": rates(0.2, lambda o: schedulers.PolynomialLR(o, 30, 1.0), 40),
    "polynomialDecay squared": rates(0.2, lambda o: schedulers.PolynomialLR(o, 30, 2.0), 40),
    "polynomialDecay real": rates(0.2, lambda o: schedulers.PolynomialLR(o, 30, 0.9), 30),
    "cosineDecay": rates(0.1, lambda o: schedulers.CosineAnnealingLR(o, 50, 0.002), 51),
    "cosineDecay restarts": rates(0.1, lambda o: schedulers.CosineAnnealingWarmRestarts(o, 10, 1, 0.002), 45),
    "cosineDecay growing": rates(0.1, lambda o: schedulers.CosineAnnealingWarmRestarts(o, 5, 2, 0.0), 80),
    "oneCycle": one_cycle(max_lr=0.4, total_steps=50),
    "oneCycle options": one_cycle(max_lr=0.4, total_steps=73, pct_start=0.21, div_factor=10.0, final_div_factor=50.0),
    "warmup constant": rates(0.3, lambda o: schedulers.LinearLR(o, start_factor=1 / 3, total_iters=5), 12),
    "warmup cosine": rates(0.1, warm_cosine, 39),
}

CYCLES = [
    {"steps": steps, "warmup": warmup, "rates": one_cycle(max_lr=1.0, total_steps=steps, pct_start=warmup)}
    for steps, warmup in [
        (20, 0.0), (20, 0.01), (20, 0.04), (20, 0.06), (20, 0.95), (20, 1.0), (10, 0.0), (10, 0.05), (7, 0.1), (7, 0.3),
        (5, 0.0), (5, 0.19), (5, 0.25), (4, 0.3), (3, 0.0), (3, 0.3), (3, 0.5), (3, 1.0), (2, 0.0), (2, 0.3), (2, 0.7),
        (2, 1.0), (1, 0.0), (1, 0.3), (1, 0.99),
    ]
]  # fmt: skip

schedules_of_keras = keras.optimizers.schedules
KERAS = {
    "exponentialDecay": schedules_of_keras.ExponentialDecay(0.1, 7, 0.5),
    "exponentialDecay staircase": schedules_of_keras.ExponentialDecay(0.1, 7, 0.5, staircase=True),
    "polynomialDecay": schedules_of_keras.PolynomialDecay(0.1, 25, 0.01, power=2.0),
    "cosineDecay": schedules_of_keras.CosineDecay(0.1, 25, alpha=0.05),
    "cosineDecay warm": schedules_of_keras.CosineDecay(0.02, 25, alpha=0.05, warmup_target=0.1, warmup_steps=8),
    "cosineDecay restarts": schedules_of_keras.CosineDecayRestarts(0.1, 5, t_mul=2.0, m_mul=1.0, alpha=0.05),
}

if __name__ == "__main__":
    FIXTURES.mkdir(exist_ok=True)
    versions = {"torch": torch.__version__.split("+")[0], "keras": keras.__version__}
    of_keras = {name: [float(schedule(step)) for step in range(40)] for name, schedule in KERAS.items()}
    text = json.dumps({**versions, "rates": CASES, "cycles": CYCLES, "keras": of_keras}, indent=1)
    (FIXTURES / "schedules.json").write_text(text + "\n")

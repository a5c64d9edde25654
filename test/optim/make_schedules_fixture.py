"""Writes test/optim/fixtures/schedules.json: learning rates of PyTorch's schedulers, step after step.

    python3 -m venv /tmp/venv-torch && /tmp/venv-torch/bin/pip install torch==2.13.0
    /tmp/venv-torch/bin/python test/optim/make_schedules_fixture.py

Entry i of `rates` is the rate of step i + 1.
"""

import json
import warnings
from pathlib import Path

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

if __name__ == "__main__":
    FIXTURES.mkdir(exist_ok=True)
    text = json.dumps({"torch": torch.__version__, "rates": CASES}, indent=1)
    (FIXTURES / "schedules.json").write_text(text + "\n")

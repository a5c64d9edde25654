"""Writes fixtures/torch.json: what PyTorch, in float64, makes of penalties, decoupled decay, bounded rows and clipping.

  python test/regularizers/make_torch_fixture.py
"""

import json
import pathlib

import torch

ROWS, COLUMNS, STEPS = 4, 9, 6
torch.manual_seed(20)
torch.set_default_dtype(torch.float64)
# Float32 numbers: both sides start from the same ones.
start = torch.randn(ROWS, COLUMNS).float().double()
gradients = [(torch.randn(ROWS, COLUMNS) * 10.0 ** (2 - step)).float().double() for step in range(STEPS)]


def trajectory(make, clip=lambda parameters: None, after=lambda parameter: None):
    """Weights after each step of an optimizer, of a parameter with the given gradients."""
    parameter = torch.nn.Parameter(start.clone())
    optimizer = make([parameter])
    path = []
    for gradient in gradients:
        parameter.grad = gradient.clone()
        clip([parameter])
        optimizer.step()
        after(parameter)
        path.append(parameter.detach().flatten().tolist())
    return path


def renorm(parameter):
    # torch.renorm divides by the norm + 1e-7, so that its rows end below the bound: the constraint itself here.
    norms = torch.linalg.vector_norm(parameter.data, dim=1, keepdim=True)
    parameter.data *= torch.clamp(1.5 / norms, max=1.0)


def clip_norm(parameters):
    torch.nn.utils.clip_grad_norm_(parameters, 2.5)


def clip_value(parameters):
    torch.nn.utils.clip_grad_value_(parameters, 0.4)


optim = torch.optim
adam = dict(lr=0.05, betas=(0.9, 0.99), eps=1e-3)
cases = {
    "sgd": trajectory(lambda p: optim.SGD(p, lr=0.05)),
    "sgd, l2": trajectory(lambda p: optim.SGD(p, lr=0.05, weight_decay=0.3)),
    "adam, l2": trajectory(lambda p: optim.Adam(p, weight_decay=0.3, **adam)),
    "adam, weightDecay": trajectory(lambda p: optim.AdamW(p, weight_decay=0.3, **adam)),
    "sgd, maxNorm": trajectory(lambda p: optim.SGD(p, lr=0.05), after=renorm),
    "sgd, l2, clip norm": trajectory(lambda p: optim.SGD(p, lr=0.05, weight_decay=0.3), clip_norm),
    "sgd, l2, clip value": trajectory(lambda p: optim.SGD(p, lr=0.05, weight_decay=0.3), clip_value),
    "adam, clip norm": trajectory(lambda p: optim.Adam(p, **adam), clip_norm),
}
document = {
    "torch": torch.__version__,
    "shape": [ROWS, COLUMNS],
    "start": start.flatten().tolist(),
    "gradients": [gradient.flatten().tolist() for gradient in gradients],
    "cases": cases,
}
target = pathlib.Path(__file__).parent / "fixtures" / "torch.json"
target.write_text(json.dumps(document) + "\n")

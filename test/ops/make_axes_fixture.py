"""Writes fixtures/axes.json: operations on axes in float64 by PyTorch, with the gradient of a fixed projection.

    python test/ops/make_axes_fixture.py

Inputs are multiples of 1/64, so that float32 holds them.
"""

import json
import pathlib

import torch

torch.manual_seed(7)


def draw(*shape):
    return (torch.randint(-128, 129, shape).double() / 64).requires_grad_()


def between(*shape):
    """Never equal to what draw() gives: of equal ones PyTorch halves the gradient of a maximum, ours goes to the first."""
    return ((torch.randint(-64, 64, shape).double() + 0.25) / 32).requires_grad_()


def whole(limit, *shape):
    return torch.randint(0, limit, shape)


CASES = {
    "add [2,1,3]+[4,1]": ([draw(2, 1, 3), draw(4, 1)], lambda a, b: a + b),
    "multiply [3,1]*[1,4]": ([draw(3, 1), draw(1, 4)], lambda a, b: a * b),
    "maximum [2,3,1] [3,4]": ([draw(2, 3, 1), between(3, 4)], torch.maximum),
    "sum axis 1": ([draw(3, 4, 5)], lambda x: x.sum(1)),
    "sum axes 0 2 kept": ([draw(3, 4, 5)], lambda x: x.sum((0, 2), keepdim=True)),
    "mean axes -2 -1": ([draw(3, 4, 5)], lambda x: x.mean((-2, -1))),
    "max axis 1": ([draw(3, 5, 2)], lambda x: x.max(1).values),
    "min axis -1 kept": ([draw(3, 5)], lambda x: x.min(-1, keepdim=True).values),
    "concat 3 along 1": ([draw(2, 1, 3), draw(2, 2, 3), draw(2, 4, 3)], lambda *x: torch.cat(x, 1)),
    "stack along 1": ([draw(2, 3), draw(2, 3)], lambda *x: torch.stack(x, 1)),
    "slice": ([draw(3, 6, 5)], lambda x: x[:, 1:-2, 2:]),
    "pad": ([draw(2, 3)], lambda x: torch.nn.functional.pad(x, (2, 1))),
    "transpose 0 2 1": ([draw(2, 3, 4)], lambda x: x.permute(0, 2, 1)),
    "transpose 2 0 1": ([draw(2, 3, 4)], lambda x: x.permute(2, 0, 1)),
    "flatten": ([draw(2, 3, 4)], lambda x: x.flatten(1)),
    "take": ([draw(5, 3), whole(5, 4, 2)], lambda table, i: torch.nn.functional.embedding(i, table)),
    "matmul batched": ([draw(4, 2, 3), draw(4, 3, 5)], torch.matmul),
    "matmul one right": ([draw(4, 2, 3), draw(3, 5)], torch.matmul),
    "matmul spread": ([draw(4, 1, 2, 3), draw(5, 3, 2)], torch.matmul),
    "linear leading": ([draw(2, 4, 3), draw(5, 3), draw(5)], torch.nn.functional.linear),
    "where": ([draw(3, 1), draw(1, 4)], lambda a, b: torch.where(a > 0.1, a, b)),
}


def case(inputs, operation):
    y = operation(*inputs)
    c = draw(*y.shape).detach()
    (y * c).sum().backward()
    return {
        "inputs": [
            {
                "shape": list(x.shape),
                "dtype": "f32" if x.is_floating_point() else "i32",
                "data": x.detach().flatten().tolist(),
                "gradient": x.grad.flatten().tolist() if x.grad is not None else None,
            }
            for x in inputs
        ],
        "factors": c.flatten().tolist(),
        "shape": list(y.shape),
        "data": y.detach().flatten().tolist(),
    }


path = pathlib.Path(__file__).parent / "fixtures" / "axes.json"
path.parent.mkdir(exist_ok=True)
path.write_text(
    json.dumps({"torch": torch.__version__, "cases": {name: case(*each) for name, each in CASES.items()}}) + "\n"
)

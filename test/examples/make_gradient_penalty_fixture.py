"""Writes fixtures/gradient-penalty.json: a critic with a gradient penalty, trained by PyTorch in float64 and in float32.

  python test/examples/make_gradient_penalty_fixture.py
"""

import json
import pathlib

import torch

ROWS, HIDDEN, STEPS, LAMBDA, RATE = 16, 8, 30, 10.0, 0.01
torch.manual_seed(5)
# Float32 numbers: all sides start from the same ones.
start = {
    "linear1.weight": torch.randn(HIDDEN, 2),
    "linear1.bias": torch.randn(HIDDEN) * 0.5,
    "linear2.weight": torch.randn(1, HIDDEN) * 0.7,
    "linear2.bias": torch.randn(1),
}
batches = [
    {"real": torch.randn(ROWS, 2) + 1, "fake": torch.randn(ROWS, 2) * 0.5, "share": torch.rand(ROWS, 1)}
    for _ in range(4)
]


def trajectory(dtype):
    """Distance and penalty of every step, and the weights after it."""
    w = {name: value.to(dtype).requires_grad_() for name, value in start.items()}

    def critic(x):
        hidden = torch.tanh(torch.nn.functional.linear(x, w["linear1.weight"], w["linear1.bias"]))
        return torch.nn.functional.linear(hidden, w["linear2.weight"], w["linear2.bias"])

    optimizer = torch.optim.SGD(w.values(), lr=RATE)
    path = []
    for step in range(STEPS):
        real, fake, share = (value.to(dtype) for value in batches[step % len(batches)].values())
        between = (share * real + (1 - share) * fake).requires_grad_()
        (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
        penalty = LAMBDA * (slope.norm(dim=1) - 1).square().mean()
        distance = critic(real).mean() - critic(fake).mean()
        optimizer.zero_grad()
        (penalty - distance).backward()
        optimizer.step()
        weights = {name: value.detach().flatten().tolist() for name, value in w.items()}
        path.append({"distance": distance.item(), "penalty": penalty.item(), "weights": weights})
    return path


document = {
    "torch": torch.__version__,
    "lambda": LAMBDA,
    "rate": RATE,
    "start": {name: value.flatten().tolist() for name, value in start.items()},
    "batches": [{name: value.tolist() for name, value in batch.items()} for batch in batches],
    "float64": trajectory(torch.float64),
    "float32": trajectory(torch.float32),
}
path = pathlib.Path(__file__).parent / "fixtures" / "gradient-penalty.json"
path.write_text(json.dumps(document, separators=(",", ":")) + "\n")

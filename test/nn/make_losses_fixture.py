"""Writes test/nn/fixtures/losses.json: losses and gradients of PyTorch in float64.

    python3 -m venv /tmp/venv-torch && /tmp/venv-torch/bin/pip install torch==2.13.0
    /tmp/venv-torch/bin/python test/nn/make_losses_fixture.py

Inputs are multiples of 1/64 (probabilities: 1/1024), so that float32 holds them. `losses`: [batch]; `gradient`: of the sum
of the losses with factors 1, 2, … a row, so that rows are told apart.
"""

import json
from pathlib import Path

import torch
from torch.nn import functional as F

FIXTURES = Path(__file__).parent / "fixtures"
torch.manual_seed(7)


def grid(*shape, scale=2.0):
    return (torch.randn(*shape, dtype=torch.float64) * scale * 64).round() / 64


def distribution(rows, classes):
    """Rows of 1024 parts, some of them 0."""
    counts = torch.zeros(rows, classes, dtype=torch.float64)
    for row in range(rows):
        for pick in torch.randint(0, classes - 1, (1024,)):
            counts[row, pick] += 1
    return counts / 1024


def signs(*shape):
    return torch.where(torch.rand(*shape) < 0.5, -1.0, 1.0).to(torch.float64)


def mean_of(values):
    return values.flatten(1).mean(1)


def binary(x, t):
    return mean_of(F.binary_cross_entropy_with_logits(x, t, reduction="none"))


def smoothed(x, t):
    return F.cross_entropy(x, t, reduction="none", label_smoothing=0.1)


LABELS = torch.tensor([0, 3, 6, 1, 2])
SOFT = distribution(5, 7)
LOGITS = grid(5, 7)
FAR = torch.tensor([[88.0, -88.0, 0.0], [-200.0, 200.0, 100.0], [1000.0, 0.0, -1000.0], [30.0, 20.0, -30.0]], dtype=torch.float64)
VALUES = grid(6, 5)
TARGETS = grid(6, 5)

CASES = {
    "crossEntropy": (LOGITS, LABELS, lambda x, t: F.cross_entropy(x, t, reduction="none")),
    "crossEntropy far": (FAR, torch.tensor([1, 1, 2, 0]), lambda x, t: F.cross_entropy(x, t, reduction="none")),
    "crossEntropy smoothed": (LOGITS, LABELS, smoothed),
    "crossEntropy probabilities": (LOGITS, SOFT, lambda x, t: F.cross_entropy(x, t, reduction="none")),
    "crossEntropy probabilities smoothed": (LOGITS, SOFT, smoothed),
    "binaryCrossEntropy": (grid(6, 4, scale=4.0), (torch.rand(6, 4) < 0.5).to(torch.float64), binary),
    "binaryCrossEntropy soft": (grid(6, 1), (torch.rand(6, 1) * 1024).round().to(torch.float64) / 1024, binary),
    "binaryCrossEntropy far": (FAR, torch.tensor([[0.0, 1, 0], [1, 0, 1], [1, 1, 0], [1, 1, 1]], dtype=torch.float64), binary),
    "mse": (VALUES, TARGETS, lambda x, t: mean_of(F.mse_loss(x, t, reduction="none"))),
    "mae": (VALUES, TARGETS, lambda x, t: mean_of(F.l1_loss(x, t, reduction="none"))),
    "huber": (VALUES, TARGETS, lambda x, t: mean_of(F.huber_loss(x, t, reduction="none"))),
    "huber delta": (VALUES, TARGETS, lambda x, t: mean_of(F.huber_loss(x, t, reduction="none", delta=2.5))),
    "hinge": (VALUES, signs(6, 5), lambda x, t: mean_of(torch.relu(1 - t * x))),
    "klDivergence": (LOGITS, SOFT, lambda x, t: F.kl_div(F.log_softmax(x, -1), t, reduction="none").sum(-1)),
    "cosineSimilarity": (VALUES, TARGETS, lambda x, t: 1 - F.cosine_similarity(x, t, dim=-1)),
}


def case(x, target, compute):
    x = x.clone().requires_grad_()
    losses = compute(x, target)
    factors = torch.arange(1, len(x) + 1, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((losses * factors).sum(), x)
    return {
        "shape": list(x.shape),
        "output": x.detach().flatten().tolist(),
        "target": target.flatten().tolist(),
        "losses": losses.tolist(),
        "gradient": gradient.flatten().tolist(),
    }


if __name__ == "__main__":
    FIXTURES.mkdir(exist_ok=True)
    cases = {name: case(*parts) for name, parts in CASES.items()}
    (FIXTURES / "losses.json").write_text(json.dumps({"torch": torch.__version__, "cases": cases}) + "\n")

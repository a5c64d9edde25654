"""Writes test/nn/fixtures/sequences.json: losses of padded sequences, and their gradients, of PyTorch in float64.

    python3 -m venv /tmp/venv-torch && /tmp/venv-torch/bin/pip install torch==2.13.0
    /tmp/venv-torch/bin/python test/nn/make_sequences_fixture.py

Inputs are multiples of 1/64, so that float32 holds them. A loss is the mean over all steps that are there (`ignore_index` of PyTorch, masks of Keras), weighed by
the weights of their examples; the gradient is of that one number. Padded steps hold what must not be read.
"""

import json
from pathlib import Path

import torch
from torch.nn import functional as F

FIXTURES = Path(__file__).parent / "fixtures"
torch.manual_seed(81)
ROWS, STEPS, COLUMNS = 5, 4, 3
LENGTHS = torch.tensor([4, 1, 3, 0, 2])
WEIGHTS = torch.tensor([1.0, 0.5, 2.0, 1.0, 0.25], dtype=torch.float64)
MASK = torch.arange(STEPS)[None, :] < LENGTHS[:, None]


def grid(*shape, scale=2.0):
    return (torch.randn(*shape, dtype=torch.float64) * scale * 64).round() / 64


def soft(*shape):
    parts = torch.randint(1, 9, shape, dtype=torch.float64)
    parts[..., -1] = 32 - parts[..., :-1].sum(-1)
    return parts / 32


LABELS = torch.randint(0, COLUMNS, (ROWS, STEPS))
CASES = {
    "mse": (grid(ROWS, STEPS, COLUMNS), lambda x, t: (x - t).square().mean(-1)),
    "mae": (grid(ROWS, STEPS, COLUMNS), lambda x, t: (x - t).abs().mean(-1)),
    "huber": (grid(ROWS, STEPS, COLUMNS), lambda x, t: F.huber_loss(x, t, reduction="none").mean(-1)),
    "cosineSimilarity": (grid(ROWS, STEPS, COLUMNS), lambda x, t: 1 - F.cosine_similarity(x, t, dim=-1)),
    "crossEntropy": (LABELS, lambda x, t: F.cross_entropy(x.transpose(1, 2), t, reduction="none")),
    "crossEntropy smoothed": (LABELS, lambda x, t: F.cross_entropy(x.transpose(1, 2), t, reduction="none", label_smoothing=0.1)),
    "crossEntropy probabilities": (soft(ROWS, STEPS, COLUMNS), lambda x, t: -(t * F.log_softmax(x, -1)).sum(-1)),
    "klDivergence": (soft(ROWS, STEPS, COLUMNS), lambda x, t: F.kl_div(F.log_softmax(x, -1), t, reduction="none").sum(-1)),
    "binaryCrossEntropy": (
        (torch.rand(ROWS, STEPS, COLUMNS) < 0.5).to(torch.float64),
        lambda x, t: F.binary_cross_entropy_with_logits(x, t, reduction="none").mean(-1),
    ),
    "focal": (LABELS, lambda x, t: (lambda ce: (1 - (-ce).exp()) ** 2 * ce)(F.cross_entropy(x.transpose(1, 2), t, reduction="none"))),
    "pinball": (
        grid(ROWS, STEPS, 1),
        lambda x, t: torch.maximum(Q * (t - x), (Q - 1) * (t - x)).mean(-1),
    ),
}
Q = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)


def case(target, compute):
    x = grid(ROWS, STEPS, COLUMNS).requires_grad_()
    steps = compute(x, target)
    found = {"shape": list(target.shape), "output": x.detach().flatten().tolist(), "target": target.flatten().tolist()}
    for name, weights in (("plain", torch.ones(ROWS, dtype=torch.float64)), ("weighted", WEIGHTS)):
        own = torch.where(MASK, weights[:, None], 0.0)
        loss = torch.where(MASK, steps * own, 0.0).sum() / own.sum()
        (gradient,) = torch.autograd.grad(loss, x, retain_graph=True)
        found[name] = {"loss": loss.item(), "gradient": gradient.flatten().tolist()}
    return found


if __name__ == "__main__":
    FIXTURES.mkdir(exist_ok=True)
    cases = {name: case(*given) for name, given in CASES.items()}
    told = {"lengths": LENGTHS.tolist(), "weights": WEIGHTS.tolist(), "cases": cases}
    (FIXTURES / "sequences.json").write_text(json.dumps({"torch": torch.__version__, **told}) + "\n")

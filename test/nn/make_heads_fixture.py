"""Writes test/nn/fixtures/heads.json: focal, pinball, ranking and metric losses of PyTorch, Keras and scikit-learn in float64.

    python3 -m venv /tmp/venv-heads && /tmp/venv-heads/bin/pip install torch==2.13.0 keras==3.15.0 scikit-learn==1.9.1
    KERAS_BACKEND=torch /tmp/venv-heads/bin/python test/nn/make_heads_fixture.py

Inputs are multiples of 1/64, so that float32 holds them. `losses`: [batch]; `gradient`: of the sum of the losses with factors 1, 2, … a row, so that rows are
told apart. `pinball` of `figures` is scikit-learn's, of all rows and with weights.
"""

import json
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"
import keras
import numpy as np
import torch
from make_losses_fixture import grid
from sklearn.metrics import mean_pinball_loss
from torch.nn import functional as F

FIXTURES = Path(__file__).parent / "fixtures"
torch.manual_seed(18)
keras.backend.set_floatx("float64")


def parts(rows, classes):
    """Rows of 64 parts, some of them 0."""
    counts = torch.zeros(rows, classes, dtype=torch.float64)
    for row in range(rows):
        for pick in torch.randint(0, classes - 1, (64,)):
            counts[row, pick] += 1
    return counts / 64


def focal(gamma, alpha):
    loss = keras.losses.CategoricalFocalCrossentropy(alpha=alpha, gamma=gamma, from_logits=True, reduction=None)

    def compute(x, t):
        soft = F.one_hot(t, x.shape[1]).to(torch.float64) if t.dtype == torch.int64 else t
        logs = F.log_softmax(x, 1)
        own = (torch.tensor(alpha, dtype=torch.float64) * soft * (1 - logs.exp()) ** gamma * -logs).sum(1)
        assert torch.allclose(own.detach(), loss(soft, x).detach(), rtol=1e-5, atol=1e-6)  # Keras clips probabilities at 1e-7
        return own

    return compute


def binary_focal(gamma, alpha=None):
    def compute(x, t):
        p = torch.sigmoid(x)
        certain = torch.where(t == 1, p, 1 - p)
        own = (1 - certain) ** gamma * F.binary_cross_entropy_with_logits(x, t, reduction="none")
        if alpha is not None:
            own = own * torch.where(t == 1, alpha, 1 - alpha)
        loss = keras.losses.BinaryFocalCrossentropy(
            apply_class_balancing=alpha is not None, alpha=alpha or 0.25, gamma=gamma, from_logits=True, reduction=None
        )
        by_keras = loss(t, x).detach()
        assert torch.allclose(own.mean(1).detach(), by_keras, rtol=1e-6, atol=1e-8)  # Keras clips probabilities at 1e-7
        return own.mean(1)

    return compute


def pinball(quantiles):
    def compute(x, t):
        told = x.reshape(len(x), -1, len(quantiles))
        error = t.reshape(len(x), -1, 1) - told
        q = torch.tensor(quantiles, dtype=torch.float64)
        own = torch.maximum(q * error, (q - 1) * error)
        for place, one in enumerate(quantiles):
            flat = mean_pinball_loss(t.reshape(-1), told[:, :, place].detach().reshape(-1), alpha=one)
            assert abs(float(own[:, :, place].detach().mean()) - flat) < 1e-12
        return own.flatten(1).mean(1)

    return compute


def bpr(x, t):
    own = x.gather(1, t[:, None])
    terms = -F.logsigmoid(own - x)
    return (terms.sum(1) + F.logsigmoid(own - own)[:, 0]) / (x.shape[1] - 1)


def triplet(margin, squared):
    def compute(x, t):
        a, b, c = x.chunk(3, 1)
        near, far = torch.where(t[:, None] == 1, b, c), torch.where(t[:, None] == 1, c, b)
        if not squared:
            return F.triplet_margin_loss(a, near, far, margin=margin, eps=0, reduction="none")
        distance = lambda u, v: (u - v).square().sum(1)
        return F.triplet_margin_with_distance_loss(a, near, far, distance_function=distance, margin=margin, reduction="none")

    return compute


def contrastive(margin):
    def compute(x, t):
        a, b = x.chunk(2, 1)
        distance = (a - b).square().sum(1).sqrt()
        return 0.5 * (t * distance.square() + (1 - t) * torch.relu(margin - distance).square())

    return compute


LABELS = torch.tensor([0, 3, 4, 1, 2, 2])
LOGITS = grid(6, 5)
BITS = (torch.rand(6, 4) < 0.5).to(torch.float64)
SIGNS = torch.tensor([1.0, -1, 1, 1, -1, -1], dtype=torch.float64)
CASES = {
    "focal": (LOGITS, LABELS, focal(2.0, 1.0)),
    "focal gamma": (LOGITS, LABELS, focal(0.5, 0.25)),
    "focal alpha": (LOGITS, LABELS, focal(2.0, [0.5, 1.0, 2.0, 0.25, 1.5])),
    "focal probabilities": (LOGITS, parts(6, 5), focal(2.0, 1.0)),
    "binaryFocal": (grid(6, 4), BITS, binary_focal(2.0)),
    "binaryFocal alpha": (grid(6, 4), BITS, binary_focal(1.5, 0.25)),
    "pinball": (grid(6, 3), grid(6, 1), pinball([0.1, 0.5, 0.9])),
    "pinball several": (grid(6, 8), grid(6, 4), pinball([0.25, 0.75])),
    "bpr": (grid(6, 2), torch.tensor([0, 0, 1, 0, 1, 0]), bpr),
    "bpr several": (grid(6, 5), LABELS, bpr),
    "triplet": (grid(6, 12), SIGNS, triplet(1.0, False)),
    "triplet squared": (grid(6, 12, scale=1.0), SIGNS, triplet(0.5, True)),
    "contrastive": (grid(6, 8, scale=0.5), BITS[:, 0], contrastive(1.0)),
    "contrastive margin": (grid(6, 8), BITS[:, 1], contrastive(4.0)),
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
        "targetShape": list(target.shape),
        "losses": losses.tolist(),
        "gradient": gradient.flatten().tolist(),
    }


def figures():
    """Of outputs [64, 2 targets · 3 quantiles] scaled to units of the data, 10·value + 3 and 2·value − 1."""
    quantiles = [0.1, 0.5, 0.9]
    outputs, targets = grid(64, 6), grid(64, 2)
    weights = ((torch.rand(64) * 16).round() / 16 * (torch.rand(64) > 0.1)).to(torch.float64)
    shift, scale = np.array([3.0, -1.0]), np.array([10.0, 2.0])
    told = outputs.numpy().reshape(64, 2, 3) * scale[:, None] + shift[:, None]
    wanted = targets.numpy() * scale + shift
    inside = (wanted >= told[:, :, 0]) & (wanted <= told[:, :, 2])

    def of(w):
        losses = [mean_pinball_loss(wanted, told[:, :, place], alpha=q, sample_weight=w) for place, q in enumerate(quantiles)]
        return {"pinball": float(np.mean(losses)), "coverage80": float(np.average(inside.mean(1), weights=w))}

    return {
        "outputs": outputs.flatten().tolist(),
        "targets": (wanted).flatten().tolist(),
        "weights": weights.tolist(),
        "shift": shift.tolist(),
        "scale": scale.tolist(),
        "plain": of(None),
        "weighted": of(weights.numpy()),
    }


if __name__ == "__main__":
    FIXTURES.mkdir(exist_ok=True)
    cases = {name: case(*given) for name, given in CASES.items()}
    versions = {"torch": torch.__version__, "keras": keras.__version__}
    (FIXTURES / "heads.json").write_text(json.dumps({**versions, "cases": cases, "figures": figures()}) + "\n")

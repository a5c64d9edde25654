"""Writes test/nn/fixtures/candidates.json: softmax over the candidates of a batch, and over classes that are drawn, in float64 of PyTorch.

    python3 -m venv /tmp/venv-torch && /tmp/venv-torch/bin/pip install torch==2.13.0
    /tmp/venv-torch/bin/python test/nn/make_candidates_fixture.py

Inputs are multiples of 1/64, so that float32 holds them. `gradient`: of the sum of the losses with factors 1, 2, … a row. Formulas are those of TensorFlow Recommenders'
Retrieval (temperature, candidate sampling probability, removal of accidental hits) and of TensorFlow's sampled_softmax_loss.
"""

import json
from pathlib import Path

import torch
from make_losses_fixture import grid

FIXTURES = Path(__file__).parent / "fixtures"
torch.manual_seed(40)
ROWS, SIZE, ITEMS = 7, 5, 6
IDS = torch.tensor([0, 3, 3, 1, 5, 0, 2])
FREQUENCIES = torch.tensor([10.0, 1, 2, 30, 4, 5], dtype=torch.float64)
WEIGHTS = torch.tensor([1.0, 0, 2, 1, 0, 1, 1], dtype=torch.float64)


def in_batch(x, temperature, corrected, weighted):
    u, v = x.chunk(2, 1)
    scores = u @ v.T / temperature
    if corrected:
        scores = scores - (FREQUENCIES / FREQUENCIES.sum()).log()[IDS][None, :]
    none = IDS[:, None] == IDS[None, :]
    if weighted:
        none = none | (WEIGHTS == 0)[None, :]
    none = none & ~torch.eye(ROWS, dtype=torch.bool)
    scores = scores.masked_fill(none, -torch.inf)
    return torch.nn.functional.cross_entropy(scores, torch.arange(ROWS), reduction="none")


def case(temperature=1.0, corrected=False, weighted=False):
    x = grid(ROWS, 2 * SIZE, scale=0.7).requires_grad_()
    losses = in_batch(x, temperature, corrected, weighted)
    factors = torch.arange(1, ROWS + 1, dtype=torch.float64) * (WEIGHTS if weighted else 1)
    (gradient,) = torch.autograd.grad((losses * factors).sum(), x)
    return {
        "temperature": temperature,
        "corrected": corrected,
        "weighted": weighted,
        "output": x.detach().flatten().tolist(),
        "losses": losses.tolist(),
        "gradient": gradient.flatten().tolist(),
    }


if __name__ == "__main__":
    FIXTURES.mkdir(exist_ok=True)
    cases = [case(), case(0.25), case(0.5, corrected=True), case(1.0, corrected=True, weighted=True)]
    told = {"ids": IDS.tolist(), "frequencies": FREQUENCIES.tolist(), "weights": WEIGHTS.tolist(), "size": SIZE, "cases": cases}
    (FIXTURES / "candidates.json").write_text(json.dumps({"torch": torch.__version__, **told}) + "\n")

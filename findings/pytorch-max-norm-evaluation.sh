#!/usr/bin/env bash
# Evaluating a PyTorch network with Embedding(max_norm=…) changes its weights: under eval(), no_grad() and with the table frozen.
#
# Version:   PyTorch 2.13.0 (CPU), Embedding and EmbeddingBag.
# Behaviour: every lookup first shortens the rows that it reads, in place, past autograd. It asks neither for
#            training mode nor for requires_grad.
# Seen:      rows of norm 3.46, max_norm 1, eval(), inference_mode(), requires_grad_(False): after a lookup of row 1 that row has norm 1 in
#            weight, the others 3.46. Adam on two copies, of which one is evaluated on the other ids between the steps: the tables differ.
# Guess:     a constraint of training acts in training; an evaluation leaves no trace.
# Matters:   a run with a validation set is another run than one without; pretrained and frozen vectors are rewritten wherever they
#            are looked up; the file saved after a test differs from the one tested, and threads that serve one model write to it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch==2.13.0" "numpy==2.4.6"
"$folder/venv/bin/python" - <<'PY'
import torch
from torch import nn

for layer, ids in (
    (nn.Embedding(4, 3, max_norm=1.0), torch.tensor([1])),
    (nn.EmbeddingBag(4, 3, max_norm=1.0), torch.tensor([[1]])),
):
    nn.init.constant_(layer.weight, 2.0)
    layer.eval().requires_grad_(False)
    with torch.inference_mode():
        layer(ids)
    norms = layer.weight.norm(dim=1)
    print(type(layer).__name__, norms.tolist())
    assert abs(norms[1] - 1) < 1e-5 and all(abs(norms[row] - 12**0.5) < 1e-5 for row in (0, 2, 3))


def train(validate):
    table = nn.Embedding(4, 3, max_norm=1.0)
    nn.init.constant_(table.weight, 2.0)
    optimizer = torch.optim.Adam(table.parameters(), 0.01)
    for _ in range(3):
        optimizer.zero_grad()
        table(torch.tensor([1])).sum().backward()
        optimizer.step()
        if validate:
            table.eval()
            with torch.no_grad():
                table(torch.tensor([0, 2, 3]))
            table.train()
    return table.weight.detach()


assert not torch.equal(train(False), train(True))
PY
echo "as described"

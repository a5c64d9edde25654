#!/usr/bin/env bash
# load_state_dict(assign=True) of PyTorch cuts tied weights apart.
#
# Version:   PyTorch 2.13.0 (CPU).
# Behaviour: every name of the file gets a parameter of its own; two names that were one parameter are two afterwards. Without assign the tie
#            stays. If the state dict came from torch.save the two share memory but not gradients, so that an optimizer made afterwards
#            updates the same numbers twice, each time by a part of the gradient.
# Seen:      an embedding and an output layer with one weight: one parameter before, two after loading. One step of Adam (0.1) on a gradient of
#            two positive parts: the tied weight moves by 0.1, the loaded one by 0.2.
# Guess:     the model is tied as it was built; only where the numbers lie changes.
# Matters:   assign=True is the advised way to load large models built on the meta device. Language models and recommenders tie input and
#            output tables: fine-tuning then trains two tables, or one at twice the rate, saves both, and reports twice the parameters.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch==2.13.0" "numpy==2.4.6"
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
import torch
from torch import nn


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(3, 1)
        self.head = nn.Linear(1, 3, bias=False)
        self.head.weight = self.embed.weight


torch.save(Tied().state_dict(), "tied.pt")
moved = {}
for assign in (False, True):
    model = Tied()
    assert model.embed.weight is model.head.weight
    model.load_state_dict(torch.load("tied.pt"), assign=assign)
    tied = model.embed.weight is model.head.weight
    count = len(list(model.parameters()))
    shared = model.embed.weight.data_ptr() == model.head.weight.data_ptr()
    optimizer = torch.optim.Adam(model.parameters(), 0.1)
    before = model.embed.weight.detach().clone()
    (model.embed.weight.sum() + model.head.weight.sum()).backward()
    optimizer.step()
    moved[assign] = (before - model.embed.weight.detach()).mean().item()
    print(f"assign={assign}: tied {tied}, parameters {count}, same memory {shared}, moved by {moved[assign]:.4f}")
    assert tied is not assign and count == 1 + assign and shared
assert abs(moved[False] - 0.1) < 1e-4 and abs(moved[True] - 0.2) < 1e-4
PY
echo "as described"

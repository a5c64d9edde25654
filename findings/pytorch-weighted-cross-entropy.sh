#!/usr/bin/env bash
# PyTorch's weighted CrossEntropyLoss is another loss for the same labels written one-hot.
#
# Version:   PyTorch 2.13.0 (CPU).
# Behaviour: with reduction "mean" and class weights, integer targets divide by the sum of the weights of the targets; probability targets divide by
#            the number of rows. The gradients differ by the mean weight of the batch, so by another factor in every batch.
# Seen:      two classes, weights (2, 2), logits 0, true class 1: 0.6931 from integers, 1.3863 from the one-hot rows of the same integers.
#            With weights (0.5, 2) and labels 0, 0, 0, 1: 0.6931 against 0.6065.
# Guess:     one_hot(labels) as targets is the same loss as labels, as it is without weights.
# Matters:   changing to soft targets (mixup, distillation, label noise) silently rescales the learning rate of an imbalanced job,
#            by the mean weight of whatever rows the batch holds.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch==2.13.0" "numpy==2.4.6"
"$folder/venv/bin/python" - <<'PY'
import torch
from torch.nn import CrossEntropyLoss
from torch.nn.functional import one_hot


def losses(weights, labels):
    loss = CrossEntropyLoss(weight=torch.tensor(weights))
    labels = torch.tensor(labels)
    logits = torch.zeros(len(labels), 2)
    return loss(logits, labels).item(), loss(logits, one_hot(labels, 2).float()).item()


for weights, labels, expected in (((2.0, 2.0), (1, 1), (0.6931, 1.3863)), ((0.5, 2.0), (0, 0, 0, 1), (0.6931, 0.6065))):
    found = losses(weights, labels)
    print(weights, labels, "integers {:.4f}, one-hot {:.4f}".format(*found))
    assert all(abs(a - b) < 1e-4 for a, b in zip(found, expected)), found
    plain = CrossEntropyLoss()(torch.zeros(len(labels), 2), torch.tensor(labels)).item()
    assert abs(plain - 0.6931) < 1e-4
PY
echo "as described"

#!/usr/bin/env bash
# scale_grad_by_freq of PyTorch's EmbeddingBag divides a row's gradient by how often some other row occurs.
#
# Version:   PyTorch 2.13.0 (CPU), modes "sum" and "mean"; Embedding with the same option is right.
# Behaviour: the ids of a batch are sorted; the gradient of the k-th distinct id is divided by the count of the id that stands at place k of
#            the sorted list, which is another one as soon as an earlier id occurs twice.
# Seen:      mode "sum", loss the sum of all outputs, ids 1, 1, 2, 1: row 2, which occurs once, gets 1/3 (sorted 1, 1, 1, 2: place 1 holds
#            id 1 with its count 3). Ids 3, 3, 3, 2, 2, 0: rows 0, 2, 3 get 1, 1, 1.5. All would be 1, and are in Embedding.
# Guess:     the gradient of each row is divided by its own count in the batch, as documented ("inverse of frequency of the words").
# Matters:   the option is there to balance frequent and rare words; here rare ones are damped by the counts of frequent ones, and how much
#            depends on the numbering of the vocabulary. Nothing fails, the loss falls; a network moved to another library trains
#            otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch==2.13.0" "numpy==2.4.6"
"$folder/venv/bin/python" - <<'PY'
import torch
from torch import nn


def scaled(ids):
    ids = torch.tensor(ids)
    bag = nn.EmbeddingBag(5, 1, mode="sum", scale_grad_by_freq=True)
    bag(ids, torch.tensor([0])).sum().backward()
    table = nn.Embedding(5, 1, scale_grad_by_freq=True)
    table(ids).sum().backward()
    return [g.grad.flatten().tolist() for g in (bag.weight, table.weight)]


def close(found, expected):
    return all(abs(a - b) < 1e-6 for a, b in zip(found, expected, strict=True))


for ids, expected, right in (
    ([1, 1, 2, 1], [0, 1, 1 / 3, 0, 0], [0, 1, 1, 0, 0]),
    ([3, 3, 3, 2, 2, 0], [1, 0, 1, 1.5, 0], [1, 0, 1, 1, 0]),
):
    bag, table = scaled(ids)
    print(ids, "EmbeddingBag", bag, "Embedding", table)
    assert close(bag, expected) and close(table, right)
PY
echo "as described"

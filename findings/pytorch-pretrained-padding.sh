#!/usr/bin/env bash
# PyTorch's Embedding.from_pretrained keeps what stands in the padding row: it is read as it is, and stays so for ever.
#
# Version:   PyTorch 2.13.0 (CPU).
# Behaviour: Embedding(..., padding_idx=0) fills that row with zeros when it is made; from_pretrained(table, padding_idx=0), and loading a
#            state, do not: the row keeps its numbers, and as it has no gradient no step ever changes them.
# Seen:      a table of ones: row 0 gives 1, 1 before and after a step that changes row 1; the layer made anew gives 0, 0.
# Guess:     padding is 0 whatever way a layer was made.
# Matters:   word vectors of others rarely have zeros for padding; sums and means over padded texts then depend on how long the longest text
#            of a batch was. Who moves such a table elsewhere has to move the row too, or gets other outputs.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch==2.13.0" "numpy==2.4.6"
"$folder/venv/bin/python" - <<'PY'
import torch

fresh = torch.nn.Embedding(3, 2, padding_idx=0)
layer = torch.nn.Embedding.from_pretrained(torch.ones(3, 2), freeze=False, padding_idx=0)
ids = torch.tensor([0, 1])
before = layer(ids).detach().clone()
layer(ids).sum().backward()
torch.optim.SGD(layer.parameters(), lr=0.1).step()
after = layer(ids).detach()
print(fresh(ids[:1]).tolist(), before.tolist(), after.tolist())
assert fresh(ids[:1]).abs().max() == 0
assert before[0].tolist() == after[0].tolist() == [1.0, 1.0]
assert torch.allclose(after[1], torch.tensor([0.9, 0.9]))
PY
echo "as described"

#!/usr/bin/env bash
# With sparse gradients the momentum buffer of PyTorch's SGD grows at every step, without end.
#
# Version:   PyTorch 2.13.0 (CPU).
# Behaviour: the buffer begins as the first sparse gradient, and each step adds the next one to it by appending its entries; it is never
#            coalesced, so that a row that was touched a thousand times is held a thousand times, and every step goes through all of
#            them. The updates are right.
# Seen:      a table of 10 rows, 32 random ids a step: the buffer has more than 100 entries after 10 steps and more than 1,000 after 100.
# Guess:     as many entries as rows were touched, at most those of the table; constant time a step.
# Matters:   SGD is one of three optimizers that the documentation names for sparse=True: memory and time of a step rise with the
#            number of steps, until an embedding that fits many times over ends a long run by exhaustion; checkpoints grow too.
#            Calling coalesce() on the buffer now and then helps.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch==2.13.0" "numpy==2.4.6"
"$folder/venv/bin/python" - <<'PY'
import torch

torch.manual_seed(0)
table = torch.nn.Embedding(10, 2, sparse=True)
dense = torch.nn.Embedding.from_pretrained(table.weight.detach().clone(), freeze=False)
optimizers = [torch.optim.SGD(layer.parameters(), 0.01, momentum=0.9) for layer in (table, dense)]
entries = {}
for step in range(1, 101):
    ids = torch.randint(10, (32,))
    for layer, optimizer in zip((table, dense), optimizers):
        optimizer.zero_grad()
        layer(ids).square().sum().backward()
        optimizer.step()
    buffer = optimizers[0].state[table.weight]["momentum_buffer"]
    entries[step] = buffer._nnz()
print({step: entries[step] for step in (1, 10, 100)}, "rows", table.num_embeddings)
assert torch.allclose(table.weight, dense.weight, atol=1e-5)
assert buffer.is_sparse and entries[10] > 100 and entries[100] > 1000
assert buffer.coalesce()._nnz() <= 10
PY
echo "as described"

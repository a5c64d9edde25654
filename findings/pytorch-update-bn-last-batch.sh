#!/usr/bin/env bash
# PyTorch's update_bn counts the two rows of a short last batch as much as the 64 of a whole one.
#
# Version:   PyTorch 2.13.0 (CPU), torch.optim.swa_utils.update_bn.
# Behaviour: the pass sets momentum to None, which makes the running values the plain mean over batches of each batch's mean and variance;
#            the number of rows does not enter.
# Seen:      66 rows in the loader's batches of 64 and 2 (drop_last is False by default), 0 in the first and 10 in the second: running_mean is 5.0.
#            Over the rows it is 0.303; with batches of 33 and 33 update_bn gives that.
# Guess:     one pass over the data measures the data: every row counts the same, whatever the batches.
# Matters:   the function is there to measure the statistics of averaged weights for good. A few rows at the end of a small table or of an
#            unshuffled file (sorted by class or date) get half or a tenth of the say, and another batch_size is another model.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch==2.13.0" "numpy==2.4.6"
"$folder/venv/bin/python" - <<'PY'
import torch
from torch.optim.swa_utils import update_bn

rows = torch.tensor([[0.0]] * 64 + [[10.0]] * 2)


def measured(batch):
    layer = torch.nn.BatchNorm1d(1)
    update_bn(torch.utils.data.DataLoader(rows, batch_size=batch), layer)
    return layer.running_mean.item()


found = {batch: round(measured(batch), 4) for batch in (33, 64)}
print(f"mean over the rows {rows.mean().item():.4f}, measured by batch size {found}")
assert found == {33: 0.303, 64: 5.0}
PY
echo "as described"

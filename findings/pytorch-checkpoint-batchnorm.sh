#!/usr/bin/env bash
# Gradient checkpointing moves the running statistics of PyTorch's batch normalization twice a step.
#
# Version:   PyTorch 2.13.0 (CPU), torch.utils.checkpoint, use_reentrant True and False.
# Behaviour: the segment runs forward again for the backward pass, and batch normalization updates its mean, variance and counter each
#            time. Outputs and gradients of the step are those without checkpointing, as documented; what inference uses is not.
# Seen:      one batch of mean 4, momentum 0.1: running_mean 0.4 and num_batches_tracked 1 without, 0.76 and 2 with checkpointing. With
#            momentum 0.1 that is 0.19.
# Guess:     checkpointing saves memory and changes nothing else, as it does for dropout, whose random state it goes to lengths to keep.
# Matters:   the averages reach back half as far, which shows with small batches as noisier validation; with momentum=None each batch is
#            counted twice. A run moved to a framework that recomputes nothing differs at inference only.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch==2.13.0" "numpy==2.4.6"
"$folder/venv/bin/python" - <<'PY'
import torch
from torch.utils.checkpoint import checkpoint

batch = torch.tensor([[3.0], [5.0]], requires_grad=True)


def step(run):
    layer = torch.nn.BatchNorm1d(1, momentum=0.1)
    run(layer).square().sum().backward()
    return round(layer.running_mean.item(), 6), layer.num_batches_tracked.item()


plain = step(lambda layer: layer(batch))
print("without", plain)
assert plain == (0.4, 1)
for reentrant in (True, False):
    found = step(lambda layer: checkpoint(layer, batch, use_reentrant=reentrant))
    print("with, use_reentrant", reentrant, found)
    assert found == (0.76, 2)
PY
echo "as described"

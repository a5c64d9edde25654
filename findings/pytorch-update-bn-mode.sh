#!/usr/bin/env bash
# PyTorch's update_bn measures with dropout at work, and overwrites the statistics of batch normalization that was frozen.
#
# Version:   PyTorch 2.13.0 (CPU), torch.optim.swa_utils.update_bn.
# Behaviour: the whole model goes to training mode for the pass, and every batch normalization layer in it is reset, one in eval() with
#            requires_grad False too. Afterwards the mode of the outermost module is given to all, so that in a model that trains the
#            frozen layer trains from there on.
# Seen:      1 and −1 through dropout of 0.5: running_var is 1.97, of the rows 1, and the answers in eval() have a deviation of 0.71.
#            A frozen layer with mean 7 and variance 4 comes back with the mean and variance of the data, and with training True.
# Guess:     only what is measured is in training mode: dropout is off, as the figures are for inference, and what is frozen stays as it is.
# Matters:   it is the last step of weight averaging. A backbone that is fine-tuned with frozen statistics has learnt to use those; the
#            averaged model answers with others, which looks like averaging that did not work, and goes on training them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch==2.13.0" "numpy==2.4.6"
"$folder/venv/bin/python" - <<'PY'
import torch
from torch import nn
from torch.optim.swa_utils import update_bn

torch.manual_seed(0)
signs = torch.tensor([[1.0], [-1.0]]).repeat(10_000, 1)
model = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(1)).eval()
update_bn([signs], model)
variance, deviation = model[1].running_var.item(), model(signs).std().item()
print(f"behind dropout: running_var {variance:.3f}, deviation of the answers {deviation:.3f}")
assert not model.training and abs(variance - 2) < 0.1 and abs(deviation - 0.5**0.5) < 0.02

frozen = nn.BatchNorm1d(1).requires_grad_(False)
frozen.running_mean.fill_(7)
frozen.running_var.fill_(4)
model = nn.Sequential(frozen, nn.Linear(1, 1), nn.BatchNorm1d(1))
model.train()
frozen.eval()
update_bn([signs], model)
print(f"frozen: mean {frozen.running_mean.item()}, variance {frozen.running_var.item():.4f}, training {frozen.training}")
assert abs(frozen.running_mean.item()) < 1e-3 and abs(frozen.running_var.item() - 1) < 1e-3 and frozen.training
PY
echo "as described"

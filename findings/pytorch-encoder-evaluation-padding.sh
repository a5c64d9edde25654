#!/usr/bin/env bash
# PyTorch's transformer encoder gives other values at padded steps once gradients are off.
#
# Version:   PyTorch 2.13.0.
# Behaviour: in evaluation under `no_grad`, `nn.TransformerEncoder` with `src_key_padding_mask` computes without the padding and puts zeros in its place. In training, and in
#            evaluation with gradients, padded steps have values, as every other step has.
# Seen:      two sequences of 2 and 1 steps padded to 4, two heads, no dropout: the padded step has values in training and with gradients, and is 0 without; what is no
#            padding is alike.
# Guess:     evaluation leaves dropout out, and gradients do not change what comes out.
# Matters:   a mean or a maximum over all steps behind the encoder is another number in validation than in training, for sequences with padding alone; so is the comparison
#            of an exported or rebuilt network with its origin, which depends on a `no_grad` around the call.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch==2.13.0" "numpy==2.4.6"
cd "$folder"
cat >encoder.py <<'PY'
import torch

torch.manual_seed(0)
layer = torch.nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True)
encoder = torch.nn.TransformerEncoder(layer, 2)
x = torch.randn(2, 4, 4)
padding = torch.tensor([[False, False, True, True], [False, True, True, True]])
trained = encoder(x, src_key_padding_mask=padding).detach()
encoder.eval()
with_gradients = encoder(x, src_key_padding_mask=padding).detach()
with torch.no_grad():
    without = encoder(x, src_key_padding_mask=padding)
print("training", list(trained.shape), "zeros at padding" if (trained[1, 1] == 0).all() else "values at padding")
print("evaluation", list(with_gradients.shape), "zeros at padding" if (with_gradients[1, 1] == 0).all() else "values at padding")
print("no_grad", list(without.shape), "zeros at padding" if (without[1, 1] == 0).all() else "values at padding")
print("first steps", "alike" if torch.allclose(trained[:, 0], without[:, 0], atol=1e-5) else "differ")
PY
"$folder/venv/bin/python" -W ignore encoder.py | tee seen
grep -qx 'training \[2, 4, 4\] values at padding' seen
grep -qx 'evaluation \[2, 4, 4\] values at padding' seen
grep -qx 'no_grad \[2, 4, 4\] zeros at padding' seen
grep -qx 'first steps alike' seen
echo "as described"

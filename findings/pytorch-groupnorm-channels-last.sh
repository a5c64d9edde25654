#!/usr/bin/env bash
# In the channels_last memory format PyTorch's GroupNorm loses the variance of inputs whose mean is large.
#
# Version:   PyTorch 2.13.0 (CPU).
# Behaviour: for contiguous input the variance is taken about the mean; for channels_last another kernel takes E[x²] − E[x]² in float32.
#            LayerNorm, InstanceNorm and BatchNorm do not lose it in either format.
# Seen:      random images of mean 10,000 and deviation 1, 8 × 8 × 16 × 16, two groups: the output has deviation 1.000 when contiguous and
#            above 10 (seen: 223) in channels_last. At mean 300 the two differ by more than 0.01; at mean 0 by less than 1e-5.
# Guess:     a memory format changes the speed and the last bits, never the value.
# Matters:   model.to(memory_format=torch.channels_last) is the usual first tuning of image networks; measured quantities (Kelvin, elevation,
#            raw sensor counts) and channels with a large common offset come out as noise, in training and at inference, and an export
#            or another library that computes it rightly seems to be the one that is wrong.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch==2.13.0" "numpy==2.4.6"
"$folder/venv/bin/python" - <<'PY'
import torch

torch.manual_seed(0)
layer = torch.nn.GroupNorm(2, 8)
noise = torch.randn(8, 8, 16, 16)
for mean in (0.0, 300.0, 10000.0):
    x = noise + mean
    with torch.no_grad():
        plain = layer(x)
        last = layer(x.contiguous(memory_format=torch.channels_last))
        exact = torch.nn.GroupNorm(2, 8).double()(x.double())
    errors = [(y - exact).abs().max().item() for y in (plain, last)]
    print(f"mean {mean}: deviations {plain.std():.4f} and {last.std():.4f}, errors {errors[0]:.1e} and {errors[1]:.1e}")
    assert errors[0] < 5e-3 and abs(plain.std() - 1) < 1e-2
    assert errors[1] < 1e-5 if mean == 0 else errors[1] > (1e-2 if mean == 300 else 1)
PY
echo "as described"

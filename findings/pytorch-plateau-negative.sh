#!/usr/bin/env bash
# PyTorch's ReduceLROnPlateau takes a worse value for a better one where the monitored figure is negative.
#
# Version:   PyTorch 2.13.0 (CPU).
# Behaviour: with the defaults (mode "min", threshold_mode "rel", threshold 1e-4) a value v is an improvement if v < best·(1 − 1e-4). For a
#            negative best that bound lies above best, so that standing still and getting slowly worse both count as improvement, and
#            `best` follows the figure upwards.
# Seen:      −1, then each value worse by a factor of 1 − 5e-5, patience 0, factor 0.1: after 20 steps the rate is untouched and best is
#            −0.99905; the positive figures 1, 1 + 5e-5, … with the same settings bring the rate to 1e-8.
# Guess:     the relative threshold asks for an improvement by 1e-4 of the magnitude, whatever the sign.
# Matters:   negative log-likelihoods of densities, ELBOs and losses with an entropy term are negative: the rate is never reduced, which looks like
#            a figure that still improves. threshold_mode="abs" does what is meant.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch==2.13.0" "numpy==2.4.6"
"$folder/venv/bin/python" - <<'PY'
import torch


def run(sign, steps=20):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, factor=0.1)
    value = sign * 1.0
    for _ in range(steps):
        schedule.step(value)
        value += 5e-5 * abs(value)  # worse every time, for either sign
    return optimizer.param_groups[0]["lr"], schedule.best


for sign in (-1, 1):
    rate, best = run(sign)
    print(f"sign {sign}: rate {rate:.3g}, best {best:.5f}")
    assert (rate == 1.0 and best > -0.9992) if sign < 0 else (rate < 1e-6 and best == 1.0), (rate, best)
PY
echo "as described"

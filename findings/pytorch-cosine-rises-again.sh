#!/usr/bin/env bash
# PyTorch's CosineAnnealingLR climbs back to the full rate when a run goes on past T_max.
#
# Version:   PyTorch 2.13.0 (CPU).
# Behaviour: the recursive form follows the cosine on; only warm restarts have an end to a period in their name. Keras' CosineDecay of
#            the same formula stays at its floor.
# Seen:      rate 1, T_max 5: steps 0–5 give 1, 0.905, 0.655, 0.345, 0.095, 0; step 6 gives 0.095, step 10 again 1.
# Guess:     annealing ends at eta_min and stays there.
# Matters:   an off-by-some in T_max (epochs instead of steps, a resumed run with a few more epochs, the last partial epoch) trains the
#            final steps with a rising rate, which undoes the annealing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch==2.13.0" "numpy==2.4.6"
cd "$folder"
HOME="$folder" "$folder/venv/bin/python" - <<'PY'
import torch

weight = torch.nn.Parameter(torch.zeros(1))
optimizer = torch.optim.SGD([weight], lr=1.0)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=5)
rates = []
for _ in range(11):
    rates.append(optimizer.param_groups[0]["lr"])
    optimizer.step()
    schedule.step()
print([round(rate, 3) for rate in rates])
assert abs(rates[5]) < 1e-12 and abs(rates[6] - rates[4]) < 1e-9 and abs(rates[10] - 1) < 1e-9
PY
echo "as described"

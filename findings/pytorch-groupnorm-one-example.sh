#!/usr/bin/env bash
# PyTorch's GroupNorm refuses an example alone that it accepts in a batch, in evaluation too.
#
# Version:   PyTorch 2.13.0 (CPU).
# Behaviour: the statistics are of one example and group, the check against "one value" counts the examples of the batch too. With one
#            channel a group and no positions, a batch of two passes (every output is the shift), one example is a ValueError that speaks of
#            training; eval() changes nothing.
# Seen:      GroupNorm(4, 4): [2, 4] gives zeros, [1, 4] raises "Expected more than 1 value per channel when training"; also after eval().
# Guess:     group normalization does not know the batch: that is what it is chosen for.
# Matters:   a network that trains, and answers in batches, fails at the first single request; in a batch such a layer has long answered a
#            constant, which no error told (a pooled head, an image of one pixel after the last stride).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch==2.13.0" "numpy==2.4.6"
"$folder/venv/bin/python" - <<'PY'
import torch

layer = torch.nn.GroupNorm(4, 4)
for training in (True, False):
    layer.train(training)
    with torch.no_grad():
        assert layer(torch.randn(2, 4)).abs().max() < 1e-3
        try:
            layer(torch.randn(1, 4))
        except ValueError as error:
            print("training" if training else "evaluation", error)
            assert "more than 1 value per channel when training" in str(error)
        else:
            raise AssertionError("one example was accepted")
assert torch.nn.GroupNorm(2, 4)(torch.randn(1, 4)).abs().max() > 0.5
PY
echo "as described"

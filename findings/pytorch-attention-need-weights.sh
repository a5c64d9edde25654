#!/usr/bin/env bash
# Whether PyTorch's attention is asked to return its weights decides whether an empty sequence comes out as zeros or as NaN.
#
# Version:   PyTorch 2.13.0.
# Behaviour: of a sequence whose keys are all padding `nn.MultiheadAttention` gives zeros with `need_weights=False`, as `scaled_dot_product_attention` does, and
#            NaN with `need_weights=True`, the default, which is another path of the code. In training and in evaluation.
# Seen:      two sequences of 3 steps, the second all padding: its outputs are 0 without weights and NaN with them; those of the first are the same both ways.
# Guess:     `need_weights` says what is returned, not what is computed.
# Matters:   a batch with one empty text or history trains until somebody asks for the weights to draw them, and is NaN from then on; a model that was compared
#            without weights elsewhere differs with them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch==2.13.0" "numpy==2.4.6"
cd "$folder"
cat >attention.py <<'PY'
import torch

torch.manual_seed(0)
attention = torch.nn.MultiheadAttention(4, 2, batch_first=True)
x = torch.randn(2, 3, 4)
padding = torch.tensor([[False, False, True], [True, True, True]])
for training in (True, False):
    attention.train(training)
    outputs = [attention(x, x, x, key_padding_mask=padding, need_weights=need)[0].detach() for need in (True, False)]
    print(
        "training" if training else "evaluation",
        "with weights:", "NaN" if outputs[0][1].isnan().all() else outputs[0][1].tolist(),
        "without:", "zeros" if (outputs[1][1] == 0).all() else outputs[1][1].tolist(),
        "the other sequence:", "alike" if torch.allclose(outputs[0][0], outputs[1][0], atol=1e-6) else "differs",
    )
PY
"$folder/venv/bin/python" attention.py | tee seen
[ "$(grep -c 'with weights: NaN without: zeros the other sequence: alike' seen)" = 2 ]
echo "as described"

#!/usr/bin/env bash
# Whether PyTorch's strict loading misses batch normalization's counter depends on an attribute that the state dict carries unseen.
#
# Version:   PyTorch 2.13.0 (CPU), safetensors 0.8.0.
# Behaviour: state_dict() gives a dict with an attribute _metadata, which holds a version for each module; torch.save keeps it, dict(…), a
#            comprehension and safetensors do not. Without it the layer takes the file for one of an early PyTorch and fills in
#            num_batches_tracked from itself.
# Seen:      a state dict without that key: "Missing key(s)" as it is and through torch.save; "All keys matched" as dict(state) and through
#            safetensors.
# Guess:     strict=True compares the keys of two dicts: same keys, same answer.
# Matters:   a conversion that forgets the counter passes or fails its strict test by the file format that it was tried with; what was
#            loaded keeps the counter of the model at hand, and with momentum=None that decides how much the loaded statistics weigh.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch==2.13.0" "safetensors==0.8.0" "numpy==2.4.6" "packaging==26.4"
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
import torch
from safetensors.torch import load_file, save_file

state = torch.nn.BatchNorm1d(2).state_dict()
del state["num_batches_tracked"]
torch.save(state, "state.pt")
save_file(state, "state.safetensors")


def loads(name, found):
    assert set(found) == set(state)
    try:
        answer = str(torch.nn.BatchNorm1d(2).load_state_dict(found, strict=True))
    except RuntimeError as error:
        answer = str(error)
    print(f"{name}: {' '.join(answer.split())}")
    return "matched" in answer


assert not loads("as it is", state)
assert not loads("torch.save", torch.load("state.pt"))
assert loads("dict", dict(state))
assert loads("safetensors", load_file("state.safetensors"))
PY
echo "as described"

#!/usr/bin/env bash
# save_model of safetensors writes tied weights under the name that sorts first, not under the one that PyTorch counts as the parameter's.
#
# Version:   safetensors 0.8.0, PyTorch 2.13.0 (CPU).
# Behaviour: of several names of one tensor the alphabetically first is kept; the others stand in the header's metadata. named_parameters() of the same
#            module names the one that was registered first.
# Seen:      modules embed and decoder with one weight: named_parameters() has embed.weight alone, the file decoder.weight alone, with
#            metadata {"embed.weight": "decoder.weight"}. With head in the place of decoder the file has embed.weight.
# Guess:     the file holds what named_parameters() lists; the tie is left out of it, as everywhere else.
# Matters:   readers that go by names (every one but load_model) find no embedding, or one whose presence depends on what the output layer was
#            called; an optimizer's state by name and a weights file of the same model do not meet.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch==2.13.0" "safetensors==0.8.0" "numpy==2.4.6" "packaging==26.4"
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
from safetensors import safe_open
from safetensors.torch import save_model
from torch import nn


def saved(output):
    model = nn.Module()
    model.embed = nn.Embedding(4, 2)
    setattr(model, output, nn.Linear(2, 4, bias=False))
    getattr(model, output).weight = model.embed.weight
    save_model(model, "tied.safetensors")
    with safe_open("tied.safetensors", "pt") as file:
        names, metadata = list(file.keys()), file.metadata()
    print(output, [name for name, _ in model.named_parameters()], names, metadata)
    assert [name for name, _ in model.named_parameters()] == ["embed.weight"]
    return names, metadata


names, metadata = saved("decoder")
assert names == ["decoder.weight"] and metadata["embed.weight"] == "decoder.weight"
names, metadata = saved("head")
assert names == ["embed.weight"] and metadata["head.weight"] == "embed.weight"
PY
echo "as described"

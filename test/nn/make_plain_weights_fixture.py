"""Weights of a PyTorch network under our names, in every element type of floats, and what the network gives with them."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

FIXTURES = Path(__file__).parent / "fixtures"

torch.manual_seed(3)
network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2)).double()
names = {"0.weight": "linear1.weight", "0.bias": "linear1.bias", "2.weight": "linear2.weight", "2.bias": "linear2.bias"}
x = torch.tensor([[0.5, -1.0, 2.0], [3.0, 0.25, -0.125]], dtype=torch.float64)
outputs = {}
for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
    weights = {names[name]: value.to(dtype).contiguous() for name, value in network.state_dict().items()}
    name = str(dtype).split(".")[1]
    save_file(weights, FIXTURES / f"plain-{name}.safetensors", metadata={"format": "pt"})
    rounded = {name: weights[ours].to(torch.float32).double() for name, ours in names.items()}
    outputs[name] = torch.func.functional_call(network, rounded, x).tolist()
(FIXTURES / "plain.json").write_text(json.dumps({"x": x.tolist(), "outputs": outputs}, indent=1) + "\n")

"""Writes fixtures/tabm.json: small networks of tabm, trained in float64 and in float32.

  pip install tabm==0.0.3
  python test/nn/make_tabm_fixture.py
"""

import json
import pathlib

import torch
from tabm import TabM
from torch import nn

ROWS, BATCH, STEPS, RATE = 24, 8, 100, 0.05
INPUTS, HIDDEN, MEMBERS, CLASSES, VALUES = 5, 12, 4, 3, 2
torch.manual_seed(3)
x = torch.randn(ROWS, INPUTS)
labels, values = torch.randint(CLASSES, (ROWS,)), torch.randn(ROWS, VALUES)


def make(outputs):
    return TabM(n_num_features=INPUTS, d_out=outputs, n_blocks=2, d_block=HIDDEN, dropout=0.0, k=MEMBERS, start_scaling_init="random-signs")


def loss_of(answers, rows, is_classes, dtype):
    """Mean over members of the loss of each."""
    flat = answers.flatten(0, 1)
    if is_classes:
        return nn.functional.cross_entropy(flat, labels[rows].repeat_interleave(MEMBERS))
    return nn.functional.mse_loss(flat, values[rows].to(dtype).repeat_interleave(MEMBERS, 0))


def trained(start, is_classes, dtype, order):
    model = make(CLASSES if is_classes else VALUES)
    model.load_state_dict(start)
    model.to(dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    kept = []
    for step in range(STEPS):
        rows = [step * BATCH % ROWS + row for row in order]
        optimizer.zero_grad()
        loss_of(model(x[rows].to(dtype)), rows, is_classes, dtype).backward()
        optimizer.step()
        if step in (1, STEPS - 1):
            kept.append(numbers(model, is_classes, dtype))
    return kept


def ours(named):
    """Weights by our names: those of the heads lie as [members, outputs, inputs]."""
    names = {"backbone.blocks.0.0": "batchEnsemble1", "backbone.blocks.1.0": "batchEnsemble2", "output": "memberLinear1"}
    keys = {"r": "given", "s": "gives"}
    turned = ((name.rsplit(".", 1), p.transpose(1, 2) if p.dim() == 3 else p) for name, p in named)
    return {f"{names[layer]}.{keys.get(key, key)}": p.detach().flatten().tolist() for (layer, key), p in turned}


def numbers(model, is_classes, dtype):
    with torch.no_grad():
        answers = model(x.to(dtype))
        told = answers.softmax(-1).mean(1) if is_classes else answers.mean(1)
    return {**ours(model.named_parameters()), "predicted": told.flatten().tolist()}


def distance(a, b):
    return sum((p - q) ** 2 for name in a for p, q in zip(a[name], b[name])) ** 0.5


def case(is_classes):
    start = make(CLASSES if is_classes else VALUES).state_dict()
    second, last = trained(start, is_classes, torch.float64, range(BATCH))
    orders = [torch.randperm(BATCH, generator=torch.Generator().manual_seed(seed)).tolist() for seed in range(8)]
    narrow = [trained(start, is_classes, torch.float32, order)[1] for order in orders]
    return {"first": ours(start.items()), "second": second, "last": last, "distance": max(distance(last, each) for each in narrow)}


made = {
    **{"batch": BATCH, "steps": STEPS, "rate": RATE, "x": x.tolist(), "labels": labels.tolist(), "values": values.tolist()},
    "cases": {"classes": case(True), "values": case(False)},
}
path = pathlib.Path(__file__).parent / "fixtures" / "tabm.json"
path.write_text(json.dumps(json.loads(json.dumps(made), parse_float=lambda text: float(f"{float(text):.12g}"))) + "\n")

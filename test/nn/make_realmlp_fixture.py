"""Writes fixtures/realmlp.json: RealMLP-TD-S and RealMLP-TD of pytabkit, made and trained by its own code in float64 and in float32.

  pip install pytabkit==1.8.0
  python test/nn/make_realmlp_fixture.py

Hidden layers are 16 wide and nothing is dropped out; all else is as its defaults have it.
"""

import json
import pathlib
from types import SimpleNamespace

import torch
from pytabkit.models.alg_interfaces.base import InterfaceResources, SplitIdxs
from pytabkit.models.data.data import DictDataset, TensorInfo
from pytabkit.models.optim.optimizers import get_opt_class
from pytabkit.models.sklearn.default_params import DefaultParams
from pytabkit.models.training.nn_creator import NNCreator

ROWS, BATCH, STEPS, CLASSES = 40, 20, 50, 3
SIZES = [3, 5, 13]  # of categories: values, and one for what is missing
torch.set_default_dtype(torch.float64)
torch.manual_seed(5)

numbers = torch.round(64 * torch.randn(ROWS, 3) * torch.tensor([1.0, 30.0, 0.2])) / 64
numbers[:, 2] = (numbers[:, 2] > 0.25) * 3.0
codes = torch.stack([torch.randint(1, size, (ROWS,)) for size in SIZES], dim=1)
codes[::11, 1] = 0
values = torch.stack([numbers[:, 0] * 2 + codes[:, 0], torch.randn(ROWS)], dim=1)
labels = (codes[:, 0] + (numbers[:, 0] > 0)).long() % CLASSES

PRESETS = {
    "fast classes": ("RealMLP_TD_S_CLASS", labels[:, None]),
    "fast values": ("RealMLP_TD_S_REG", values),
    "auto classes": ("RealMLP_TD_CLASS", labels[:, None]),
    "auto values": ("RealMLP_TD_REG", values),
}


class Trained:
    """A network of pytabkit on all rows, its schedules and its optimizer."""

    def __init__(self, preset, dtype, start=None):
        name, y = PRESETS[preset]
        config = {**getattr(DefaultParams, name), "hidden_sizes": [16] * 3, "p_drop": 0.0, "use_early_stopping": False}
        is_classes = not y.is_floating_point()
        infos = {
            "x_cont": TensorInfo(feat_shape=[3]),
            "x_cat": TensorInfo(cat_sizes=SIZES),
            "y": TensorInfo(cat_sizes=[CLASSES]) if is_classes else TensorInfo(feat_shape=[y.shape[1]]),
        }
        dataset = DictDataset({"x_cont": numbers, "x_cat": codes, "y": y}, infos)
        rows = torch.arange(ROWS)[None]
        splits = [SplitIdxs(rows, None, None, split_seed=3, sub_split_seeds=[3], split_id=0)]
        self.creator = NNCreator(**config)
        self.creator.setup_from_dataset(dataset, splits, InterfaceResources(n_threads=1, gpu_devices=[]))
        self.model = self.creator.create_model(dataset, splits)
        self.criterion, _ = self.creator.get_criterions()
        static = self.creator.static_model
        self.model.train()
        static.train()
        self.tensors = static(dataset).tensors
        self.named = dict(zip(map(scope_of, self.model.parameters()), self.model.parameters()))
        with torch.no_grad():
            for name, parameter in self.named.items():
                parameter.copy_(parameter.float() if start is None else start[name])
        self.start = {name: p.detach().clone() for name, p in self.named.items()}
        self.model.to(dtype)
        self.dtype = dtype
        manager = self.creator.hp_manager
        self.optimizer = get_opt_class("adam")([{"params": [p], "lr": 0.01} for p in self.model.parameters()], manager)

    def batch(self, rows):
        change = lambda t: t[rows][None].to(self.dtype) if t.is_floating_point() else t[rows][None]
        return {name: change(t) for name, t in self.tensors.items()}

    def step(self, at, rows):
        progress = SimpleNamespace(get_fit_progress=lambda: at / STEPS, epoch_float=at / STEPS, max_epochs=1)
        self.creator.hp_manager.update_hypers(SimpleNamespace(progress=progress))
        output = self.model(self.batch(rows))
        self.optimizer.zero_grad()
        self.criterion(output["x_cont"], output["y"]).sum().backward()
        self.optimizer.step(loss=None)

    def kept(self):
        self.model.eval()
        with torch.no_grad():
            predicted = self.model(self.batch(torch.arange(ROWS)))["x_cont"][0]
        self.model.train()
        return {**{name: listed(name, p) for name, p in self.named.items()}, "predicted": predicted.flatten().tolist()}


PLACES = {"/plr": "numericEmbedding", "/tfms": "categories", "layer-0": "layer1", "layer-1": "layer2", "layer-2": "layer3", "layer-3": "layer4"}
KEYS = {"weight_1": "frequency", "weight_2": "weight", "bias_1": "phase", "bias_2": "bias", "emb": "table", "act": "share"}


def scope_of(parameter):
    """Our name: of layers in their order, their scale, weight, bias and share."""
    scope, key = str(parameter.context.scope).rsplit("/", 1)
    place = next(ours for theirs, ours in PLACES.items() if theirs in scope)
    return f"{place}.{KEYS.get(key, key)}"


def listed(name, p):
    """Elements in our order: weights lie as [out, in]."""
    return (p.transpose(-1, -2) if name.endswith(".weight") else p).detach().flatten().tolist()


def trained(preset, dtype, start, order):
    run = Trained(preset, dtype, start)
    kept = []
    for at in range(STEPS):
        run.step(at, (at * BATCH % ROWS) + order)
        if at in (1, STEPS - 1):
            kept.append(run.kept())
    return kept


def distance(a, b):
    return sum((p - q) ** 2 for name in a for p, q in zip(a[name], b[name])) ** 0.5


def case(preset):
    first = Trained(preset, torch.float64)
    order = torch.arange(BATCH)
    second, last = trained(preset, torch.float64, first.start, order)
    orders = [torch.randperm(BATCH, generator=torch.Generator().manual_seed(seed)) for seed in range(6)]
    narrow = [trained(preset, torch.float32, first.start, each)[1] for each in orders]
    return {
        "first": {name: listed(name, p) for name, p in first.start.items()},
        "second": second,
        "last": last,
        "distance": max(distance(last, each) for each in narrow),
    }


if __name__ == "__main__":
    made = {
        **{"rows": ROWS, "batch": BATCH, "steps": STEPS, "numbers": numbers.tolist(), "codes": codes.tolist()},
        **{"labels": labels.tolist(), "values": values.tolist()},
        "cases": {preset: case(preset) for preset in PRESETS},
    }
    shorter = json.loads(json.dumps(made), parse_float=lambda text: float(f"{float(text):.10g}"))
    path = pathlib.Path(__file__).parent / "fixtures" / "realmlp.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(shorter) + "\n")

"""Writes fixtures/tabular.json: small networks of the layers of pytabkit, trained in float64 and in float32.

  pip install pytabkit==1.8.0
  python test/nn/make_tabular_fixture.py
"""

import json
import pathlib

import torch
from pytabkit.models.nn_models.activations import ParametricActivationLayer, mish
from pytabkit.models.data.data import DictDataset, TensorInfo
from pytabkit.models.nn_models.base import BiasLayer, ScaleLayer, TrainContext, WeightLayer
from pytabkit.models.nn_models.nn import (
    ClampOutputFactory,
    NormalizeOutputFactory,
    PLREmbeddingsLayer,
    PLREmbeddingsLayerCosBias,
)
from pytabkit.models.nn_models.pipeline import MedianCenterFactory, RobustScaleFactory
from pytabkit.models.training.scheduling import get_schedule
from torch import nn

ROWS, BATCH, STEPS, RATE = 24, 8, 200, 0.02
INPUTS, HIDDEN, OUTPUTS = 4, 16, 2
torch.manual_seed(17)


class Linear(nn.Module):
    """x·W/√in + b, as weight_param='ntk' has it."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs))
        self.bias = nn.Parameter(torch.randn(outputs))

    def forward(self, x):
        product = WeightLayer(self.weight.T, factor=self.weight.shape[1] ** -0.5).forward_cont(x)
        return BiasLayer(self.bias).forward_cont(product)


class Scale(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(size))

    def forward(self, x):
        return ScaleLayer(self.scale).forward_cont(x)


class Parametric(nn.Module):
    def __init__(self, size, function):
        super().__init__()
        self.share = nn.Parameter(0.5 + torch.rand(size))
        self.function = function

    def forward(self, x):
        return ParametricActivationLayer(self.function, self.share).forward_cont(x)


class Numeric(nn.Module):
    """num_emb_type 'pbld' and 'plr'; weights lie as [columns, outputs, frequencies]."""

    def __init__(self, columns, frequencies, size, form):
        super().__init__()
        waves, mixes = (frequencies, size - 1) if form == "pbld" else (2 * frequencies, size)
        self.frequency = nn.Parameter(0.3 * torch.randn(columns, frequencies))
        self.weight = nn.Parameter((2 * torch.rand(columns, mixes, waves) - 1) / waves**0.5)
        self.bias = nn.Parameter((2 * torch.rand(columns, mixes) - 1) / waves**0.5)
        if form == "pbld":
            self.phase = nn.Parameter(torch.pi * (2 * torch.rand(columns, frequencies) - 1))

    def forward(self, x):
        frequency, weight, bias = self.frequency[:, None], self.weight.transpose(1, 2), self.bias[:, None]
        if hasattr(self, "phase"):
            phase = self.phase[:, None]
            return PLREmbeddingsLayerCosBias(None, frequency, phase, weight, bias, "linear", True).forward_cont(x)
        return PLREmbeddingsLayer(None, frequency, weight, bias, "relu").forward_cont(x)


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


# Modules by our names.
CASES = {
    "fast": lambda: {
        "scale1": Scale(INPUTS),
        "ntkLinear1": Linear(INPUTS, HIDDEN),
        "selu": Function(torch.selu),
        "ntkLinear2": Linear(HIDDEN, HIDDEN),
        "mish": Function(mish),
        "ntkLinear3": Linear(HIDDEN, OUTPUTS),
    },
    "pbld": lambda: {
        "numericEmbedding1": Numeric(INPUTS, 16, 4, "pbld"),
        "ntkLinear1": Linear(4 * INPUTS, HIDDEN),
        "parametricActivation1": Parametric(HIDDEN, torch.selu),
        "ntkLinear2": Linear(HIDDEN, OUTPUTS),
    },
    "plr": lambda: {
        "numericEmbedding1": Numeric(INPUTS, 5, 3, "plr"),
        "ntkLinear1": Linear(3 * INPUTS, HIDDEN),
        "parametricActivation1": Parametric(HIDDEN, mish),
        "ntkLinear2": Linear(HIDDEN, OUTPUTS),
    },
}

x, y = torch.randn(ROWS, INPUTS), torch.randn(ROWS, OUTPUTS)


def network(case, start, dtype):
    modules = CASES[case]()
    model = nn.Sequential(*modules.values())
    named = {f"{name}.{role}": p for name, module in modules.items() for role, p in module.named_parameters()}
    with torch.no_grad():
        for name, parameter in named.items():
            if start is not None:
                parameter.copy_(start[name])
    model.to(dtype)
    return model, named


def kept(model, named, dtype):
    values = {name: p.detach().flatten().tolist() for name, p in named.items()}
    model.eval()
    with torch.no_grad():
        predicted = model(x.to(dtype)).flatten().tolist()
    model.train()
    return {**values, "predicted": predicted}


def sgd(model, named, step):
    with torch.no_grad():
        for p in named.values():
            p -= RATE * p.grad


class Scheduled:
    """Adam, its rate and a decoupled decay on schedules; the factor of a parameter's rate enters both, the decay's twice."""

    RATE, DECAY = 0.04, 0.02

    def __init__(self, named):
        self.rate, self.decay = get_schedule("coslog4"), get_schedule("flat_cos")
        self.groups = [
            {"params": [p], "factor": 6.0 if "scale" in name else 0.1 if "bias" in name else 1.0, "decays": "bias" not in name}
            for name, p in named.items()
        ]
        self.adam = torch.optim.Adam(self.groups, lr=0.0, betas=(0.9, 0.95), eps=1e-8)

    def __call__(self, model, named, step):
        for schedule in (self.rate, self.decay):
            schedule.t = step / STEPS
        for group in self.adam.param_groups:
            factor = group["factor"]
            rate = self.RATE * self.rate.get_value() * factor
            if group["decays"]:
                with torch.no_grad():
                    for p in group["params"]:
                        p.mul_(1 - self.DECAY * self.decay.get_value() * rate * factor)
            group["lr"] = rate
        self.adam.step()


def trained(case, start, dtype, optimizer, order=range(BATCH)):
    """`order`: of the rows of each batch, which changes roundings alone."""
    model, named = network(case, start, dtype)
    step_by = optimizer(named)
    runs = []
    for step in range(STEPS):
        rows = [step * BATCH % ROWS + row for row in order]
        model.zero_grad()
        nn.functional.mse_loss(model(x[rows].to(dtype)), y[rows].to(dtype)).backward()
        step_by(model, named, step)
        if step in (1, STEPS - 1):
            runs.append(kept(model, named, dtype))
    return runs


def distance(a, b):
    return sum((p - q) ** 2 for name in a for p, q in zip(a[name], b[name])) ** 0.5


def runs(case, optimizer):
    _, named = network(case, None, torch.float32)
    start = {name: p.detach().clone() for name, p in named.items()}
    second, last = trained(case, start, torch.float64, optimizer)
    orders = [torch.randperm(BATCH, generator=torch.Generator().manual_seed(seed)).tolist() for seed in range(8)]
    narrow = [trained(case, start, torch.float32, optimizer, order)[1] for order in orders]
    return {
        "first": {name: value.flatten().tolist() for name, value in start.items()},
        "second": second,
        "last": last,
        "distance": max(distance(last, each) for each in narrow),
    }


def value_at(name, time):
    schedule = get_schedule(name)
    schedule.t = time
    return float(schedule.get_value())


def robust():
    """Median, scale and smooth clip of columns: normal, with outliers, of equal quartiles, of two values, constant."""
    table = torch.randn(41, 5, dtype=torch.float64)
    table[:, 1] = 1000 * table[:, 1] ** 5
    table[:, 2] = (table[:, 2] > 1.2).double() * 4 + 3
    table[:, 3] = (table[:, 3] > 0).double() * 2 - 1
    table[:, 4] = 7
    dataset = DictDataset({"x_cont": table}, {"x_cont": TensorInfo(feat_shape=[5])})
    centre, centred = MedianCenterFactory().fit_transform(dataset)
    _, scaled = RobustScaleFactory().fit_transform(centred)
    x = scaled.tensors["x_cont"]
    return {"table": table.tolist(), "scaled": x.tolist(), "clipped": (x / (1 + (x / 3) ** 2).sqrt()).tolist()}


class Known:
    """What TrainContext gives layers that are fitted on the training rows."""

    def __init__(self, dataset):
        self.dataset = dataset

    def get_more_info_dict(self):
        return {"trainval_ds": self.dataset}


def clamped():
    """Answers in the units of normal targets, back in those of the targets, and clamped to their range."""
    generator = torch.Generator().manual_seed(23)
    targets = torch.randn(37, 3, generator=generator).double() * torch.tensor([1.0, 250.0, 1e-3]) + torch.tensor([0.0, 4000.0, 5.0])
    targets = targets.float().double()
    answers = (2.5 * torch.randn(40, 3, generator=generator)).double()
    TrainContext.get_global_context().hp_manager = Known(DictDataset({"y": targets}, {"y": TensorInfo(feat_shape=[3])}))
    tensors = {"x_cont": answers}
    for factory in (NormalizeOutputFactory(), ClampOutputFactory()):
        layer = factory._fit(None)
        layer.eval()
        tensors = layer.forward_tensors(tensors)
    TrainContext.get_global_context().hp_manager = None
    return {"targets": targets.tolist(), "answers": answers.tolist(), "clamped": tensors["x_cont"].tolist()}


def by_sgd(named):
    return sgd


made = {
    "steps": STEPS,
    "batch": BATCH,
    "rate": RATE,
    "x": x.tolist(),
    "y": y.tolist(),
    "cases": {case: runs(case, by_sgd) for case in CASES},
    "robust": robust(),
    "scheduled": runs("fast", Scheduled),
    "schedules": {name: [value_at(name, step / 100) for step in range(100)] for name in ("coslog4", "flat_cos")},
    "clamped": clamped(),
}
path = pathlib.Path(__file__).parent / "fixtures" / "tabular.json"
path.write_text(json.dumps(made) + "\n")

"""Writes fixtures/pytorch.pt and fixtures/pytorch.json: modules of PyTorch 2.13, their state dicts as torch.save writes them, and what they
give in float64 for some inputs; fixtures/types.pt, types.safetensors: a value of every type; fixtures/training.pt: a training that goes on elsewhere.

    python test/exchange/make_pytorch_fixture.py
"""
import copy
import json
import pathlib

import torch
from torch import nn

FOLDER = pathlib.Path(__file__).parent / "fixtures"
torch.manual_seed(19)


def last(x):
    """[batch, channels, ...] as [batch, ..., channels]."""
    return x.movedim(1, -1) if x.dim() > 2 else x


class Last(nn.Module):
    """The outputs of the last step, of both directions behind one another where there are two."""

    def __init__(self, inner, hidden, both):
        super().__init__()
        self.inner, self.hidden, self.both = inner, hidden, both

    def forward(self, x):
        y, _ = self.inner(x)
        if not self.both:
            return y[:, -1]
        return torch.cat([y[:, -1, : self.hidden], y[:, 0, self.hidden :]], 1)


class Own(nn.Module):
    """Names of its own, and a flattened image in a forward of its own."""

    def __init__(self):
        super().__init__()
        self.features = nn.Conv2d(2, 3, 3, padding=1)
        self.fc1 = nn.Linear(3 * 4 * 4, 5)
        self.fc2 = nn.Linear(5, 2)

    def forward(self, x):
        return self.fc2(torch.tanh(self.fc1(torch.relu(self.features(x)).flatten(1))))


class Attend(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x):
        return self.inner(x, x, x, need_weights=False)[0]


def settle(module):
    """Running figures, scales and shifts that are not those of a new module."""
    for name, value in list(module.named_parameters()) + list(module.named_buffers()):
        if value.dim() == 1 and value.dtype.is_floating_point:
            with torch.no_grad():
                value.add_(torch.rand_like(value) * 0.5)
    return module.eval()


CASES = {
    "mlp": (nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.5), nn.Linear(6, 3)), torch.randn(5, 4)),
    "lenet": (
        nn.Sequential(
            nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 2, groups=2),
            nn.Flatten(), nn.BatchNorm1d(6 * 2 * 2), nn.Linear(6 * 2 * 2, 3),
        ),
        torch.randn(2, 2, 8, 8),
    ),
    "series": (nn.Sequential(nn.Conv1d(3, 4, 3, padding=1), nn.GELU(), nn.Flatten(), nn.Linear(4 * 5, 2)), torch.randn(2, 3, 5)),
    "grows": (nn.Sequential(nn.ConvTranspose2d(3, 4, 3, stride=2, padding=1, output_padding=1, groups=1)), torch.randn(2, 3, 3, 3)),
    "normed": (nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.Linear(6, 6, bias=False), nn.RMSNorm(6, eps=1e-5)), torch.randn(3, 4)),
    "grouped": (nn.Sequential(nn.Conv2d(2, 4, 1), nn.GroupNorm(2, 4)), torch.randn(2, 2, 3, 3)),
    "lstm": (Last(nn.LSTM(3, 4, num_layers=2, bidirectional=True, batch_first=True), 4, True), torch.randn(2, 5, 3)),
    "gru": (Last(nn.GRU(3, 4, batch_first=True), 4, False), torch.randn(2, 5, 3)),
    "rnn": (Last(nn.RNN(3, 4, nonlinearity="relu", batch_first=True), 4, False), torch.randn(2, 5, 3)),
    "attention": (Attend(), torch.randn(2, 5, 8)),
    "post": (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu"), torch.randn(2, 5, 8)),
    "pre": (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True, activation="relu"), torch.randn(2, 5, 8)),
    "own": (Own(), torch.randn(2, 2, 4, 4)),
    "table": (nn.Sequential(nn.Embedding(7, 3), nn.Flatten(), nn.Linear(12, 2)), torch.randint(0, 7, (3, 4))),
}

saved, told = {}, {}
for name, (module, x) in CASES.items():
    settle(module)
    saved[name] = {key: value.clone() for key, value in module.state_dict().items()}
    y = module.double()(x.double() if x.dtype.is_floating_point else x)
    images = x.dim() == 4 or name == "series"
    told[name] = {
        "x": (last(x) if images else x).flatten().tolist(),
        "xShape": list((last(x) if images else x).shape),
        "y": (last(y) if y.dim() == 4 else y).flatten().tolist(),
        "names": {key: list(value.shape) for key, value in saved[name].items()},
    }
torch.save(saved, FOLDER / "pytorch.pt")
(FOLDER / "pytorch.json").write_text(json.dumps(told) + "\n")

# One value of every type, whole, in another order of axes, and a part of another storage.
numbers = torch.tensor([[0.0, 1.5, -2.0], [448.0, 0.001953125, -0.25]])
typed = {
    str(dtype).removeprefix("torch."): numbers.to(dtype)
    for dtype in (
        *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8),
        *(torch.bool, torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz),
    )
}
typed["uint8"] = numbers.abs().clamp(max=255).to(torch.uint8)
typed |= {f"{name}_unsigned": numbers.abs().to(dtype) for name, dtype in (("uint16", torch.uint16), ("uint32", torch.uint32), ("uint64", torch.uint64))}
whole = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
views = {"turned": whole.permute(2, 0, 1), "part": whole[1, 1:], "step": whole[:, :, ::2], "repeated": torch.tensor([[1.0], [2.0]]).expand(2, 3), "none": torch.zeros(0, 3), "scalar": torch.tensor(7.0)}
old = {name: value for name, value in {**typed, **views}.items() if not name.startswith("float8") and "unsigned" not in name}
torch.save(old, FOLDER / "old.pt", _use_new_zipfile_serialization=False)
torch.save({**typed, **views, "parameter": nn.Parameter(torch.tensor([1.0, 2.0])), "epoch": 3, "note": "é", "shape": torch.Size([2, 3])}, FOLDER / "types.pt")
(FOLDER / "types.json").write_text(
    json.dumps({name: {"shape": list(value.shape), "data": value.double().flatten().tolist()} for name, value in {**typed, **views}.items()}) + "\n"
)
from safetensors.torch import save_file  # noqa: E402

save_file({name: value.contiguous() for name, value in typed.items()}, FOLDER / "types.safetensors", metadata={"format": "pt"})

# A training: twenty steps here, kept as a checkpoint; then the losses of fifty more in float64.
def trainings():
    cases = {
        "adam": lambda p: torch.optim.Adam(p, lr=0.01),
        "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
        "sgd": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
        "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.003, momentum=0.5, centered=True),
        "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.05),
        "amsgrad": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True),
    }
    saved, told = {}, {}
    for name, make in cases.items():
        torch.manual_seed(5)
        net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(12, 2)).double()
        optimizer = make(net.parameters())
        x, y = torch.randn(8, 1, 4, 4, dtype=torch.float32).double(), torch.randn(8, 2, dtype=torch.float32).double()

        def step():
            optimizer.zero_grad()
            loss = ((net(x) - y) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss.item()

        for _ in range(20):
            step()
        net.float()  # what goes on are the numbers of the file
        net.double()
        with torch.no_grad():
            for state in optimizer.state.values():
                for key, value in state.items():
                    if torch.is_tensor(value) and value.dim() > 0:
                        state[key] = value.float()
        saved[name] = {
            "net": {key: value.float().clone() for key, value in net.state_dict().items()},
            "optimizer": {
                "state": {at: {k: v.clone() if torch.is_tensor(v) else v for k, v in s.items()} for at, s in optimizer.state_dict()["state"].items()},
                "param_groups": optimizer.state_dict()["param_groups"],
            },
            "epoch": 20,
        }
        with torch.no_grad():
            for state in optimizer.state.values():
                for key, value in state.items():
                    if torch.is_tensor(value) and value.dim() > 0:
                        state[key] = value.double()
        told[name] = {"x": last(x).flatten().tolist(), "y": y.flatten().tolist(), "losses": [step() for _ in range(50)]}
    torch.save(saved, FOLDER / "training.pt")
    (FOLDER / "training.json").write_text(json.dumps(told) + "\n")


trainings()


# Series whose first layer is a norm: nobody else says that channels are their first axis. What they give in float64, with the state dict beside it.
def normed_series():
    told = {}
    for name, norm in {"batch": nn.BatchNorm1d(3), "group": nn.GroupNorm(1, 3)}.items():
        torch.manual_seed(6)
        net = settle(nn.Sequential(norm, nn.Tanh(), nn.Flatten(), nn.Linear(12, 2)))
        state = {key: {"shape": list(value.shape), "data": value.flatten().tolist()} for key, value in net.state_dict().items()}
        x = torch.randn(2, 3, 4)
        told[name] = {"state": state, "x": last(x).flatten().tolist(), "y": net.double()(x.double()).flatten().tolist()}
    (FOLDER / "normed-series.json").write_text(json.dumps(told) + "\n")


normed_series()


# An optimizer of two groups, whose order is not that of the network and whose parameters have the same shapes: without names, and with those that named parameters leave. Twenty steps here, five more in float64.
def groups():
    torch.manual_seed(7)
    saved, told = {}, {}
    for name in ("plain", "named"):
        net = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3))
        of = dict(net.named_parameters())
        order = ["2.weight", "2.bias"], ["0.weight", "0.bias"]
        both = [{"params": [(key, of[key]) if name == "named" else of[key] for key in group]} for group in order]
        optimizer = torch.optim.Adam(both, lr=0.01)
        x, y = torch.randn(8, 3), torch.randn(8, 3)

        def step():
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(net(x), y)
            loss.backward()
            optimizer.step()
            return loss.item()

        for _ in range(20):
            step()
        saved[name] = {"net": {key: value.clone() for key, value in net.state_dict().items()}, "optimizer": copy.deepcopy(optimizer.state_dict())}
        net.double()
        x, y = x.double(), y.double()
        for state in optimizer.state.values():
            for key, value in state.items():
                if torch.is_tensor(value) and value.dim() > 0:
                    state[key] = value.double()
        told[name] = {"x": x.flatten().tolist(), "y": y.flatten().tolist(), "losses": [step() for _ in range(5)]}
    torch.save(saved, FOLDER / "groups.pt")
    (FOLDER / "groups.json").write_text(json.dumps(told) + "\n")


groups()

"""Writes test/io/fixtures/*.safetensors with the official package, and reads files of ours with it.

    python3 -m venv /tmp/venv-st && /tmp/venv-st/bin/pip install safetensors==0.8.0 numpy torch==2.13.0
    /tmp/venv-st/bin/python test/io/make_safetensors_fixture.py              # writes the fixtures
    /tmp/venv-st/bin/python test/io/make_safetensors_fixture.py FILE...      # prints what the package reads
"""

import sys
from pathlib import Path

import numpy
from safetensors import safe_open
from safetensors.numpy import save_file

FIXTURES = Path(__file__).parent / "fixtures"


def write() -> None:
    FIXTURES.mkdir(exist_ok=True)
    mixed = {
        "linear1.weight": numpy.arange(6, dtype=numpy.float32).reshape(2, 3) / 4 - 1,
        "linear1.bias": numpy.array([numpy.nan, -0.0], dtype=numpy.float32),
        "labels": numpy.array([[-(2**31)], [2**31 - 1]], dtype=numpy.int32),
        "pixels": numpy.array([0, 255, 7], dtype=numpy.uint8),
        "scalar": numpy.array(1.5, dtype=numpy.float32),
        "empty": numpy.zeros((0, 4), dtype=numpy.float32),
        "name with \"quotes\" é": numpy.array([3.25], dtype=numpy.float32),
    }
    save_file(mixed, FIXTURES / "mixed.safetensors", metadata={"format": "carillon"})
    save_file({"flags": numpy.ones(2, dtype=bool)}, FIXTURES / "bool.safetensors")
    write_types()


def write_types() -> None:
    """Every element type with its extremes; those of floats with what PyTorch makes of them as float32."""
    import torch
    from safetensors.torch import save_file as save_torch

    tensors = {}
    for bits in (8, 16, 32, 64):
        for name in (f"int{bits}", f"uint{bits}"):
            dtype = getattr(torch, name)
            tensors[name] = torch.tensor([torch.iinfo(dtype).min, 1, torch.iinfo(dtype).max], dtype=dtype)
    some = [0.0, -0.0, 1.0, -1.5, 0.1, 1 / 3, 6e-8, -3e-5, 6.2e-5, 65504.0, 1e-7, 1.1754942e-38, 1e-45]
    some += [float("inf"), float("-inf"), float("nan"), 1 + 2**-24, 1 + 3 * 2**-24, 3.5e38, 1e-60]
    for name in ("float16", "bfloat16", "float64"):
        tensors[name] = torch.tensor(some, dtype=torch.float64).to(getattr(torch, name))
        tensors[f"{name} as float32"] = tensors[name].to(torch.float32)
    save_torch(tensors, FIXTURES / "types.safetensors")


def show(path: str) -> None:
    with safe_open(path, framework="numpy") as file:
        print(path, file.metadata())
        for name in file.keys():
            value = file.get_tensor(name)
            print(repr(name), value.dtype, value.shape, value.ravel()[:8])


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        show(argument)
    if len(sys.argv) == 1:
        write()

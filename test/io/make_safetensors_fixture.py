"""Writes test/io/fixtures/*.safetensors with the official package, and reads files of ours with it.

    python3 -m venv /tmp/venv-st && /tmp/venv-st/bin/pip install safetensors==0.8.0 numpy
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
    save_file({"double": numpy.ones(2)}, FIXTURES / "float64.safetensors")


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

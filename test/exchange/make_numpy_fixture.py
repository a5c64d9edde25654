"""Writes fixtures/arrays.npz, deflated.npz, columns.npy, big.npy, arrays.json with NumPy 2, and other.pt, module.pt with PyTorch 2.13: pickles that name more than tensors.

    python test/exchange/make_numpy_fixture.py
"""
import fractions
import json
import pathlib

import numpy as np
import torch

FOLDER = pathlib.Path(__file__).parent / "fixtures"
numbers = np.array([[0, 1.5, -2], [100, 0.125, np.nan]])
with np.errstate(invalid="ignore"):
    arrays = {name: np.nan_to_num(numbers).astype(name) for name in ("int64", "int32", "int16", "int8", "bool")}
    arrays |= {name: np.nan_to_num(np.abs(numbers)).astype(name) for name in ("uint64", "uint32", "uint16", "uint8")}
arrays |= {name: numbers.astype(name) for name in ("float64", "float32", "float16")}
arrays |= {"scalar": np.float32(3), "none": np.zeros((0, 2), np.float32), "turned": np.asfortranarray(np.arange(24, dtype=np.float32).reshape(2, 3, 4))}
np.savez(FOLDER / "arrays.npz", **arrays)
np.savez_compressed(FOLDER / "deflated.npz", **arrays)
np.save(FOLDER / "columns.npy", np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)))
np.save(FOLDER / "big.npy", np.arange(6, dtype=">i4").reshape(2, 3))
told = {name: {"shape": list(value.shape), "data": np.asarray(value).astype(np.float64).flatten().tolist()} for name, value in arrays.items()}
(FOLDER / "arrays.json").write_text(json.dumps(told) + "\n")


torch.save({"weight": torch.zeros(2), "more": fractions.Fraction(1, 2)}, FOLDER / "other.pt")
torch.save(torch.nn.Linear(2, 1), FOLDER / "module.pt")

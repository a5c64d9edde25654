"""Writes fixtures/hdf5/*.h5 with h5py 3: types and filters that h5wasm has trouble with, links, and groups in one another.

    python test/exchange/make_hdf5_fixture.py
"""
import pathlib

import h5py
import numpy as np

FOLDER = pathlib.Path(__file__).parent / "fixtures" / "hdf5"
FOLDER.mkdir(exist_ok=True)
numbers = np.array([[0, 1.5, -2], [100, 0.125, 6.1e-5]], np.float32)

with h5py.File(FOLDER / "types.h5", "w") as file:
    for name in ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "uint16", "bool"):
        kept = np.abs(numbers) if name.startswith("u") else numbers
        file[f"a/{name}"] = kept.astype(name)
    file.create_dataset("b/deflated", data=numbers, chunks=(1, 2), compression="gzip", shuffle=True, fletcher32=True)
    file["scalar"] = np.float32(3)
    file["none"] = np.zeros((0, 2), np.float32)
with h5py.File(FOLDER / "lzf.h5", "w") as file:
    file.create_dataset("x", data=numbers, chunks=(2, 3), compression="lzf")
with h5py.File(FOLDER / "big.h5", "w") as file:
    file["x"] = numbers.astype(">f4")
with h5py.File(FOLDER / "text.h5", "w") as file:
    file["x"] = "text"
with h5py.File(FOLDER / "outside.h5", "w") as file:
    file["x"] = h5py.ExternalLink("elsewhere.h5", "/")
with h5py.File(FOLDER / "circle.h5", "w") as file:
    file.create_group("a")["again"] = file["/"]
with h5py.File(FOLDER / "wide.h5", "w") as file:  # sizes that nothing was ever written for
    file.create_dataset("x", shape=(1 << 20, 1 << 20), dtype="f4", chunks=(1 << 10, 1 << 10))
with h5py.File(FOLDER / "chunk.h5", "w") as file:
    file.create_dataset("x", shape=(4, 4), maxshape=(None, None), dtype="f4", chunks=(1 << 9, 1 << 9))

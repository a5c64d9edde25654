"""The other side of round_trip.ts: takes what was written here into PyTorch and Keras, strictly, and writes it again.

    python round_trip.py FOLDER
"""
import json
import os
import pathlib
import sys

os.environ["KERAS_BACKEND"] = "torch"
import keras
import numpy as np
import torch
from keras import layers as L
from torch import nn

FOLDER = pathlib.Path(sys.argv[1])

TORCH = {
    "rows": lambda: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.LayerNorm(6), nn.Linear(6, 3, bias=False)),
    "images": lambda: nn.Sequential(nn.Conv2d(2, 4, 3), nn.GroupNorm(2, 4), nn.ConvTranspose2d(4, 3, 2), nn.Flatten(), nn.Linear(75, 2)),
    "lstm": lambda: nn.ModuleList([nn.LSTM(3, 4, 2, bidirectional=True)]),
    "gru": lambda: nn.ModuleList([nn.GRU(3, 4)]),
    "attention": lambda: nn.ModuleList([nn.MultiheadAttention(8, 2), nn.TransformerEncoderLayer(8, 2, 32)]),
}
for name, make in TORCH.items():
    module = make()
    tensors = np.load(FOLDER / f"{name}.npz")
    module.load_state_dict({key: torch.from_numpy(tensors[key]) for key in tensors.files}, strict=True)
    torch.save(module.state_dict(), FOLDER / f"{name}.pt")

KERAS = {
    "keras rows": lambda: [L.Dense(6), L.BatchNormalization(), L.LayerNormalization(), L.Dense(3, use_bias=False)],
    "keras images": lambda: [L.Conv2D(4, 3), L.GroupNormalization(2), L.Conv2DTranspose(3, 2), L.Flatten(), L.Dense(2)],
    "keras steps": lambda: [L.Conv1D(4, 2), L.Bidirectional(L.LSTM(3, return_sequences=True)), L.GRU(4, return_sequences=True), L.SimpleRNN(2)],
}
told = json.loads((FOLDER / "keras.json").read_text())
for name, make in KERAS.items():
    x, y = np.array(told[name]["x"], np.float32).reshape(told[name]["shape"]), np.array(told[name]["y"])
    model = keras.Sequential([keras.Input(x.shape[1:]), *make()])
    model.load_weights(FOLDER / f"{name}.weights.h5")
    difference = np.abs(np.asarray(model(x, training=False).detach()).flatten() - y).max()
    assert difference < 5e-6, (name, difference)
    model.save_weights(FOLDER / f"{name} again.weights.h5")
for name, value in {"turned.npy": np.asfortranarray(np.arange(12, dtype=np.float32).reshape(3, 4))}.items():
    np.save(FOLDER / name, value)
array = np.load(FOLDER / "one.npy")
assert array.dtype == np.float32 and array.tolist() == [[1.5, -2.0], [0.25, 8.0]], array

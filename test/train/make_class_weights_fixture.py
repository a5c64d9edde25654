"""Writes test/train/fixtures/class_weights.json: one step of SGD, rate 1, from zeros, under class weights.

    KERAS_BACKEND=torch python test/train/make_class_weights_fixture.py    # torch 2.13, keras 3.15

A single input of 0, so that only the biases move; labels 0, 0, 0, 1; weights 0.5 and 2 of the two classes.
"""

import json
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import torch

LABELS = [0, 0, 0, 1]
WEIGHTS = [0.5, 2.0]
SMOOTHING = 0.2


def pytorch(smoothing):
    bias = torch.zeros(2, requires_grad=True)
    loss = torch.nn.CrossEntropyLoss(weight=torch.tensor(WEIGHTS), label_smoothing=smoothing)
    loss(bias.expand(len(LABELS), 2), torch.tensor(LABELS)).backward()
    return (-bias.grad).tolist()


def with_keras(smoothing):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2, kernel_initializer="zeros")])
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
    model.compile(keras.optimizers.SGD(1.0), loss)
    x, y = np.zeros((len(LABELS), 1), np.float32), np.eye(2, dtype=np.float32)[LABELS]
    model.fit(x, y, class_weight=dict(enumerate(WEIGHTS)), batch_size=len(LABELS), verbose=0)
    return model.get_weights()[1].tolist()


fixture = {
    name: {"labelSmoothing": smoothing, "pytorch": pytorch(smoothing), "keras": with_keras(smoothing)}
    for name, smoothing in (("plain", 0.0), ("smoothed", SMOOTHING))
}
path = Path(__file__).parent / "fixtures" / "class_weights.json"
path.write_text(json.dumps({"labels": LABELS, "weights": WEIGHTS, "steps": fixture}) + "\n")

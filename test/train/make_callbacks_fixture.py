"""Writes test/train/fixtures/callbacks.json: what Keras' callbacks decide, epoch after epoch.

    python3 -m venv /tmp/venv-keras && /tmp/venv-keras/bin/pip install keras==3.15.1 torch==2.13.0
    KERAS_BACKEND=torch /tmp/venv-keras/bin/python test/train/make_callbacks_fixture.py

Figures are multiples of 1/16, some of them NaN; minDelta and factors are powers of two, so that nothing is decided by
rounding. The first figure is none of the NaN: Keras would take it for the best one for ever.
"""

import json
import math
from pathlib import Path

import keras
import numpy as np

FIXTURES = Path(__file__).parent / "fixtures"
draw = np.random.default_rng(5)


class Optimizer:
    learning_rate = keras.Variable(1.0)


class Model:
    """As much of a model as the callbacks touch; its weights are the number of the epoch."""

    def __init__(self):
        self.optimizer = Optimizer()
        self.stop_training = False
        self.epoch = 0
        self.restored = None

    def get_weights(self):
        return self.epoch

    def set_weights(self, weights):
        self.restored = weights


def figures(epochs):
    walk = np.cumsum(draw.normal(size=epochs) * 0.25 - 0.1)
    values = np.round(walk * 16) / 16
    values[draw.uniform(size=epochs) < 0.05] = math.nan
    return values


def stopping(values, mode, **options):
    model = Model()
    callback = keras.callbacks.EarlyStopping(
        monitor="figure", mode=mode, restore_best_weights=True,
        patience=options["patience"], min_delta=options.get("minDelta", 0),
    )
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, value in enumerate(values):
        model.epoch = epoch + 1
        callback.on_epoch_end(epoch, {"figure": value})
        if model.stop_training:
            break
    callback.on_train_end()
    return {"epochs": model.epoch, "best": model.restored}


def reducing(values, mode, **options):
    model = Model()
    model.optimizer.learning_rate.assign(1.0)
    callback = keras.callbacks.ReduceLROnPlateau(
        monitor="figure", mode=mode, factor=options["factor"], patience=options["patience"],
        min_delta=options.get("minDelta", 1e-4), cooldown=options.get("cooldown", 0), min_lr=options.get("minScale", 0),
    )
    callback.set_model(model)
    callback.on_train_begin()
    rates = []
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {"figure": value})
        rates.append(float(model.optimizer.learning_rate))
    return {"scales": rates}


def plain(values):
    return ["NaN" if math.isnan(value) else value for value in values]


fixture = {"earlyStopping": [], "reduceOnPlateau": []}
for mode, sign in (("min", 1), ("max", -1)):
    for options in ({"patience": 1}, {"patience": 3}, {"patience": 3, "minDelta": 0.25}, {"patience": 40}):
        for _ in range(2):
            values = figures(30) * sign
            values[0] = 0
            result = stopping(values, mode, **options)
            fixture["earlyStopping"].append({"values": plain(values), "mode": mode, "options": options, **result})
    for options in (
        {"factor": 0.5, "patience": 2},
        {"factor": 0.25, "patience": 1, "minDelta": 0.25, "cooldown": 2},
        {"factor": 0.5, "patience": 2, "cooldown": 1, "minScale": 0.125},
    ):
        for _ in range(2):
            values = figures(40) * sign
            values[0] = 0
            result = reducing(values, mode, **options)
            fixture["reduceOnPlateau"].append({"values": plain(values), "mode": mode, "options": options, **result})

FIXTURES.mkdir(exist_ok=True)
(FIXTURES / "callbacks.json").write_text(json.dumps(fixture, separators=(",", ":")) + "\n")

"""Writes fixtures/*.keras, *.weights.h5 and keras.json with Keras 3.15: models, their weights, and what they give.

    KERAS_BACKEND=torch python test/exchange/make_keras_fixture.py
"""
import json
import pathlib
import zipfile

import keras
import numpy as np
from keras import layers as L

FOLDER = pathlib.Path(__file__).parent / "fixtures"
rng = np.random.default_rng(19)
keras.utils.set_random_seed(19)


def functional():
    a = keras.Input((6,), name="left")
    b = keras.Input((4,), name="right")
    x = L.Dense(5, activation="relu", name="one")(a)
    y = L.Dense(5, name="two")(b)
    z = L.Add()([x, y])
    z = L.Concatenate()([z, x])
    z = L.BatchNormalization()(z)
    return keras.Model([a, b], L.Dense(2, name="out")(L.Dropout(0.5)(z)))


def looks():
    a = keras.Input((5, 8), name="x")
    x = L.MultiHeadAttention(2, 4)(a, a)
    x = L.LayerNormalization()(L.Add()([a, x]))
    return keras.Model(a, L.Dense(3)(L.GlobalAveragePooling1D()(x)))


def chained():
    a = keras.Input((4,))
    return keras.Model(a, L.Dense(2)(L.Dense(3, activation="tanh")(a)))


MODELS = {
    "dense": keras.Sequential([keras.Input((4,)), L.Dense(6, activation="relu"), L.BatchNormalization(), L.Dropout(0.3), L.Dense(3, activation="softmax", kernel_regularizer="l2")]),
    "images": keras.Sequential([
        keras.Input((8, 8, 2)), L.Conv2D(4, 3, padding="same", strides=2), L.LeakyReLU(negative_slope=0.1), L.DepthwiseConv2D(3, depth_multiplier=2, activation="relu"),
        L.MaxPooling2D(2, padding="same"), L.Conv2DTranspose(3, 3, strides=2, padding="same"), L.GroupNormalization(3), L.AveragePooling2D(2), L.Flatten(), L.Dense(2),
    ]),
    "grouped": keras.Sequential([keras.Input((6, 6, 4)), L.Conv2D(6, 3, groups=2, dilation_rate=2), L.GlobalMaxPooling2D(), L.Dense(2)]),
    "series": keras.Sequential([keras.Input((7, 3)), L.Conv1D(4, 3, padding="causal"), L.Activation("gelu"), L.SpatialDropout1D(0.2), L.GlobalAveragePooling1D(), L.Dense(2, use_bias=False)]),
    "lstm": keras.Sequential([keras.Input((5, 3)), L.LSTM(4, return_sequences=True), L.Bidirectional(L.LSTM(3)), L.Dense(2)]),
    "gru": keras.Sequential([keras.Input((5, 3)), L.GRU(4, return_sequences=True), L.GRU(4, reset_after=False, return_sequences=True), L.SimpleRNN(3), L.Dense(2)]),
    "words": keras.Sequential([keras.Input((4,), dtype="int32"), L.Embedding(9, 3), L.TimeDistributed(L.Dense(4, activation="elu")), L.Flatten(), L.RMSNormalization(), L.Reshape((4, 4)), L.LayerNormalization(), L.GlobalMaxPooling1D(), L.Dense(2)]),
    "nested": keras.Sequential([keras.Input((4,)), keras.Sequential([L.Dense(5, activation="silu"), L.Dense(3)]), L.Dense(2)]),
    "functional": functional(),
    "looks": looks(),
    "chained": chained(),
}
told = {}
for name, model in MODELS.items():
    for variable in model.variables:
        if len(variable.shape) == 1 and "seed" not in variable.path:
            variable.assign(np.asarray(variable) + rng.random(variable.shape).astype(np.float32) * 0.5)
    path = FOLDER / f"{name}.keras"
    model.save(path)
    if name in ("dense", "lstm"):
        model.save_weights(FOLDER / f"{name}.weights.h5")
    if name != "dense":  # the same files, deflated: Keras stores them as they are
        with zipfile.ZipFile(path) as archive:
            files = {one.filename: archive.read(one) for one in archive.infolist()}
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for one, content in files.items():
                archive.writestr(one, content)
    shapes = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    x = [rng.integers(0, 9, (3, *shape)).astype(np.int32) if name == "words" else rng.standard_normal((3, *shape)).astype(np.float32) for shape in shapes]
    y = np.asarray(model(x if len(x) > 1 else x[0], training=False).detach())
    told[name] = {"x": {tensor.name: value.flatten().tolist() for tensor, value in zip(model.inputs, x)}, "y": y.flatten().tolist()}
(FOLDER / "keras.json").write_text(json.dumps(told) + "\n")


# A training: twenty steps, kept as a model with its optimizer; then the losses of fifty more in float64.
def network():
    return keras.Sequential([keras.Input((4, 4, 1)), L.Conv2D(3, 3, activation="tanh"), L.Flatten(), L.Dense(2)])


OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.01),
    "adamw": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1),
    "sgd": lambda: keras.optimizers.SGD(0.05, momentum=0.9),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.003),
    "adagrad": lambda: keras.optimizers.Adagrad(0.05),
}
told = {}
for name, make in OPTIMIZERS.items():
    keras.utils.set_random_seed(5)
    x, y = rng.standard_normal((8, 4, 4, 1)).astype(np.float32), rng.standard_normal((8, 2)).astype(np.float32)
    model = network()
    model.compile(optimizer=make(), loss="mse")
    for _ in range(20):
        model.train_on_batch(x, y)
    path = FOLDER / f"training-{name}.keras"
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        files = {one.filename: archive.read(one) for one in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for one, content in files.items():
            archive.writestr(one, content)
    keras.config.set_floatx("float64")
    exact = network()
    exact.compile(optimizer=make(), loss="mse")
    exact.optimizer.build(exact.trainable_variables)
    exact.set_weights([np.asarray(value, np.float64) for value in model.get_weights()])
    for there, here in zip(exact.optimizer.variables[2:], model.optimizer.variables[2:]):
        there.assign(np.asarray(here.value.detach(), np.float64))
    exact.optimizer.iterations.assign(20)
    losses = [float(exact.train_on_batch(x.astype(np.float64), y.astype(np.float64))) for _ in range(50)]
    keras.config.set_floatx("float32")
    told[name] = {"x": x.flatten().tolist(), "y": y.flatten().tolist(), "losses": losses}
(FOLDER / "keras-training.json").write_text(json.dumps(told) + "\n")


# A gate of [1, 1, channels] that is the first factor of an image, and a norm that goes by its batch in inference too.
def gated():
    a = keras.Input((3, 3, 2), name="x")
    gate = L.Reshape((1, 1, 2))(L.Dense(2, activation="sigmoid")(L.GlobalAveragePooling2D()(a)))
    return keras.Model(a, L.Dense(2)(L.Flatten()(L.Multiply()([gate, a]))))


def by_batch():
    a = keras.Input((4,), name="x")
    return keras.Model(a, L.Dense(2)(L.BatchNormalization(name="norm")(L.Dense(3)(a), training=True)))


def first_names():
    """Names of a new session: dense and dense_1, of which the first has an activation."""
    keras.utils.clear_session()
    a = keras.Input((3,), name="x")
    return keras.Model(a, L.Dense(3)(L.Dense(3, activation="relu")(a)))


def first_names_apart():
    keras.utils.clear_session()
    a = keras.Input((3,), name="x")
    x = L.Dense(3, activation="relu")(a)
    return keras.Model(a, L.Add()([a, L.Dense(3, activation="tanh")(x)]))


told = {}
for name, make, shape in (("gated", gated, (3, 3, 3, 2)), ("first-names", first_names, (3, 3)), ("first-names-apart", first_names_apart, (3, 3))):
    keras.utils.clear_session()
    keras.utils.set_random_seed(7)
    model = make()
    x = np.random.default_rng(7).standard_normal(shape).astype(np.float32)
    model.save(FOLDER / f"{name}.keras")
    told[name] = {"x": x.flatten().tolist(), "y": np.asarray(model(x).detach()).flatten().tolist()}
(FOLDER / "keras-names.json").write_text(json.dumps(told) + "\n")
by_batch().save(FOLDER / "by-batch.keras")
for name in (*told, "by-batch"):
    path = FOLDER / f"{name}.keras"
    with zipfile.ZipFile(path) as archive:
        files = {one.filename: archive.read(one) for one in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for one, content in files.items():
            archive.writestr(one, content)

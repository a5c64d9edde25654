"""Writes fixtures/beside.json: what PyTorch and Keras give where docs/beside.md says that they differ from here.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install torch==2.13.0 keras==3.15.1
    /tmp/venv/bin/python test/beside/make_beside_fixture.py

A row has the name of its row of the page and figures of both frameworks; beside.test.ts says what they are of. Keras runs on
PyTorch; a framework that has no such thing is left out.
"""

import json
import os
import warnings
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"
warnings.simplefilter("ignore")

import keras
import numpy as np
import torch
import torch.nn.functional as F

ROWS = {}


def row(name, pytorch=None, keras=None):
    both = {"pytorch": pytorch, "keras": keras}
    ROWS[name] = {framework: value for framework, value in both.items() if value is not None}


def numbers(values):
    return [float(value) for value in np.asarray(keras.ops.convert_to_numpy(values)).ravel()]


def one_step_bias(activation):
    """The bias after one step of SGD, η = 1, from weight 0 and bias 0: x = 0, y = 1, mean squared error."""
    weight = torch.zeros(1, 1, requires_grad=True)
    bias = torch.zeros(1, requires_grad=True)
    loss = F.mse_loss(activation(F.linear(torch.zeros(1, 1), weight, bias)), torch.ones(1, 1))
    loss.backward()
    with torch.no_grad():
        return float(bias - bias.grad)


# ---- Activations and operations

act = keras.activations
row("`leakyRelu` at 0", one_step_bias(lambda x: F.leaky_relu(x, 0.1)), one_step_bias(lambda x: act.leaky_relu(x, 0.1)))
row("`elu` at 0", one_step_bias(lambda x: F.elu(x, 2.0)), one_step_bias(lambda x: act.elu(x, 2.0)))
row("`selu` at 0", one_step_bias(F.selu), one_step_bias(act.selu))
row(
    "`leakyRelu()`",
    float(F.leaky_relu(torch.tensor(-1.0))),
    [float(keras.layers.LeakyReLU()(torch.tensor([-1.0]))[0]), float(act.leaky_relu(torch.tensor([-1.0]))[0])],
)


def tie(maximum):
    a, b = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)
    maximum(a, b).sum().backward()
    return [float(a.grad), float(b.grad)]


row("ties of `maximum`, `minimum`", tie(torch.maximum) + tie(torch.minimum), tie(keras.ops.maximum) + tie(keras.ops.minimum))

# ---- Losses

LOGITS = torch.tensor([[0.2, 0.8], [0.6, 0.4]])
LABELS = torch.tensor([1, 1])
row(
    "`crossEntropy` takes logits",
    float(F.cross_entropy(LOGITS, LABELS)),
    [float(keras.losses.SparseCategoricalCrossentropy(from_logits=logits)(LABELS, LOGITS)) for logits in (False, True)],
)
row(
    "a label to ignore",
    float(F.cross_entropy(LOGITS, torch.tensor([-100, 1]))),
    float(keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)(np.array([-1, 1]), LOGITS)),
)
TARGETS = torch.tensor([[0.3, 0.7], [0.9, 0.1]])
row(
    "`klDivergence`",
    [float(F.kl_div(F.log_softmax(LOGITS, -1), TARGETS, reduction=reduction)) for reduction in ("mean", "batchmean")],
    float(keras.losses.KLDivergence()(TARGETS, F.softmax(LOGITS, -1))),
)
A, B = torch.tensor([[1.0, 2.0]]), torch.tensor([[2.0, 1.0]])
row("`cosineSimilarity`", float(F.cosine_similarity(A, B)), float(keras.losses.CosineSimilarity()(B, A)))
THREE, ZERO = torch.tensor([[3.0]]), torch.tensor([[0.0]])
row(
    "`huber({ delta })`",
    [float(F.huber_loss(THREE, ZERO, delta=2.0)), float(F.smooth_l1_loss(THREE, ZERO, beta=2.0))],
    float(keras.losses.Huber(delta=2.0)(ZERO, THREE)),
)
row("`hinge` targets", keras=float(keras.losses.Hinge()(np.array([[0.0], [1.0]]), np.array([[0.5], [0.5]]))))
one = keras.losses.CategoricalCrossentropy(from_logits=True)
row(
    "`crossEntropy` of one output",
    float(F.cross_entropy(torch.tensor([[0.5], [-2.0]]), torch.tensor([0, 0]))),
    float(one(np.ones((2, 1)), np.array([[0.5], [-2.0]]))),
)
row(
    "weights of examples",
    keras=float(keras.losses.MeanSquaredError()(np.zeros((2, 1)), np.array([[1.0], [2.0]]), sample_weight=np.array([1.0, 3.0]))),
)


def keras_line(**options):
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones", **options)])
    return model


penal = keras_line(kernel_regularizer=keras.regularizers.L2(0.5))
penal.compile(loss="mse")
row("loss of `validation`, `evaluate`", keras=float(penal.evaluate(np.ones((4, 1)), np.zeros((4, 1)), verbose=0)))

# ---- Penalties and optimizers


def pytorch_decay(kind, **options):
    """Weight [1, 1] and bias after one step without a gradient, both from 1."""
    theta = [torch.nn.Parameter(torch.ones(1, 1)), torch.nn.Parameter(torch.ones(1))]
    optimizer = getattr(torch.optim, kind)(theta, **options)
    for value in theta:
        value.grad = torch.zeros_like(value)
    optimizer.step()
    return [float(value) for value in theta]


def keras_step(optimizer, gradients, start=1.0, steps=1, model=None):
    theta = [keras.Variable(np.full(np.shape(gradient), start, dtype="float32")) for gradient in gradients]
    for _ in range(steps):
        optimizer.apply([torch.tensor(gradient, dtype=torch.float32) for gradient in gradients], theta)
    return [number for value in theta for number in numbers(value)]


def keras_penalty(bias):
    model = keras.Sequential(
        [
            keras.layers.Input((1,)),
            keras.layers.Dense(
                1,
                kernel_initializer="ones",
                bias_initializer="ones",
                kernel_regularizer=keras.regularizers.L2(0.5),
                bias_regularizer=keras.regularizers.L2(0.5) if bias else None,
            ),
        ]
    )
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(np.zeros((2, 1)), np.ones((2, 1)), verbose=0)  # no gradient of the data: the output is the bias, 1
    return [number for value in model.get_weights() for number in numbers(value)]


row("`l2(λ)`", pytorch_decay("SGD", lr=0.1, weight_decay=0.5)[0], keras_penalty(False)[0])
row("penalties on biases", pytorch_decay("SGD", lr=0.1, weight_decay=0.5)[1], [keras_penalty(bias)[1] for bias in (False, True)])
row(
    "`adamw` on biases",
    pytorch_decay("AdamW", lr=0.1, weight_decay=0.5),
    keras_step(keras.optimizers.AdamW(0.1, weight_decay=0.5), [[[0.0]], [0.0]]),
)
row(
    "`clip: { norm }`",
    keras=[
        keras_step(keras.optimizers.SGD(1.0, **{name: 1.0}), [[[3.0]], [4.0]], start=0.0)
        for name in ("clipnorm", "global_clipnorm")
    ],
)


def pytorch_first(kind, gradient, **options):
    theta = torch.nn.Parameter(torch.zeros(1))
    optimizer = getattr(torch.optim, kind)([theta], **options)
    theta.grad = torch.full((1,), gradient)
    optimizer.step()
    return float(theta)


def keras_first(kind, gradient, **options):
    return keras_step(getattr(keras.optimizers, kind)(**options), [[gradient]], start=0.0)[0]


row("`sgd` rate", pytorch_first("SGD", 1.0), keras_first("SGD", 1.0))
row("`rmsprop` defaults", pytorch_first("RMSprop", 1.0), keras_first("RMSprop", 1.0))
row("`adagrad` defaults", pytorch_first("Adagrad", 0.1), keras_first("Adagrad", 0.1))
row("`adam`: ε", pytorch_first("Adam", 1e-6), keras_first("Adam", 1e-6))


def nesterov_of_pytorch():
    try:
        torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, nesterov=True)
    except ValueError as error:
        return str(error)
    return "accepted"


row("Nesterov without momentum", nesterov_of_pytorch(), keras_first("SGD", 1.0, learning_rate=0.1, nesterov=True))


def muon_of_pytorch(**options):
    weight = torch.nn.Parameter(torch.ones(2, 3))
    optimizer = torch.optim.Muon([weight], lr=0.1, **options)
    weight.grad = torch.tensor([[1.0, -2.0, 3.0], [0.5, 0.25, -1.0]])
    optimizer.step()
    return numbers(weight.detach())


def muon_of_keras():
    weight = keras.Variable(np.ones((2, 3), dtype="float32"), name="kernel")
    optimizer = keras.optimizers.Muon(0.1, weight_decay=0.0)
    optimizer.apply([torch.tensor([[1.0, -2.0, 3.0], [0.5, 0.25, -1.0]])], [weight])
    return numbers(weight)


row("`muon`", [muon_of_pytorch(), muon_of_pytorch(weight_decay=0)], muon_of_keras())


def averaged_by_pytorch():
    """θ goes from 3 to 2 in the first step and to 1 in the second."""
    theta = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(theta.weight, 3.0)
    average = torch.optim.swa_utils.AveragedModel(theta, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9))
    seen = []
    for value in (2.0, 1.0):
        torch.nn.init.constant_(theta.weight, value)
        average.update_parameters(theta)
        seen.append(float(average.module.weight))
    return seen


def averaged_by_keras():
    theta = keras.Variable(np.array([3.0], dtype="float32"))
    optimizer = keras.optimizers.SGD(1.0, use_ema=True, ema_momentum=0.9)
    seen = []
    for _ in range(2):
        optimizer.apply([torch.ones(1)], [theta])
        seen.extend(numbers(optimizer._model_variables_moving_average[0]))
    return seen


row("`averageWeights`", averaged_by_pytorch(), averaged_by_keras())

# ---- Schedules and callbacks

FIGURES = [1.0] * 12


def plateau_of_pytorch():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=3)
    rates = []
    for figure in FIGURES:
        scheduler.step(figure)
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def plateau_of_keras():
    model = keras_line()
    model.compile(keras.optimizers.SGD(1.0))
    callback = keras.callbacks.ReduceLROnPlateau(monitor="figure", mode="min", factor=0.5, patience=3)
    callback.set_model(model)
    callback.on_train_begin()
    rates = []
    for epoch, figure in enumerate(FIGURES):
        callback.on_epoch_end(epoch, {"figure": figure})
        rates.append(float(model.optimizer.learning_rate))
    return rates


row("`reduceOnPlateau`", plateau_of_pytorch(), plateau_of_keras())


def rates_of_pytorch(make, steps, **options):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0, **options)
    scheduler = make(optimizer)
    seen = []
    for _ in range(steps):
        seen.append([float(optimizer.param_groups[0][key]) for key in ("lr", "momentum")])
        scheduler.step()
    return seen


row(
    "`cosineDecay` behind its end",
    [rate for rate, _ in rates_of_pytorch(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 4), 9)],
    [float(keras.optimizers.schedules.CosineDecay(1.0, 4)(step)) for step in range(9)],
)
row(
    "`oneCycle`",
    rates_of_pytorch(lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 1.0, total_steps=11), 10, momentum=0.9),
)

# ---- Initial weights


def largest(values):
    return float(np.abs(np.asarray(keras.ops.convert_to_numpy(values))).max())


torch.manual_seed(1)
keras.utils.set_random_seed(1)
layer = torch.nn.Linear(4, 20000)
dense = keras.layers.Dense(20000)
dense.build((None, 4))
row(
    "`linear`: initial weights and biases",
    [largest(layer.weight.detach()), largest(layer.bias.detach())],
    [largest(dense.kernel), largest(dense.bias)],
)
row("`linear`: shape of the weight", list(layer.weight.shape), list(dense.kernel.shape))
cut = torch.empty(1000, 1000)
torch.nn.init.trunc_normal_(cut, 0, 1, -2, 2)
row("`truncatedNormal`", float(cut.std()), float(np.std(numbers(keras.initializers.TruncatedNormal(stddev=1.0)((1000, 1000))))))
he = torch.empty(1000, 1000)
torch.nn.init.kaiming_normal_(he)
kept = lambda weights, deviation: float(np.mean(np.abs(np.asarray(numbers(weights))) < 2.3 * deviation))
row(
    "`heNormal`, `xavierNormal`, `lecunNormal`",
    kept(he, (2 / 1000) ** 0.5),
    kept(keras.initializers.HeNormal()((1000, 1000)), (2 / 1000) ** 0.5),
)

# ---- Metrics and data

row("`rmse` of several columns", keras=float(keras.metrics.RootMeanSquaredError()(np.zeros((2, 2)), np.array([[1.0, 2.0], [3.0, 4.0]]))))
auc = keras.metrics.AUC()
auc.update_state(np.array([0, 1, 0, 1, 1]), np.array([0.1, 0.1001, 0.1002, 0.9, 0.0999]))
row("`auc`", keras=float(auc.result()))
equal = np.ones((4, 4))
top = keras.metrics.SparseTopKCategoricalAccuracy(k=2)
row("`topK`, equal outputs", [float((torch.topk(torch.ones(4), 2).indices == label).any()) for label in range(4)], float(top(np.arange(4), equal)))
nan = float("nan")
right = keras.metrics.SparseCategoricalAccuracy()
right.update_state([0, 1], [[nan, nan], [nan, nan]])
row("outputs that are NaN", int(torch.argmax(torch.tensor([1.0, nan]))), float(right.result()))
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.arange(5)))
import inspect

fit = inspect.signature(keras.Model.fit).parameters
row(
    "`batchSize`, `shuffle`",
    [loader.batch_size, type(loader.sampler).__name__],
    [fit["batch_size"].default or 32, fit["shuffle"].default],
)
from keras.src.trainers.data_adapters.array_slicing import train_validation_split

_, (held,) = train_validation_split((np.arange(10),), 0.2)
row("rows held out", keras=[int(value) for value in np.asarray(held)])

if __name__ == "__main__":
    fixture = {"torch": torch.__version__.split("+")[0], "keras": keras.__version__, "rows": ROWS}
    text = json.dumps(fixture, indent=1, ensure_ascii=False)
    (Path(__file__).parent / "fixtures" / "beside.json").write_text(text + "\n")

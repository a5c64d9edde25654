"""Writes fixtures/attention.json: 100 steps of small networks with attention, by PyTorch and Keras in float64 and float32.

    KERAS_BACKEND=torch python test/nn/make_attention_fixture.py    # torch 2.13, keras 3.15

A layer over [batch, 5, 4] with two heads (`nn.MultiheadAttention`, `nn.TransformerEncoderLayer`, `F.scaled_dot_product_attention` of shared heads, Keras'
`MultiHeadAttention`), then linear(4, 2) on every step, or on the first one where there are lengths; mean squared error; SGD, rate 0.1; 12 rows in batches
of 8 and 4, always in the same order. Of the float64 run the answers at first, the weights after one step and after all are kept; of the float32
run how far it is from the last. Data and first weights are multiples of 1/64, so that float32 holds them. `lengths` are a `key_padding_mask` in PyTorch
and a mask in Keras; `memory` is what keys and values are of.
"""

import json
import os
import pathlib

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import torch

ROWS, TIME, KEYS, SIZE, HEADS, OUT, FEED, BATCH, STEPS, RATE = 12, 5, 3, 4, 2, 2, 6, 8, 100, 0.1
random = np.random.default_rng(18)


def draw(*shape):
    return random.integers(-80, 81, shape) / 64


X, MEMORY, Y = draw(ROWS, TIME, SIZE), draw(ROWS, KEYS, SIZE), draw(ROWS, TIME, OUT)
LENGTHS = random.integers(1, TIME + 1, ROWS)
LENGTHS[:2] = TIME, 1


def batches(steps):
    for step in range(steps):
        begin = step % 2 * BATCH
        yield slice(begin, min(begin + BATCH, ROWS))


def first_weights(case):
    shared = case["options"].get("keyValueHeads", HEADS) * SIZE // HEADS
    bias = case["options"].get("bias", True)
    own = {"weight": draw(SIZE + 2 * shared, SIZE) / 2, "outputWeight": draw(SIZE, SIZE) / 2}
    if bias:
        own |= {"bias": draw(SIZE + 2 * shared) / 4, "outputBias": draw(SIZE) / 4}
    weights = {f"layer.{name}": value for name, value in own.items()}
    if case["kind"] == "transformerBlock":
        weights = {f"layer.attention.{name}": value for name, value in own.items()}
        for norm in ("norm1", "norm2"):
            weights |= {f"layer.{norm}.scale": 1 + draw(SIZE) / 8, f"layer.{norm}.shift": draw(SIZE) / 8}
        weights |= {"layer.linear1.weight": draw(FEED, SIZE) / 2, "layer.linear2.weight": draw(SIZE, FEED) / 2}
        if bias:
            weights |= {"layer.linear1.bias": draw(FEED) / 4, "layer.linear2.bias": draw(SIZE) / 4}
    return weights | {"linear1.weight": draw(OUT, SIZE) / 2, "linear1.bias": draw(OUT) / 4}


class Shared(torch.nn.Module):
    """Heads of queries that share keys and values."""

    def __init__(self, key_heads, dtype):
        super().__init__()
        self.key_heads = key_heads
        shared = key_heads * SIZE // HEADS
        self.inner = torch.nn.Linear(SIZE, SIZE + 2 * shared, dtype=dtype)
        self.outer = torch.nn.Linear(SIZE, SIZE, dtype=dtype)

    def forward(self, x, causal):
        rows, steps, _ = x.shape
        own = SIZE // HEADS
        q, k, v = self.inner(x).split([SIZE, self.key_heads * own, self.key_heads * own], 2)
        heads = lambda value: value.reshape(rows, steps, -1, own).transpose(1, 2)
        y = torch.nn.functional.scaled_dot_product_attention(heads(q), heads(k), heads(v), is_causal=causal, enable_gqa=True)
        return self.outer(y.transpose(1, 2).reshape(rows, steps, SIZE))


def pytorch_layer(case, dtype):
    options = case["options"]
    bias, causal = options.get("bias", True), options.get("causal", False)
    mask = torch.nn.Transformer.generate_square_subsequent_mask(TIME, dtype=dtype) if causal else None
    if "keyValueHeads" in options:
        layer = Shared(options["keyValueHeads"], dtype)
        names = {"weight": layer.inner.weight, "bias": layer.inner.bias, "outputWeight": layer.outer.weight, "outputBias": layer.outer.bias}
        return layer, {f"layer.{name}": value for name, value in names.items()}, lambda x, memory, padding: layer(x, causal)
    if case["kind"] == "attention":
        layer = torch.nn.MultiheadAttention(SIZE, HEADS, bias=bias, batch_first=True, dtype=dtype)
        kept = named(layer, "layer.")
        apply = lambda x, memory, padding: layer(x, memory, memory, key_padding_mask=padding, attn_mask=mask, is_causal=causal)[0]
        return layer, kept, apply
    layer = torch.nn.TransformerEncoderLayer(
        SIZE, HEADS, FEED, 0.0, options["activation"], batch_first=True, norm_first=options["norm"] == "pre", bias=bias, dtype=dtype
    )
    kept = named(layer.self_attn, "layer.attention.")
    for part in ("linear1", "linear2"):
        kept[f"layer.{part}.weight"] = getattr(layer, part).weight
        if bias:
            kept[f"layer.{part}.bias"] = getattr(layer, part).bias
    for part in ("norm1", "norm2"):
        kept[f"layer.{part}.scale"] = getattr(layer, part).weight
        kept[f"layer.{part}.shift"] = getattr(layer, part).bias
    return layer, kept, lambda x, memory, padding: layer(x, src_mask=mask, src_key_padding_mask=padding, is_causal=causal)


def named(attention, before):
    kept = {f"{before}weight": attention.in_proj_weight, f"{before}outputWeight": attention.out_proj.weight}
    if attention.in_proj_bias is not None:
        kept |= {f"{before}bias": attention.in_proj_bias, f"{before}outputBias": attention.out_proj.bias}
    return kept


def pytorch(case, first, dtype, steps):
    layer, kept, apply = pytorch_layer(case, dtype)
    head = torch.nn.Linear(SIZE, OUT, dtype=dtype)
    kept |= {"linear1.weight": head.weight, "linear1.bias": head.bias}
    with torch.no_grad():
        for name, value in kept.items():
            value.copy_(torch.tensor(first[name]))
    x, memory, y = (torch.tensor(values, dtype=dtype) for values in (X, MEMORY, Y))
    padding = torch.zeros(ROWS, TIME, dtype=dtype).masked_fill(torch.arange(TIME)[None] >= torch.tensor(LENGTHS)[:, None], -torch.inf)

    def answer(rows):
        given = memory[rows] if case["memory"] else x[rows]
        states = apply(x[rows], given, padding[rows] if case["lengths"] else None)
        return head(states[:, 0] if case["lengths"] else states)

    wanted = y[:, 0] if case["lengths"] else y
    before = answer(slice(0, ROWS)).detach().double().flatten().numpy()
    optimizer = torch.optim.SGD([*layer.parameters(), *head.parameters()], RATE)
    for rows in batches(steps):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(answer(rows), wanted[rows]).backward()
        optimizer.step()
    result = {name: value.detach().double().flatten().numpy() for name, value in kept.items()}
    return before, result | {"predicted": answer(slice(0, ROWS)).detach().double().flatten().numpy()}


def with_keras(case, first, dtype, steps):
    kind = "float64" if dtype == torch.float64 else "float32"
    options = case["options"]
    bias, own = options.get("bias", True), SIZE // HEADS
    layer = keras.layers.MultiHeadAttention(HEADS, own, use_bias=bias, dtype=kind)
    head = keras.layers.Dense(OUT, dtype=kind)
    x, memory, y = (torch.tensor(values, dtype=dtype) for values in (X, MEMORY, Y))
    there = torch.arange(TIME)[None] < torch.tensor(LENGTHS)[:, None]

    def answer(rows):
        given = memory[rows] if case["memory"] else x[rows]
        mask = there[rows] if case["lengths"] else None
        states = layer(x[rows], given, value_mask=mask, use_causal_mask=options.get("causal", False))
        return head(states[:, 0] if case["lengths"] else states)

    answer(slice(0, 2))
    weights = dict(zip(["q", "k", "v"], [layer._query_dense, layer._key_dense, layer._value_dense]))

    def read():
        flat = lambda value: value.detach().double().numpy()
        own = {"layer.weight": np.concatenate([flat(part.kernel.value).reshape(SIZE, -1).T for part in weights.values()])}
        own["layer.outputWeight"] = flat(layer._output_dense.kernel.value).reshape(-1, SIZE).T
        if bias:
            own["layer.bias"] = np.concatenate([flat(part.bias.value).flatten() for part in weights.values()])
            own["layer.outputBias"] = flat(layer._output_dense.bias.value)
        own |= {"linear1.weight": flat(head.kernel.value).T, "linear1.bias": flat(head.bias.value)}
        return {name: value.flatten() for name, value in own.items()}

    with torch.no_grad():
        for index, part in enumerate(weights.values()):
            rows = slice(index * SIZE, (index + 1) * SIZE)
            part.kernel.value.copy_(torch.tensor(first["layer.weight"][rows].T.reshape(SIZE, HEADS, own)))
            if bias:
                part.bias.value.copy_(torch.tensor(first["layer.bias"][rows].reshape(HEADS, own)))
        layer._output_dense.kernel.value.copy_(torch.tensor(first["layer.outputWeight"].T.reshape(HEADS, own, SIZE)))
        if bias:
            layer._output_dense.bias.value.copy_(torch.tensor(first["layer.outputBias"]))
        head.kernel.value.copy_(torch.tensor(first["linear1.weight"].T))
        head.bias.value.copy_(torch.tensor(first["linear1.bias"]))
    variables = [*layer.trainable_variables, *head.trainable_variables]
    wanted = y[:, 0] if case["lengths"] else y
    before = answer(slice(0, ROWS)).detach().double().flatten().numpy()
    for rows in batches(steps):
        for variable in variables:
            variable.value.grad = None
        ((answer(rows) - wanted[rows]) ** 2).mean().backward()
        with torch.no_grad():
            for variable in variables:
                variable.value.sub_(variable.value.grad * RATE)
    return before, read() | {"predicted": answer(slice(0, ROWS)).detach().double().flatten().numpy()}


def distance(a, b):
    return float(np.sqrt(sum(((a[name] - b[name]) ** 2).sum() for name in a)))


def rounded(values):
    return {name: [float(f"{value:.11g}") for value in list_] for name, list_ in values.items()}


def case(framework, kind, lengths=False, memory=False, **options):
    own = {"framework": framework, "kind": kind, "lengths": lengths, "memory": memory, "options": options}
    first = first_weights(own)
    run = pytorch if framework == "pytorch" else with_keras
    before, one = run(own, first, torch.float64, 1)
    _, last = run(own, first, torch.float64, STEPS)
    off = distance(run(own, first, torch.float32, STEPS)[1], last)
    return own | {
        "begin": {name: value.flatten().tolist() for name, value in first.items()},
        "before": rounded({"predicted": before})["predicted"],
        "first": rounded(one),
        "last": rounded(last),
        "distance": off,
    }


BLOCK = {"feedForward": FEED}
CASES = [
    case("pytorch", "attention"),
    case("pytorch", "attention", causal=True, bias=False),
    case("pytorch", "attention", lengths=True),
    case("pytorch", "attention", lengths=True, causal=True),
    case("pytorch", "attention", memory=True),
    case("pytorch", "attention", keyValueHeads=1, causal=True),
    case("pytorch", "transformerBlock", norm="pre", activation="gelu", causal=True, **BLOCK),
    case("pytorch", "transformerBlock", norm="post", activation="relu", **BLOCK),
    case("pytorch", "transformerBlock", norm="post", activation="gelu", lengths=True, **BLOCK),
    case("keras", "attention"),
    case("keras", "attention", causal=True),
    case("keras", "attention", lengths=True, bias=False),
    case("keras", "attention", memory=True),
]

path = pathlib.Path(__file__).parent / "fixtures" / "attention.json"
fixture = {
    "torch": torch.__version__,
    "keras": keras.__version__,
    "steps": STEPS,
    "batch": BATCH,
    "rate": RATE,
    "x": X.tolist(),
    "memory": MEMORY.tolist(),
    "y": Y.tolist(),
    "lengths": LENGTHS.tolist(),
    "cases": CASES,
}
path.write_text(json.dumps(fixture) + "\n")

"""One training step in PyTorch, as a peer (peer.py):  python bench/peers/pytorch_step.py THREADS

Forward with dropout 0.5 after every hidden relu, or batch or layer norm before it, cross-entropy, backward, Adam. Python and torch are no dependency of the
project: install torch >= 2.8 in an environment of your own.
"""

import os
import sys

import peer

THREADS = int(sys.argv[1])
os.environ["OMP_NUM_THREADS"] = str(THREADS)

try:
    import torch
except ImportError as error:
    peer.absent(f"torch: {error}")

VERSION = torch.__version__.split("+")[0]
if tuple(map(int, VERSION.split(".")[:2])) < (2, 8):
    peer.absent(f"torch {VERSION} is older than 2.8")

torch.set_num_threads(THREADS)

WAYS = ["eager", "fused", "compiled", "compiled model, fused"]


NORMS = {"batch": torch.nn.BatchNorm1d, "layer": torch.nn.LayerNorm}


def network(sizes, norm):
    layers = []
    for index, (inputs, outputs) in enumerate(zip(sizes, sizes[1:])):
        layers.append(torch.nn.Linear(inputs, outputs))
        if index + 2 == len(sizes):
            continue
        if norm is None:
            layers += [torch.nn.ReLU(), torch.nn.Dropout(0.5)]
        else:
            layers += [NORMS[norm](outputs), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers)


def own_code(function):
    """Compiled forms are kept by code object: with one of its own, a network does not share (and search) those of others."""
    function.__code__ = function.__code__.replace()
    return function


def make(sizes, batch, way, norm):
    model = network(sizes, norm)
    loss = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True if way.endswith("fused") else None)
    x, y = (torch.from_numpy(array) for array in peer.data(sizes[0], sizes[-1]))
    # Views of one tensor, made once.
    batches = [(x[at : at + batch], y[at : at + batch]) for at in range(0, peer.EXAMPLES, batch)]

    def forward(inputs):
        return model(inputs)

    if way == "compiled model, fused":
        forward = torch.compile(own_code(forward), dynamic=False)

    def step(inputs, labels):
        optimizer.zero_grad(set_to_none=True)
        value = loss(forward(inputs), labels)
        value.backward()
        optimizer.step()
        return value.detach()

    if not way.startswith("compiled"):
        return lambda index: step(*batches[index]), None
    # One step before the whole is compiled, for the optimizer's states; after two more nothing may change.
    first = step(*batches[0]) if way == "compiled" else None
    run = torch.compile(own_code(step), dynamic=False) if way == "compiled" else step
    second = run(*batches[1])
    run(*batches[2])
    with torch.compiler.set_stance("fail_on_recompile"):
        for pair in batches[:8]:
            run(*pair)
    return lambda index: run(*batches[index]), second if first is None else first


peer.serve("PyTorch", VERSION, WAYS, peer.of_networks(make))

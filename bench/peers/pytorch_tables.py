"""One training step of a table in PyTorch, as a peer (peer.py):  python bench/peers/pytorch_tables.py THREADS GRADIENT

Rows of a table by number, or sums of several (EmbeddingBag), are the logits of as many classes as they have columns: forward, cross-entropy,
backward and the optimizer's step. GRADIENT is `dense` or `sparse`; of Adam the sparse one is SparseAdam.
"""

import math
import os
import sys

import peer

THREADS = int(sys.argv[1])
SPARSE = sys.argv[2] == "sparse"
os.environ["OMP_NUM_THREADS"] = str(THREADS)

try:
    import torch
except ImportError as error:
    peer.absent(f"torch: {error}")

VERSION = torch.__version__.split("+")[0]
torch.set_num_threads(THREADS)

# SparseAdam has one form; SGD and AdaGrad have fused ones for dense gradients alone.
WAYS = ["sparse"] if SPARSE else ["dense", "dense, fused"]


def optimizer_of(kind, parameters, lr, way):
    if kind == "adam" and SPARSE:
        return torch.optim.SparseAdam(parameters, lr=lr)
    make = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD, "adagrad": torch.optim.Adagrad}[kind]
    return make(parameters, lr=lr, **({} if SPARSE else {"fused": way.endswith("fused")}))


def make(request):
    import numpy

    count, size, words, batch = (request[name] for name in ("count", "size", "words", "batch"))
    examples = request["examples"]
    draw = numpy.random.default_rng(1)
    ids = draw.integers(count, size=(examples // 2, words), dtype=numpy.int64)
    # Every example is there twice, with labels of its own, so that the loss stays away from 0.
    ids = torch.from_numpy(numpy.concatenate([ids, ids]))
    labels = torch.from_numpy(draw.integers(size, size=examples, dtype=numpy.int64))
    if words == 1:
        ids = ids[:, 0]
    of = torch.nn.Embedding if words == 1 else torch.nn.EmbeddingBag
    more = {} if words == 1 else {"mode": "sum"}
    table = of.from_pretrained(torch.full((count, size), 0.01), freeze=False, sparse=SPARSE, **more)
    optimizer = optimizer_of(request["optimizer"], list(table.parameters()), request["lr"], request["way"])
    loss = torch.nn.CrossEntropyLoss()
    batches = [(ids[at : at + batch], labels[at : at + batch]) for at in range(0, examples, batch)]

    def step(index):
        inputs, wanted = batches[index]
        optimizer.zero_grad(set_to_none=True)
        value = loss(table(inputs), wanted)
        value.backward()
        optimizer.step()
        return value.detach()

    # Before they come again, new examples may be judged a little worse than by a guess.
    return step, 1.02 * math.log(size), len(batches)


peer.serve("PyTorch", VERSION, WAYS, make, kept=1)

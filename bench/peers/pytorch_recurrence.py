"""One training step of a recurrent network in PyTorch, as a peer (peer.py):  python bench/peers/pytorch_recurrence.py THREADS

The last state and a linear layer, mean squared error, Adam. A request says {"cell", "steps", "batch", "inputs", "hidden"}. torch >= 2.8.
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
torch.set_num_threads(THREADS)
WAYS = ["eager", "fused", "compiled, fused"]
BATCHES = 8


class Network(torch.nn.Module):
    def __init__(self, cell, inputs, hidden):
        super().__init__()
        self.cell = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell](inputs, hidden, batch_first=True)
        self.head = torch.nn.Linear(hidden, 1)

    def forward(self, x):
        return self.head(self.cell(x)[0][:, -1])


def make(request):
    steps, batch, inputs, way = (request[name] for name in ("steps", "batch", "inputs", "way"))
    model = Network(request["cell"], inputs, request["hidden"])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True if way.endswith("fused") else None)
    x = torch.rand(BATCHES, batch, steps, inputs) * 2 - 1
    y = x[:, :, 0, :1].contiguous()
    forward = torch.compile(model, dynamic=False) if way.startswith("compiled") else model

    def step(index):
        optimizer.zero_grad(set_to_none=True)
        value = torch.nn.functional.mse_loss(forward(x[index]), y[index])
        value.backward()
        optimizer.step()
        return value.detach()

    return step, None, BATCHES


peer.serve("PyTorch", VERSION, WAYS, make, kept=1)

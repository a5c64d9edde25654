"""One training step of a network with convolutions in PyTorch, as a peer (peer.py):  python bench/peers/pytorch_layers.py THREADS

The networks of bench/layers/convolution.ts: {"network": "lenet" | "residual" | "convolution", "input", "batch", "single"}. Cross-entropy, backward, Adam.
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

torch.set_num_threads(THREADS)
nn = torch.nn
CLASSES, BATCHES = 10, 4
WAYS = ["unfused", "eager", "channels_last", "compiled", "compiled, channels_last"]


class Block(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.inside = nn.Sequential(
            nn.Conv2d(n, n, 3, padding=1, bias=False),
            nn.BatchNorm2d(n),
            nn.ReLU(),
            nn.Conv2d(n, n, 3, padding=1, bias=False),
            nn.BatchNorm2d(n),
        )

    def forward(self, x):
        return x + self.inside(x)


class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x):
        return x * self.factor


def network(request):
    mean = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    if request["network"] == "lenet":
        front = [nn.Conv2d(1, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 5), nn.ReLU(), nn.MaxPool2d(2)]
        return nn.Sequential(*front, nn.Flatten(), nn.Linear(512, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, CLASSES))
    if request["network"] == "residual":
        layers = [nn.Conv2d(3, 16, 3, padding=1), Block(16), nn.ReLU(), Block(16), nn.ReLU()]
        layers += [nn.Conv2d(16, 32, 3, 2, 1), Block(32), nn.ReLU()]
        layers += [nn.Conv2d(32, 64, 3, 2, 1), Block(64), nn.ReLU()]
        return nn.Sequential(*layers, *mean, nn.Linear(64, CLASSES))
    one = request["single"]
    channels, outputs, kernel = one["channels"], one["outputs"], one["kernel"]
    convolution = nn.Conv2d(channels, outputs, kernel, one["stride"], kernel // 2, groups=one["groups"])
    return nn.Sequential(Scale(channels), convolution, *mean, nn.Linear(outputs, CLASSES))


def make(request):
    torch.compiler.reset()
    height, width, channels = request["input"]
    batch, way = request["batch"], request["way"]
    model, loss = network(request), nn.CrossEntropyLoss()
    x, y = torch.rand(BATCHES * batch, channels, height, width), torch.randint(CLASSES, (BATCHES * batch,))
    told = torch.arange(channels * height * width).reshape(height, width, channels).permute(2, 0, 1) % CLASSES
    x += 0.5 * (told == y[:, None, None, None])
    if way.endswith("channels_last"):
        model, x = model.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=way != "unfused")
    batches = [(x[at : at + batch], y[at : at + batch]) for at in range(0, BATCHES * batch, batch)]
    forward = torch.compile(model, dynamic=False) if way.startswith("compiled") else model

    def step(index):
        inputs, labels = batches[index]
        optimizer.zero_grad(set_to_none=True)
        value = loss(forward(inputs), labels)
        value.backward()
        optimizer.step()
        return value.detach()

    return step, None, BATCHES


peer.serve("PyTorch", torch.__version__.split("+")[0], WAYS, make, 4)

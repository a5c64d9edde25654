"""Microseconds of one training step in PyTorch: forward with dropout 0.5, cross-entropy, backward, Adam.

  python bench/peers/pytorch_step.py [--seconds S] [--threads 1,2] [--compile]

The same networks and batches as bench/step.ts, synthetic data that lies in memory. Prints a JSON line a network with the
median of every setting (eager, fused, compiled, by threads) and the best of them. Python and torch are no dependency of
the project: install torch >= 2.8 in an environment of your own.
"""

import argparse
import json
import statistics
import time

import torch

NETWORKS = [
    ([32, 64, 64, 2], 32),
    ([784, 256, 10], 32),
    ([784, 256, 10], 128),
    ([784, 512, 512, 10], 128),
    ([784, 1024, 1024, 10], 512),
]


def network(sizes):
    layers = []
    for index, (inputs, outputs) in enumerate(zip(sizes, sizes[1:])):
        layers.append(torch.nn.Linear(inputs, outputs))
        if index + 2 < len(sizes):
            layers += [torch.nn.ReLU(), torch.nn.Dropout(0.5)]
    return torch.nn.Sequential(*layers)


def measure(sizes, batch, way, seconds):
    """Median microseconds of a step; blocks of steps that take about 20 ms each."""
    model = network(sizes)
    x = torch.rand(8 * batch, sizes[0])
    y = torch.randint(sizes[-1], (8 * batch,))
    optimizer = torch.optim.Adam(model.parameters(), fused=way == "fused")
    loss = torch.nn.CrossEntropyLoss()

    batches = [(x[at : at + batch], y[at : at + batch]) for at in range(0, 8 * batch, batch)]

    def step(inputs, labels):
        optimizer.zero_grad(set_to_none=True)
        loss(model(inputs), labels).backward()
        optimizer.step()

    run = torch.compile(step, dynamic=False) if way == "compiled" else step
    for index in range(24):
        run(*batches[index % 8])
    begin = time.perf_counter()
    run(*batches[0])
    block = max(1, round(0.02 / (time.perf_counter() - begin)))
    times = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(times) < 5:
        begin = time.perf_counter()
        for index in range(block):
            run(*batches[index % 8])
        times.append((time.perf_counter() - begin) / block)
    return statistics.median(times) * 1e6


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    ways = ["eager", "fused"] + (["compiled"] if options.compile else [])
    for sizes, batch in NETWORKS:
        figures = {}
        for threads in map(int, options.threads.split(",")):
            torch.set_num_threads(threads)
            for way in ways:
                figures[f"{way} x{threads}"] = round(measure(sizes, batch, way, options.seconds), 1)
        best = min(figures, key=figures.get)
        name = "-".join(map(str, sizes))
        print(json.dumps({"network": name, "batch": batch, "torch": torch.__version__, "best": best,
                          "microseconds": figures[best], "all": figures}), flush=True)


main()

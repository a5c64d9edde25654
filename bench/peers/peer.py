"""What the Python peers of the suite `train` share: the data, the clock, and JSON lines over standard input and output.

A peer is a process with one number of threads. It says who it is: {"peer", "version", "ways"}. Then every request
{"network": [784, 256, 10], "batch": 32, "way": "eager", "milliseconds": 500}, with "norm": "batch" or "layer" where there is one, gets one answer, {"microseconds",
"firstLoss", "loss"} or {"error"}. Model and compiled step of what is asked for are made once and go on training.
"""

import json
import statistics
import sys
import time

EXAMPLES = 4096

"""Seconds between two looks at the clock: far above its resolution."""
BLOCK_SECONDS = 0.02

WARM_SECONDS = 0.5
WARM_STEPS = 24

"""Steps behind the clock whose mean loss tells whether the network learns."""
LOSS_STEPS = 16


def data(inputs, classes):
    """x: [EXAMPLES, inputs], y: [EXAMPLES]; as in bench/train/networks.ts.

    Noise in [0, 1), and 0.5 more at every feature whose index modulo `classes` is the label. A quarter of the labels is
    replaced, so that the loss stays away from 0 and gradients from denormal numbers.
    """
    # Here, so that a peer that is absent can say so where there is no numpy either.
    import numpy

    draw = numpy.random.default_rng(1)
    y = draw.integers(classes, size=EXAMPLES, dtype=numpy.int64)
    x = draw.random((EXAMPLES, inputs), dtype=numpy.float32)
    x += 0.5 * (numpy.arange(inputs) % classes == y[:, None])
    wrong = draw.random(EXAMPLES) < 0.25
    y[wrong] = draw.integers(classes, size=int(wrong.sum()))
    return x.astype(numpy.float32), y


class Timed:
    """A step that goes on training: `step(index)` trains on batch `index` and returns the loss as something float() takes.

    first: the loss of the untrained network; None: the next step tells.
    """

    def __init__(self, step, first, batches):
        self.step = step
        self.batches = batches
        self.done = 0
        loss = self.run(1)
        self.first = loss if first is None else float(first)
        until = time.perf_counter() + WARM_SECONDS
        while self.done < WARM_STEPS and time.perf_counter() < until:
            self.run(1)

    def run(self, steps):
        for _ in range(steps):
            loss = self.step(self.done % self.batches)
            self.done += 1
        return float(loss)

    def measure(self, milliseconds):
        """The median over blocks of steps that take about BLOCK_SECONDS each."""
        begin = time.perf_counter()
        self.run(1)
        block = max(1, round(BLOCK_SECONDS / (time.perf_counter() - begin)))
        times = []
        until = begin + milliseconds / 1000
        while not times or time.perf_counter() < until:
            begin = time.perf_counter()
            self.run(block)
            times.append((time.perf_counter() - begin) / block)
        return {
            "microseconds": statistics.median(times) * 1e6,
            "firstLoss": self.first,
            "loss": statistics.mean(self.run(1) for _ in range(LOSS_STEPS)),
        }


def say(message):
    print(json.dumps(message), file=OUT, flush=True)


# Libraries print what they like: their output goes to standard error, answers to what was standard output.
OUT = sys.stdout
sys.stdout = sys.stderr


def absent(reason):
    say({"absent": reason})
    sys.exit(0)


def of_networks(make):
    """For serve(): make(sizes, batch, way, norm) returns step and first of a Timed."""

    def made(request):
        sizes, batch = request["network"], request["batch"]
        return *make(sizes, batch, request["way"], request.get("norm")), EXAMPLES // batch

    return made


def serve(peer, version, ways, make, kept=None):
    """Answers requests until the input ends; make(request) returns the arguments of a Timed, of which `kept` stay."""
    say({"peer": peer, "version": version, "ways": ways})
    made = {}
    for line in sys.stdin:
        try:
            request = json.loads(line)
            milliseconds = request.pop("milliseconds")
            key = json.dumps(request, sort_keys=True)
            if key not in made:
                if kept is not None:
                    while len(made) >= kept:
                        del made[next(iter(made))]
                made[key] = Timed(*make(request))
            say(made[key].measure(milliseconds))
        except Exception as error:  # one setting that fails is no reason to lose the others
            say({"error": f"{type(error).__name__}: {error}"[:300]})

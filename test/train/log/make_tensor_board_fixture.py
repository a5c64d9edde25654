"""Writes test/train/log/fixtures/tensor_board.json: event files as TensorBoard's own writer makes them, and what its own reader finds in them.

    python3 -m venv /tmp/venv-tb && /tmp/venv-tb/bin/pip install tensorboard==2.21.0
    /tmp/venv-tb/bin/python test/train/log/make_tensor_board_fixture.py
"""

import base64
import io
import json
import tempfile
from pathlib import Path

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.histogram_pb2 import HistogramProto
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

FIXTURES = Path(__file__).parent / "fixtures"

# A run of four steps, and one that goes on behind the second of them; 2**40 and 300 are lengths of more than a byte.
FILES = [
    {"from": 0, "steps": [[1, [["loss", 0.5], ["accuracy", 0.25]]], [2, [["loss", 0.25]]], [3, [["loss", 9.0]]], [4, [["loss", 8.0]]]]},
    {"from": 2, "steps": [[3, [["loss", 0.125]]], [300, [["loss", 0.0625]]], [2**40, [["größe", float("nan")], ["loss", -1.5]]]]},
]


def bytes_of(file, seconds):
    out = io.BytesIO()
    writer = RecordWriter(out)
    write = lambda event: writer.write(event.SerializeToString())
    write(Event(wall_time=seconds, file_version="brain.Event:2"))
    if file["from"] > 0:
        write(Event(wall_time=seconds, step=file["from"] + 1, session_log=SessionLog(status=SessionLog.START)))
    for step, scalars in file["steps"]:
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars]
        write(Event(wall_time=seconds, step=step, summary=Summary(value=values)))
    return out.getvalue()


# Weights whose sums are exact, one at an inner edge, in four buckets; and such that are all the same.
HISTOGRAMS = {"weights/linear1.weight": [-1.5, -0.5, 0.25, 0.5, 0.5, 2.5], "weights/linear1.bias": [0.0, 0.0]}
BUCKETS = 4


def histogram_of(values):
    x = np.array(values)
    counts, edges = np.histogram(x, bins=BUCKETS)  # [v − ½, v + ½] where all are v
    sums = {"num": len(x), "sum": x.sum(), "sum_squares": (x * x).sum()}
    return HistogramProto(min=edges[0], max=edges[-1], bucket_limit=edges[1:], bucket=counts, **sums)


def histograms(seconds):
    out = io.BytesIO()
    values = [Summary.Value(tag=tag, histo=histogram_of(values)) for tag, values in HISTOGRAMS.items()]
    event = Event(wall_time=seconds, step=7, summary=Summary(value=[Summary.Value(tag="loss", simple_value=0.5), *values]))
    writer = RecordWriter(out)
    writer.write(Event(wall_time=seconds, file_version="brain.Event:2").SerializeToString())
    writer.write(event.SerializeToString())
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "events.out.tfevents.1.host.1.0").write_bytes(out.getvalue())
        reader = EventAccumulator(folder)
        reader.Reload()
        read = {}
        for tag in reader.Tags()["histograms"]:
            [event] = reader.Histograms(tag)
            own = event.histogram_value
            read[tag] = {"step": event.step, "min": own.min, "max": own.max, "num": own.num, "limits": list(own.bucket_limit), "counts": list(own.bucket)}
    return {"seconds": seconds, "step": 7, "weights": HISTOGRAMS, "buckets": BUCKETS, "bytes": base64.b64encode(out.getvalue()).decode(), "read": read}


def main():
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, file in enumerate(FILES):
            seconds = 1_700_000_000.25 + number
            data = bytes_of(file, seconds)
            (Path(folder) / f"events.out.tfevents.{int(seconds)}.host.1.{number}").write_bytes(data)
            files.append({**file, "seconds": seconds, "bytes": base64.b64encode(data).decode()})
        reader = EventAccumulator(folder)
        reader.Reload()
        read = {tag: [[event.step, event.value] for event in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]}
    for file in files:
        for _, scalars in file["steps"]:
            for scalar in scalars:
                scalar[1] = "NaN" if scalar[1] != scalar[1] else scalar[1]
    read["größe"][0][1] = "NaN"
    FIXTURES.mkdir(exist_ok=True)
    (FIXTURES / "tensor_board.json").write_text(json.dumps({"files": files, "read": read, "histograms": histograms(1_700_000_002.5)}, indent=1, ensure_ascii=False) + "\n")


main()

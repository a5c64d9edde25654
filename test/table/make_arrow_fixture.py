"""Makes arrow.json and files of Arrow with the values that PyArrow says they hold, nulls over other rows' values among them.

Run with pandas 3.1, pyarrow 26, numpy 2.4, polars 2.1: python make_arrow_fixture.py
"""

import datetime as dt
import decimal
import json
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather as feather

out = Path(__file__).parent / "fixtures"
n = 60
epoch = dt.datetime(1970, 1, 1)


def over(values, nulls, kind):
    """An array whose missing slots hold numbers that nobody has given."""
    data = pa.array(values, kind)
    bits = np.packbits([i not in nulls for i in range(len(values))], bitorder="little").tobytes()
    return pa.Array.from_buffers(data.type, len(values), [pa.py_buffer(bits), *data.buffers()[1:]])


table = pa.table(
    {
        "double": over([i * 0.37 for i in range(n)], {0, 7, 31}, pa.float64()),
        "single": pa.array([i / 3 for i in range(n)], pa.float32()),
        "half": pa.array(np.arange(n, dtype=np.float16) / 4),
        "whole": over([i - 30 for i in range(n)], {3, 59}, pa.int64()),
        "byte": pa.array([i * 4 for i in range(n)], pa.uint8()),
        "wide": pa.array([2**53 - 1 - i for i in range(n)], pa.uint64()),
        "text": pa.array([None if i % 11 == 0 else f"cität {i % 3}" for i in range(n)]),
        "large": pa.array([f"{i % 7:03d}" for i in range(n)], pa.large_string()),
        "coded": pa.array([None if i == 5 else f"d{i % 4}" for i in range(n)]).dictionary_encode(),
        "levels": pa.DictionaryArray.from_arrays(pa.array([i % 3 for i in range(n)], pa.int8()), pa.array([1.5, None, -2.0])),
        "flag": pa.array([None if i % 3 == 0 else i % 2 == 0 for i in range(n)]),
        "day": pa.array([dt.date(1969, 12, 1) + dt.timedelta(days=i) if i % 4 else None for i in range(n)]),
        "second": pa.array([dt.datetime(1960, 1, 1) + dt.timedelta(days=i) for i in range(n)], pa.timestamp("s")),
        "micro": pa.array([dt.datetime(2020, 1, 1, 0, 0, 0, 123456) + dt.timedelta(hours=i) for i in range(n)], pa.timestamp("us", "UTC")),
        "nano": pa.array([dt.datetime(1969, 12, 31, 23, 0, 0, 1500) + dt.timedelta(minutes=7 * i) for i in range(n)], pa.timestamp("ns")),
        "clock": pa.array([dt.time(i % 24, i, 30, 500000) for i in range(n)], pa.time64("us")),
        "lasting": pa.array([dt.timedelta(seconds=i, milliseconds=250) for i in range(n)], pa.duration("ms")),
        "price": pa.array([decimal.Decimal(i - 20) / 4 for i in range(n)], pa.decimal128(10, 2)),
        "gap": pa.array([float("nan") if i % 2 else 1.5 for i in range(n)]),
        "nothing": pa.nulls(n),
    }
)


def plain(value):
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, pd.Timestamp):
        value = value.to_pydatetime()
    if isinstance(value, dt.datetime):
        return int((value.replace(tzinfo=None) - epoch) // dt.timedelta(milliseconds=1))
    if isinstance(value, dt.date):
        return (value - epoch.date()).days * 86_400_000
    if isinstance(value, dt.time):
        return value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    return value.item() if isinstance(value, np.generic) else value


feather.write_feather(table, out / "types-lz4.feather", compression="lz4", chunksize=25)
feather.write_feather(table, out / "types-zstd.feather", compression="zstd", chunksize=25)
with pa.ipc.new_file(out / "types-none.arrow", table.schema) as writer:
    writer.write_table(table, max_chunksize=25)
with pa.ipc.new_stream(out / "types-stream.arrow", table.schema) as writer:
    writer.write_table(table, max_chunksize=25)

# What LZ4 writes of many blocks that go on where the last one ended.
long = pa.table({"i": pa.array(np.arange(40_000) // 7, pa.int32()), "t": pa.array([f"row {i % 501}" for i in range(40_000)])})
feather.write_feather(long, out / "long.feather", compression="lz4", chunksize=40_000)
feather.write_feather(pd.DataFrame({"a": [1, None, 3], "b": ["x", None, "z"]}), out / "pandas.feather")
with pa.ipc.new_file(out / "lists.arrow", (lists := pa.table({"x": [[1, 2]], "y": [1]})).schema) as writer:
    writer.write_table(lists)

frame = pl.DataFrame({"a": [1, 2, 3], "s": ["x", "a text that is not held in its view", None], "c": ["u", "v", "u"]})
frame.with_columns(pl.col("c").cast(pl.Categorical)).write_ipc(out / "polars.arrow", compression="zstd")

rows = {name: [plain(v) for v in table.column(name).to_pylist()] for name in table.column_names}
versions = {"pandas": pd.__version__, "pyarrow": pa.__version__, "numpy": np.__version__}
(out / "arrow.json").write_text(json.dumps({"versions": versions, "rows": rows}) + "\n")

"""Makes fixtures/pages-*.parquet: one table as PyArrow writes it in many ways, and in pages.json what it reads of it.

Run with pyarrow 26, numpy 2.4: python make_parquet_fixture.py
"""

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

out = Path(__file__).parent / "fixtures"
n = 300
rng = np.random.default_rng(1)
epoch = dt.datetime(1970, 1, 1)


def some(values, every):
    return [None if i % every == 0 else v for i, v in enumerate(values)]


fields = {
    "double": pa.array(some(rng.normal(size=n).tolist(), 7)),
    "few": pa.array(some([float(i % 5) / 4 for i in range(n)], 9)),
    "single": pa.array(rng.normal(size=n).astype(np.float32)),
    "whole": pa.array(some([(i * 7919) % 400 - 200 for i in range(n)], 5), pa.int64()),
    "long": pa.array([(-1) ** i * (2**53 - 1 - i) for i in range(n)], pa.int64()),
    "byte": pa.array(some([i % 256 for i in range(n)], 3), pa.uint8()),
    "unsigned": pa.array([4_294_967_295 - i for i in range(n)], pa.uint32()),
    "wide": pa.array([2**53 - 1 - i for i in range(n)], pa.uint64()),
    "text": pa.array(some([f"größe {i % 13} 漢😀" for i in range(n)], 11)),
    "other": pa.array([f"text {i}" if i % 4 else "" for i in range(n)]),
    "flag": pa.array(some([i % 3 == 0 for i in range(n)], 8)),
    "true": pa.array([True] * n),
    "day": pa.array([dt.date(1969, 1, 1) + dt.timedelta(days=i) for i in range(n)]),
    "milli": pa.array([epoch + dt.timedelta(milliseconds=i - 150) for i in range(n)], pa.timestamp("ms")),
    "micro": pa.array(some([epoch + dt.timedelta(microseconds=333 * (i - 150)) for i in range(n)], 6), pa.timestamp("us")),
    "nano": pa.array([(i - 150) * 999_983 for i in range(n)], pa.timestamp("ns")),
    "time": pa.array([dt.time(i % 24, i % 60) for i in range(n)], pa.time32("ms")),
    "nothing": pa.array([None] * n, pa.string()),
    "untyped": pa.array([None] * n, pa.null()),
}
schema = pa.schema([pa.field(k, v.type, nullable=v.null_count > 0) for k, v in fields.items()])
table = pa.table(fields, schema=schema)

PER_MILLISECOND = {"ms": 1, "us": 1_000, "ns": 1_000_000}


def plain(column):
    if pa.types.is_timestamp(column.type):
        per = PER_MILLISECOND[column.type.unit]
        return [None if v is None else v // per for v in column.cast(pa.int64()).to_pylist()]
    if pa.types.is_date(column.type):
        return [v * 86_400_000 for v in column.cast(pa.int32()).to_pylist()]
    if pa.types.is_time(column.type):
        return column.cast(pa.int32()).to_pylist()
    return [None if v == "" else v for v in column.to_pylist()]


ways = {
    "plain": dict(use_dictionary=False, compression="none"),
    "second": dict(data_page_version="2.0", compression="snappy", data_page_size=512, write_batch_size=64),
    "small": dict(compression="gzip", data_page_size=256, write_batch_size=32, dictionary_pagesize_limit=512, row_group_size=400),
    "second-plain": dict(data_page_version="2.0", use_dictionary=False, compression="zstd", data_page_size=512, write_batch_size=64),
    "delta": dict(
        use_dictionary=False,
        compression="snappy",
        column_encoding={
            "whole": "DELTA_BINARY_PACKED",
            "double": "BYTE_STREAM_SPLIT",
            "text": "DELTA_BYTE_ARRAY",
            "other": "DELTA_LENGTH_BYTE_ARRAY",
        },
    ),
    "old": dict(version="1.0", coerce_timestamps="us", allow_truncated_timestamps=True, compression="snappy"),
}
expected = {name: plain(table.column(name).combine_chunks()) for name in table.column_names}
for way, options in ways.items():
    file = out / f"pages-{way}.parquet"
    pq.write_table(table, file, **options)
    read = pq.read_table(file)
    assert expected == {name: plain(read.column(name).combine_chunks()) for name in read.column_names}, way
(out / "pages.json").write_text(json.dumps(expected, ensure_ascii=False, separators=(",", ":")) + "\n")
bad = pa.Array.from_buffers(pa.string(), 2, [None, pa.py_buffer(np.array([0, 1, 3], np.int32)), pa.py_buffer(b"a\xff\xfe")])
pq.write_table(pa.table({"x": bad}), out / "pages-bad-utf8.parquet")
pq.write_table(pa.table([[1, 2], [3, 4]], names=["x", "x"]), out / "pages-twice.parquet")

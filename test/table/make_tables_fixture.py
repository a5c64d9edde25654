"""Makes fixtures/: files of PyArrow and NumPy with the values that they hold, and what scikit-learn, pandas and NumPy make of columns.

Run with pandas 3.1, pyarrow 26, numpy 2.4, scikit-learn 1.9: python make_tables_fixture.py
"""

import datetime as dt
import decimal
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import OrdinalEncoder, RobustScaler, StandardScaler

out = Path(__file__).parent / "fixtures"
out.mkdir(exist_ok=True)
n = 60

table = pa.table(
    {
        "double": pa.array([None if i % 7 == 0 else i * 0.37 for i in range(n)]),
        "whole": pa.array([None if i % 5 == 0 else i - 30 for i in range(n)], pa.int64()),
        "byte": pa.array([i * 4 for i in range(n)], pa.uint8()),
        "wide": pa.array([4_000_000_000 + i for i in range(n)], pa.uint32()),
        "float": pa.array([i / 3 for i in range(n)], pa.float32()),
        "half": pa.array(np.arange(n, dtype=np.float16)),
        "text": pa.array([None if i % 11 == 0 else f"cität {i % 3}" for i in range(n)]),
        "coded": pa.array([f"d{i % 4}" for i in range(n)]).dictionary_encode(),
        "flag": pa.array([None if i % 3 == 0 else i % 2 == 0 for i in range(n)]),
        "day": pa.array([dt.date(2020, 1, 1) + dt.timedelta(days=i) if i % 4 else None for i in range(n)]),
        "micro": pa.array([dt.datetime(2020, 1, 1, 0, 0, 0, 123456) + dt.timedelta(hours=i) for i in range(n)], pa.timestamp("us")),
        "nano": pa.array([dt.datetime(1969, 12, 31) + dt.timedelta(hours=i) for i in range(n)], pa.timestamp("ns")),
        "price": pa.array([decimal.Decimal(i) / 4 for i in range(n)], pa.decimal128(10, 2)),
        "gap": pa.array([float("nan") if i % 2 else 1.5 for i in range(n)]),
    }
)


def plain(value):
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, dt.datetime):
        return int((value - dt.datetime(1970, 1, 1)) // dt.timedelta(milliseconds=1))
    if isinstance(value, dt.date):
        return (value - dt.date(1970, 1, 1)).days * 86_400_000
    return value.item() if isinstance(value, np.generic) else value


rows = {name: [plain(v) for v in table.column(name).to_pylist()] for name in table.column_names}
for codec in ["snappy", "zstd", "gzip", "brotli", "lz4", "none"]:
    pq.write_table(table, out / f"types-{codec}.parquet", compression=codec, row_group_size=25)
pq.write_table(pa.table({"x": [[1, 2]], "y": [1]}), out / "lists.parquet")
pq.write_table(pa.table({"x": [b"\xff"], "y": [2**60]}), out / "bytes.parquet")

matrix = np.arange(12, dtype=">f4").reshape(4, 3) / 8
fields = np.array([(1, 2.5, "a"), (2, float("nan"), "éb"), (3, -1, "")], dtype=[("id", "<i4"), ("score", "<f8"), ("name", "<U3")])
np.save(out / "matrix.npy", np.asfortranarray(matrix))
np.save(out / "fields.npy", fields)
np.save(out / "objects.npy", np.array([None, 1], dtype=object), allow_pickle=True)
np.savez_compressed(
    out / "arrays.npz",
    age=np.array([31, 40, 2], dtype=np.int64),
    at=np.array(["2020-01-01T10:00", "NaT", "1969-12-31"], dtype="datetime64[s]"),
    ok=np.array([True, False, True]),
    half=np.array([0.5, -2, 65504], dtype=np.float16),
    name=np.array(["x", "yé", "z"]),
    pair=np.array([[1, 2], [3, 4], [5, 6]], dtype=np.uint16),
)
text = "".join(f"{i},{'é' * (i % 5)}x\n" for i in range(5000))
with pa.CompressedOutputStream(str(out / "rows.csv.zst"), "zstd") as file:
    file.write(("number,text\n" + text).encode())

# Columns of a network
rng = np.random.default_rng(5)
numbers = {
    "normal": rng.normal(1e8, 1e3, 501),
    "skewed": np.exp(rng.normal(0, 2, 501)),
    "narrow": np.r_[np.zeros(500), 7.0],
    "constant": np.full(501, 3.25),
    "counts": rng.integers(0, 9, 501).astype(float),
}
expected = {}
for name, x in numbers.items():
    robust = RobustScaler().fit(x[:, None])
    q25, q50, q75 = np.percentile(x, [25, 50, 75])
    mean = StandardScaler().fit(x[:, None])
    expected[name] = {
        "values": x.tolist(),
        "median": robust.center_[0],
        "iqr": q75 - q25,
        "mean": mean.mean_[0],
        "deviation": float(np.sqrt(mean.var_[0])),
        "max": x.max(),
        "min": x.min(),
    }

levels = np.array([str(v) for v in rng.choice(["b", "a", "Z", "ä", "10", "9"], 60)])
codes = OrdinalEncoder().fit_transform(levels[:, None]).ravel().astype(int)

texts = ["the cat sat on the mat", "a cat", "Zwölf Boxkämpfer jagen Viktor", "the the the", "x"]
words = CountVectorizer(ngram_range=(1, 2), token_pattern=r"(?u)\w+").fit(texts)
characters = CountVectorizer(analyzer="char_wb", ngram_range=(3, 5)).fit(texts)
pieces = [[int((m.transform([t]) > 0).sum()) for m in (words, characters)] for t in texts]

dates = ["2020-02-29", "2021-12-31T23:59:59.250Z", "1969-07-20 20:17", "2020-06-01T00:00:00+02:00", "0099-01-01"]
moments = [int((dt.datetime.fromisoformat(d.replace("Z", "+00:00")).replace(tzinfo=dt.datetime.fromisoformat(d.replace("Z", "+00:00")).tzinfo or dt.timezone.utc) - dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)) / dt.timedelta(milliseconds=1)) for d in dates]

(out / "tables.json").write_text(
    json.dumps(
        {
            "versions": {"pandas": pd.__version__, "pyarrow": pa.__version__, "numpy": np.__version__},
            "parquet": rows,
            "numbers": expected,
            "levels": levels.tolist(),
            "codes": codes.tolist(),
            "texts": texts,
            "pieces": pieces,
            "dates": dates,
            "moments": moments,
        }
    )
    + "\n"
)

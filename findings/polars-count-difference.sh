#!/usr/bin/env bash
# The difference of two counts of Polars is 4,294,967,294 where it should be -2.
#
# Version:   polars 2.1.0.
# Behaviour: len(), value_counts(), n_unique() and with_row_index() give unsigned integers of 32 bits; a difference keeps the type and wraps, as does a
#            Python integer that is subtracted. diff() of the same column is signed. No error.
# Seen:      classes with 3 and 1 rows: len - max(len) is 0 and 4294967294, count - 2 is 1 and 4294967295, index - 1 begins with 4294967295,
#            while diff() of the two is -2.
# Guess:     -2, as a count in Python, pandas or DuckDB gives.
# Matters:   how far classes are from balance, how many rows are missing from a batch, and the distance of a row from an event are computed so, and
#            then stand in a column of features or weights as four thousand million.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "polars==2.1.0"
"$folder/venv/bin/python" - <<'PY'
import polars
from polars import col

frame = polars.DataFrame({"label": ["a", "a", "a", "b"]})
classes = frame.group_by("label", maintain_order=True).len()
missing = classes.select(col("len") - col("len").max())["len"].to_list()
counts = frame["label"].value_counts(sort=True).select(col("count") - 2)["count"].to_list()
before = frame.with_row_index().select(col("index") - 1)["index"].to_list()
print(classes["len"].dtype, missing, counts, before, classes["len"].diff().to_list())
assert classes["len"].to_list() == [3, 1]
assert missing == [0, 2**32 - 2]
assert counts == [1, 2**32 - 1]
assert before == [2**32 - 1, 0, 1, 2]
assert classes["len"].diff().to_list() == [None, -2]
PY
echo "as described"

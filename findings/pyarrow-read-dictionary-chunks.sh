#!/usr/bin/env bash
# A column of categories that PyArrow reads from Parquet has another dictionary in every row group: one code, two categories.
#
# Version:   pyarrow 26.0.1.
# Behaviour: read_table(read_dictionary=[...]) keeps each row group as a chunk with the dictionary that it was written with; indices mean
#            something within their chunk alone. dictionary_encode() of a chunked column, in memory, has one dictionary for all chunks.
# Seen:      a b a | c b c in row groups of three: indices 0 1 0 with [a, b] and 0 1 0 with [c, b].
# Guess:     one column has one dictionary, as the type of the table says dictionary<values=string> once.
# Matters:   indices of the chunks, one after another, are what an embedding is fed with; of a file with more than one row group categories are
#            mixed up without an error, and only from the size on at which writers begin a second group. unify_dictionaries() mends it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pyarrow==26.0.1"
"$folder/venv/bin/python" - <<'PY'
import io

import pyarrow
import pyarrow.parquet

table = pyarrow.table({"kind": ["a", "b", "a", "c", "b", "c"]})
buffer = io.BytesIO()
pyarrow.parquet.write_table(table, buffer, row_group_size=3)
read = pyarrow.parquet.read_table(buffer, read_dictionary=["kind"])
chunks = [(chunk.indices.to_pylist(), chunk.dictionary.to_pylist()) for chunk in read["kind"].chunks]
print(chunks)
assert chunks == [([0, 1, 0], ["a", "b"]), ([0, 1, 0], ["c", "b"])]
unified = read.unify_dictionaries()["kind"]
assert [chunk.indices.to_pylist() for chunk in unified.chunks] == [[0, 1, 0], [2, 1, 2]]
encoded = pyarrow.chunked_array([["a", "b"], ["c", "b"]]).dictionary_encode()
assert [chunk.indices.to_pylist() for chunk in encoded.chunks] == [[0, 1], [2, 1]]
PY
echo "as described"

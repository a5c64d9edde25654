#!/usr/bin/env bash
# hyparquet drops a byte-order mark that a text of a column begins with: two different texts become one.
#
# Version:   hyparquet 1.33.0 (Node.js 20), the file written by pyarrow 26.0.1.
# Behaviour: every text is decoded by new TextDecoder(), which takes U+FEFF at its beginning for the mark of a file and leaves it out; in the middle it
#            stays. No option, no warning.
# Seen:      "\ufeffid" and "id" of one column, dictionary-encoded or plain, are both "id"; "x\ufeffid" keeps its four units. pyarrow 26.0.1 and pandas
#            read three different texts.
# Guess:     a text of a column is its bytes; a mark is of files, and was handled by whoever read the file.
# Matters:   the first header and the first cell of CSV files that Excel has written carry it into tables, so that it is common in the first row: joins
#            and counts over keys differ between Python and JavaScript on the same file, and what is written back is another text.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts "hyparquet@1.33.0"
python3 -m venv venv
venv/bin/pip install --quiet "pyarrow==26.0.1"
venv/bin/python - <<'PY'
import pyarrow
import pyarrow.parquet

texts = ["\ufeffid", "id", "x\ufeffid"]
pyarrow.parquet.write_table(pyarrow.table({"a": texts, "b": texts}), "a.parquet", use_dictionary=["a"])
read = pyarrow.parquet.read_table("a.parquet")
assert read["a"].to_pylist() == read["b"].to_pylist() == texts
PY
cat >main.mjs <<'JS'
import assert from "node:assert/strict";
import { asyncBufferFromFile, parquetReadObjects } from "hyparquet";

const rows = await parquetReadObjects({ file: await asyncBufferFromFile("a.parquet") });
for (const name of ["a", "b"]) {
  const texts = rows.map((row) => row[name]);
  console.log(name, texts.map((text) => JSON.stringify(text)).join(" "), texts.map(({ length }) => length).join(" "));
  assert.deepEqual(texts, ["id", "id", "x\ufeffid"]);
}
JS
node main.mjs
echo "as described"

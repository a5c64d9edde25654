#!/usr/bin/env bash
# hyparquet reads a column of bytes as text, with replacement characters for what is no UTF-8.
#
# Version:   hyparquet 1.33.0 (Node.js 20), the file written by pyarrow 26.0.1.
# Behaviour: BYTE_ARRAY without a logical type, which is how Arrow writes binary, goes through a UTF-8 decoder unless utf8: false is given (its
#            README says so); what is no UTF-8 becomes U+FFFD without a word. FIXED_LEN_BYTE_ARRAY gives bytes. It holds inside structs too.
# Seen:      ff d8 ff e0 in a binary column and in a struct { bytes, path }: a string of four U+FFFD, whose bytes in UTF-8 are twelve; as
#            binary(4), and with utf8: false, the four bytes as Uint8Array.
# Guess:     bytes without an annotation stay bytes, as in pyarrow and pandas; what is text is annotated as such.
# Matters:   images and audio of a data set (Hugging Face's { bytes, path }) and packed vectors cannot be got back from such strings; rows
#            that happen to be ASCII look right, and a column of fixed width in the next file is of another type.
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

jpeg = b"\xff\xd8\xff\xe0"
image = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
table = pyarrow.table(
    {
        "bytes": pyarrow.array([jpeg], pyarrow.binary()),
        "fixed": pyarrow.array([jpeg], pyarrow.binary(4)),
        "image": pyarrow.array([{"bytes": jpeg, "path": "a.jpg"}], image),
    }
)
pyarrow.parquet.write_table(table, "a.parquet")
assert pyarrow.parquet.read_table("a.parquet")["bytes"].to_pylist() == [jpeg]
PY
cat >main.mjs <<'JS'
import assert from "node:assert/strict";
import { asyncBufferFromFile, parquetReadObjects } from "hyparquet";

const jpeg = Uint8Array.of(0xff, 0xd8, 0xff, 0xe0);
const file = await asyncBufferFromFile("a.parquet");
const [row] = await parquetReadObjects({ file });
console.log(row);
assert.deepEqual(row, { bytes: "\ufffd".repeat(4), fixed: jpeg, image: { bytes: "\ufffd".repeat(4), path: "a.jpg" } });
assert.equal(Buffer.from(row.bytes).length, 12);
const [asked] = await parquetReadObjects({ file, utf8: false });
assert.deepEqual(asked, { bytes: jpeg, fixed: jpeg, image: { bytes: jpeg, path: "a.jpg" } });
JS
node main.mjs
echo "as described"

#!/usr/bin/env bash
# Apache Arrow cannot read a compressed file through fzstd until what fzstd gives is copied.
#
# Version:   apache-arrow 21.2.0, fzstd 0.1.1 (Node.js 20), the file written by pyarrow 26.0.1.
# Behaviour: what a codec of compressionRegistry gives is used as the column's memory, so that it must begin at a multiple of 8 bytes in its
#            ArrayBuffer for 64-bit values; the codec's interface (Uint8Array to Uint8Array) does not say so. fzstd's output is right, and
#            begins 12 bytes into a larger buffer.
# Seen:      { decode: decompress } gives "start offset of BigInt64Array should be a multiple of 8"; { decode: (bytes) => decompress(bytes).slice() }
#            reads the file.
# Guess:     a Uint8Array is its bytes, wherever they lie.
# Matters:   Feather and Arrow files of Python are compressed as a rule; the plain registration, one line, fails with a message that names neither the
#            codec nor the file, and a codec whose offsets vary fails on some files alone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pyarrow==26.0.1"
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
import pyarrow
from pyarrow import feather

feather.write_feather(pyarrow.table({"id": list(range(1000)), "x": [k / 4 for k in range(1000)]}), "rows.feather", compression="zstd")
PY
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund "apache-arrow@21.2.0" "fzstd@0.1.1"
cat >main.mjs <<'JS'
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { CompressionType, compressionRegistry, tableFromIPC } from "apache-arrow";
import { decompress } from "fzstd";

const offsets = new Set();
function decode(bytes) {
  const output = decompress(bytes);
  offsets.add(output.byteOffset);
  return output;
}
compressionRegistry.set(CompressionType.ZSTD, { decode });
let message = "read";
try {
  tableFromIPC(readFileSync("rows.feather"));
} catch (error) {
  message = error.message;
}
compressionRegistry.set(CompressionType.ZSTD, { decode: (bytes) => decode(bytes).slice() });
const table = tableFromIPC(readFileSync("rows.feather"));
console.log(message, [...offsets], table.numRows, table.get(999).toJSON());
assert.match(message, /multiple of 8/);
assert.ok([...offsets].every((offset) => offset % 8 !== 0));
assert.deepEqual(table.get(999).toJSON(), { id: 999n, x: 249.75 });
JS
node main.mjs
echo "as described"

#!/usr/bin/env bash
# A decimal 0.35 of Apache Arrow is 35 as a number and as text, and 351 plus one.
#
# Version:   apache-arrow 21.2.0 (Node.js 20), the file written by pyarrow 26.0.1.
# Behaviour: a value is its unscaled integer, in four 32-bit words. Number(v), String(v) and toJSON() know nothing of the scale, which stands in the
#            column's type; v.valueOf(scale) applies it if it is given it. `+` joins it as text. toArray() has four numbers a row.
# Seen:      decimal128(9, 2) of 0.35, 12.5, -1: Number 35, 1250, -100; "35"; v + 1 is "351"; valueOf(2) 0.35; toArray() 12 long.
# Guess:     a decimal prints as it was written, or is at least refused as a number; an array has as many numbers as rows.
# Matters:   prices and rates in databases are decimals, and so in the Parquet and Arrow files that come from them. A model that was
#            trained in Python and is served such rows has inputs a hundred times as large, without an error, and toArray() pairs each
#            target with another row's words.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pyarrow==26.0.1"
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
from decimal import Decimal

import pyarrow
from pyarrow import ipc

table = pyarrow.table({"price": pyarrow.array([Decimal("0.35"), Decimal("12.5"), Decimal("-1")], pyarrow.decimal128(9, 2))})
with ipc.new_file("prices.arrow", table.schema) as writer:
    writer.write_table(table)
PY
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund "apache-arrow@21.2.0"
cat >main.mjs <<'JS'
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { tableFromIPC } from "apache-arrow";

const column = tableFromIPC(readFileSync("prices.arrow")).getChild("price");
const values = [...column];
console.log(values.map(Number), values.map(String), values[0] + 1, values[0].valueOf(column.type.scale), column.toArray());
assert.equal(column.type.scale, 2);
assert.deepEqual(values.map(Number), [35, 1250, -100]);
assert.deepEqual(values.map(String), ["35", "1250", "-100"]);
assert.equal(JSON.parse(JSON.stringify({ v: values[0] })).v, '"35"');
assert.equal(values[0] + 1, "351");
assert.equal(values[0].valueOf(2), 0.35);
assert.equal(column.length, 3);
assert.equal(column.toArray().length, 12);
JS
node main.mjs
echo "as described"

#!/usr/bin/env bash
# One NaN in a column makes DuckDB's stddev an error, its avg NaN, and its max NaN but not its min.
#
# Version:   @duckdb/node-api 1.5.6-r.1.
# Behaviour: stddev and variance refuse a result that is not finite with 'out of range'; avg passes NaN on; NaN orders above every
#            number, so max is NaN and min ignores it; median counts it as the largest value.
# Seen:      1, NaN, 3: avg NaN, max NaN, min 1, median 3; stddev raises an Out of Range Error.
# Guess:     all of them NaN, as in NumPy; or all leave it out, as SQL does with NULL.
# Matters:   NaN is how pandas writes missing numbers into Parquet; the statistics for standardizing a column fail half way through a
#            query of a hundred columns, without the column's name, or silently take a shifted median.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund "@duckdb/node-api@1.5.6-r.1"
cat >main.mjs <<'JS'
import assert from "node:assert/strict";
import { DuckDBInstance } from "@duckdb/node-api";

const connection = await (await DuckDBInstance.create(":memory:")).connect();
const rows = async (query) => (await connection.runAndReadAll(query)).getRowObjectsJS();

const table = "(VALUES (1.0::DOUBLE), ('NaN'::DOUBLE), (3.0::DOUBLE)) AS t(x)";
const [row] = await rows(`SELECT avg(x) AS mean, max(x) AS most, min(x) AS least, median(x) AS middle FROM ${table}`);
console.log(row);
assert.deepEqual(row, { mean: NaN, most: NaN, least: 1, middle: 3 });
await assert.rejects(rows(`SELECT stddev(x) FROM ${table}`), /STDDEV_SAMP is out of range/);
JS
node main.mjs
echo "as described"

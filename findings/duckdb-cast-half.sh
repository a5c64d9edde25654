#!/usr/bin/env bash
# DuckDB rounds the same half up or down on its way to an integer: by whether it is a decimal or a double.
#
# Version:   @duckdb/node-api 1.5.6-r.1.
# Behaviour: a cast of DECIMAL rounds halves away from zero, a cast of DOUBLE or FLOAT to the even neighbour; a literal such as 2.5 is a
#            DECIMAL, a column read from CSV or Parquet a DOUBLE. round() goes away from zero for both.
# Seen:      2.5::INT is 3, 2.5::DOUBLE::INT is 2, round(2.5::DOUBLE) is 3.
# Guess:     one rule for one number: a query tried on literals says what it does on a table.
# Matters:   targets and bins made by a cast (stars, ages, cents) differ between a query on a decimal column of a warehouse and the same
#            on its Parquet export, at the halves only, where reviews have many.
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

const [row] = await rows("SELECT 2.5::INT AS literal, 2.5::DOUBLE::INT AS double, 2.5::FLOAT::INT AS float, round(2.5::DOUBLE) AS rounded");
console.log(row);
assert.deepEqual(row, { literal: 3, double: 2, float: 2, rounded: 3 });
JS
node main.mjs
echo "as described"

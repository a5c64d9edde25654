#!/usr/bin/env bash
# USING SAMPLE 30% of a small table in DuckDB gives all of its rows or none.
#
# Version:   @duckdb/node-api 1.5.6-r.1.
# Behaviour: a percentage is drawn by system sampling unless told: whole vectors of 2,048 rows are kept or left. A table within one
#            vector is one draw.
# Seen:      1,000 rows, 40 seeds: every sample has 0 or 1,000 rows; with (bernoulli) each has between 200 and 400.
# Guess:     about 300 rows each time.
# Matters:   it is the natural way to cut a validation set or a quick subset: a job that passed on a large table has an empty validation
#            set, or one that equals the training set, on a small one; and in a large table rows that were written together (a day, a
#            customer) stay together.
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

async function sizes(method) {
  const counts = [];
  for (let seed = 1; seed <= 40; seed++) {
    const [row] = await rows(`SELECT count(*)::INT AS n FROM (SELECT * FROM range(1000) USING SAMPLE 30 PERCENT (${method}, ${seed}))`);
    counts.push(row.n);
  }
  return [Math.min(...counts), Math.max(...counts), new Set(counts)];
}
const [, , system] = await sizes("system");
const [least, most] = await sizes("bernoulli");
const unnamed = new Set();
for (let i = 0; i < 40; i++) unnamed.add((await rows("SELECT count(*)::INT AS n FROM (SELECT * FROM range(1000) USING SAMPLE 30%)"))[0].n);
console.log("system", system, "without a method", unnamed, "bernoulli", least, most);
for (const seen of [system, unnamed]) assert.ok([...seen].every((n) => n === 0 || n === 1000));
assert.ok(least > 200 && most < 400);
JS
node main.mjs
echo "as described"

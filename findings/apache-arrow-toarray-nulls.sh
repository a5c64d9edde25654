#!/usr/bin/env bash
# toArray() of an Apache Arrow column gives 0 where a number is missing, and null where a boolean is.
#
# Version:   apache-arrow 21.2.0 (Node.js 20).
# Behaviour: for numbers toArray() is the column's memory as it lies, without its validity bitmap; what stands in the place of a null is
#            whatever the writer left there. For types that have no typed array it goes through get(), which knows nulls.
# Seen:      [1.5, null, 3.5] as Float64: toArray() gives 1.5, 0, 3.5 while iterating gives 1.5, null, 3.5, and nullCount is 1; booleans
#            true, null give true, null.
# Guess:     a missing number is NaN, or an error where there is no place for it, as in pandas' to_numpy and Arrow's own to_numpy in
#            Python.
# Matters:   it is the shortest way from a column to a tensor; missing ages, prices and targets become zeros that look measured, and a
#            model learns from them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts "apache-arrow@21.2.0"
cat >main.mjs <<'JS'
import assert from "node:assert/strict";
import { Bool, Float64, vectorFromArray } from "apache-arrow";

const numbers = vectorFromArray([1.5, null, 3.5], new Float64());
const flags = vectorFromArray([true, null], new Bool());
console.log(numbers.toArray(), [...numbers], flags.toArray());
assert.deepEqual(Array.from(numbers.toArray()), [1.5, 0, 3.5]);
assert.deepEqual([...numbers], [1.5, null, 3.5]);
assert.equal(numbers.nullCount, 1);
assert.deepEqual([...flags.toArray()], [true, null]);
JS
node main.mjs
echo "as described"

#!/usr/bin/env bash
# csv-parse with cast: true reads 0x1F and 0b11 as 0.
#
# Version:   csv-parse 7.0.3 (Node.js 20).
# Behaviour: a field counts as a number where the text minus its parseFloat is a number; the text is taken as JavaScript takes it (0x1F
#            is 31), the value from parseFloat, which stops at the x. Nothing is told.
# Seen:      '0x1F' and '0b11' become 0, '0x1' too; '1_000' and 'Infinity' stay text; '007' becomes 7.
# Guess:     a field is a number with its value, or stays text.
# Matters:   hashes, addresses, flags and colours in hexadecimal become a column of zeros: a feature without information, or one
#            category for all, and every join by such a key matches everything.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts "csv-parse@7.0.3"
cat >main.mjs <<'JS'
import assert from "node:assert/strict";
import { parse } from "csv-parse/sync";

const [row] = parse("0x1F,0b11,0x1,1_000,Infinity,007\n", { cast: true });
console.log(row);
assert.deepEqual(row, [0, 0, 0, "1_000", "Infinity", 7]);
JS
node main.mjs
echo "as described"

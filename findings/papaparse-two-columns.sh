#!/usr/bin/env bash
# Papa Parse finds the semicolons of a file with two columns if it has ten lines, and not if it has nine.
#
# Version:   papaparse 5.7.1 (Node.js 20).
# Behaviour: the delimiter is guessed from the first ten rows; a candidate must give more than 1.99 fields a row on average. The newline at the end
#            of the file makes a row with one field that counts, as a blank line does (without skipEmptyLines), and a row without its second
#            field. With two columns that is always too few; then the comma is taken. errors has one entry, of type Delimiter.
# Seen:      "a;b" and rows of two numbers: nine lines give one column "a;b", ten give a and b; nine without the newline at the end too. Tabs and
#            bars behave alike. 1,001 lines with a blank fifth one give one column.
# Guess:     the delimiter that fits every row with content is found; the end of the file is no row.
# Matters:   a file of training rows is read well, and the small one of rows to be answered, from the same program, is one column of text; the same
#            code passes its tests on strings that end without a newline. A missing cell in an early row turns a file of any length.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts "papaparse@5.7.1"
cat >main.mjs <<'JS'
import assert from "node:assert/strict";
import Papa from "papaparse";

const lines = (count, delimiter) => ["a;b", ...Array.from({ length: count - 1 }, (_, row) => `${row};1.5`)].map((line) => line.replace(";", delimiter));
const read = (text, options) => {
  const { meta, errors } = Papa.parse(text, { header: true, ...options });
  return [meta.fields, errors.filter(({ type }) => type === "Delimiter").map(({ code }) => code)];
};
for (const delimiter of [";", "\t", "|"]) {
  const nine = lines(9, delimiter).join("\n");
  const ten = lines(10, delimiter).join("\n");
  console.log(read(`${nine}\n`), read(`${ten}\n`));
  assert.deepEqual(read(`${nine}\n`), [[`a${delimiter}b`], ["UndetectableDelimiter"]]);
  assert.deepEqual(read(`${ten}\n`), [["a", "b"], []]);
  assert.deepEqual(read(nine), [["a", "b"], []]);
  assert.deepEqual(read(`${nine}\n`, { skipEmptyLines: true }), [["a", "b"], []]);
}
const blank = lines(1001, ";").map((line, index) => (index === 4 ? "" : line)).join("\n");
assert.deepEqual(read(blank), [["a;b"], ["UndetectableDelimiter"]]);
JS
node main.mjs
echo "as described"

#!/usr/bin/env bash
# Three MurmurHash packages of npm hash every word with a letter beyond ASCII differently from every other language.
#
# Version:   imurmurhash 0.1.4, murmurhash-js 1.0.0, murmurhash3js 3.0.1; murmurhash 2.0.1 for comparison (Node.js 20).
# Behaviour: they take the string's UTF-16 units in the place of bytes (cut to 8 bits, or mixed in whole); murmurhash 2.0.1 takes UTF-8, as
#            scikit-learn, Spark and the reference do. No option, no warning.
# Seen:      MurmurHash3, 32 bits, seed 0: "cat" is 1751422759 in all four and in scikit-learn; "Größe" is 3815716910 in scikit-learn 1.9.1
#            and murmurhash 2.0.1, and 3309808723 in the other three.
# Guess:     a package named after the function agrees with it on any string; what was tried on a few words is tried.
# Matters:   a hashed bag of words trained in Python and served in Node.js looks up wrong rows for names, for most German and French texts
#            and for all Cyrillic or Chinese ones, while tests in English pass.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts "imurmurhash@0.1.4" "murmurhash-js@1.0.0" "murmurhash3js@3.0.1" "murmurhash@2.0.1"
cat >main.cjs <<'JS'
const assert = require("node:assert/strict");
const imurmurhash = require("imurmurhash");
const murmurhash = require("murmurhash");
const murmurhash3js = require("murmurhash3js");
const murmurhashJs = require("murmurhash-js");

// The second number of each word is sklearn.utils.murmurhash3_32(word, seed=0, positive=True) of scikit-learn 1.9.1.
for (const [word, reference] of [["cat", 1751422759], ["house", 553339214], ["Größe", 3815716910]]) {
  const others = [imurmurhash(word, 0).result(), murmurhashJs.murmur3(word, 0), murmurhash3js.x86.hash32(word, 0)];
  console.log(word, reference, murmurhash.v3(word, 0), others.join(" "));
  assert.equal(murmurhash.v3(word, 0), reference);
  for (const hash of others) assert.equal(hash === reference, word !== "Größe");
}
JS
node main.cjs
echo "as described"

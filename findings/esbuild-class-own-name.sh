#!/usr/bin/env bash
# A class that names itself has another name after esbuild has bundled it, without any minification: Dense becomes _Dense.
#
# Version:   esbuild 0.28.2 (Node.js 20).
# Behaviour: in a bundle a class declaration is written `var Dense = class … {}`. A class whose body mentions its own name gets an inner one for
#            that, `class _Dense`, and the inner name is what .name and constructor.name give. A class that does not mention itself keeps its
#            name. No target changes it; keepNames: true does.
# Seen:      Dense, with a static method that gives new Dense(), has constructor.name "_Dense"; Plain beside it "Plain"; unbundled both as written.
# Guess:     names change where identifiers are minified, and only there.
# Matters:   a model file that writes layer.constructor.name as the kind of a layer, or a registry that finds classes by it, works from the
#            sources and in tests; the bundled program writes "_Dense", which no other program can load, and adding one static method to a
#            layer is enough for it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund "esbuild@0.28.2"
cat >layers.mjs <<'JS'
export class Dense {
  static of(units) {
    return new Dense(units);
  }
  constructor(units) {
    this.units = units;
  }
}
export class Plain {}
export const kinds = [Dense.of(8), new Plain()].map((layer) => layer.constructor.name);
JS
cat >main.mjs <<'JS'
import assert from "node:assert/strict";
import { build } from "esbuild";
import { kinds as asWritten } from "./layers.mjs";

async function kinds(outfile, options) {
  await build({ entryPoints: ["layers.mjs"], bundle: true, format: "esm", outfile, logLevel: "error", ...options });
  return (await import(`./${outfile}`)).kinds;
}
const [bundled, newest, kept] = [await kinds("a.mjs", {}), await kinds("b.mjs", { target: "esnext" }), await kinds("c.mjs", { keepNames: true })];
console.log("as written", asWritten, "bundled", bundled, "esnext", newest, "keepNames", kept);
assert.deepEqual(asWritten, ["Dense", "Plain"]);
assert.deepEqual(bundled, ["_Dense", "Plain"]);
assert.deepEqual(newest, ["_Dense", "Plain"]);
assert.deepEqual(kept, ["Dense", "Plain"]);
JS
node main.mjs
echo "as described"

#!/usr/bin/env bash
# @vercel/nft traces a binary named by new URL(…, import.meta.url) at the top of a module, but not inside of a function.
#
# Version:   @vercel/nft 1.11.5.
# Behaviour: the expression is found as the value of a top-level constant; the very same one in an arrow function's body is overlooked, so that
#            the file is missing in the traced output. No warning is given.
# Seen:      two modules that differ in that alone: the file list of the first has addon.node, that of the second has not.
# Guess:     a pattern that tracers document is found wherever it stands, as bundlers do.
# Matters:   libraries load their binary lazily, inside a function, to keep the import cheap: a Next.js standalone build or a serverless
#            bundle then starts without its native code, and fails at the first call in production.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts "@vercel/nft@1.11.5"
echo binary >addon.node
cat >top.mjs <<'JS'
import { fileURLToPath } from "node:url";
const address = new URL("./addon.node", import.meta.url);
export const path = () => fileURLToPath(address);
JS
cat >inside.mjs <<'JS'
import { fileURLToPath } from "node:url";
export const path = () => fileURLToPath(new URL("./addon.node", import.meta.url));
JS
cat >main.mjs <<'JS'
import assert from "node:assert/strict";
import { nodeFileTrace } from "@vercel/nft";

const traced = async (name) => (await nodeFileTrace([name])).fileList.has("addon.node");
const found = { top: await traced("top.mjs"), inside: await traced("inside.mjs") };
console.log(JSON.stringify(found));
assert.deepEqual(found, { top: true, inside: false });
JS
node main.mjs
echo "as described"

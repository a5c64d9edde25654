#!/usr/bin/env bash
# npyjs gives a transposed NumPy array back with the right shape and its numbers in the other order.
#
# Version:   npyjs 1.2.0, NumPy 2.4.6.
# Behaviour: numpy.save writes an array whose memory runs along columns (a transposed one, W.T of an exported weight) as it lies, with
#            fortran_order True. npyjs returns that memory, the shape, and the flag; nothing is reordered.
# Seen:      [[0, 1, 2], [3, 4, 5]].T saved: shape [3, 2], data 0, 1, 2, 3, 4, 5, while the rows are 0, 3 | 1, 4 | 2, 5.
# Guess:     data and shape belong together in row order, as for every other file.
# Matters:   weights and tables moved from Python train or answer with scrambled numbers; shapes fit, so nothing complains, and arrays
#            that were not transposed are right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts "npyjs@1.2.0"
python3 -m venv venv
venv/bin/pip install --quiet "numpy==2.4.6"
venv/bin/python -c 'import numpy as np; np.save("a.npy", np.arange(6, dtype="f4").reshape(2, 3).T)'
cat >main.mjs <<'JS'
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { load } from "npyjs";

const bytes = readFileSync("a.npy");
const { data, shape, fortranOrder } = await load(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
console.log(shape, data, { fortranOrder });
assert.deepEqual(shape, [3, 2]);
assert.deepEqual([...data], [0, 1, 2, 3, 4, 5]);
assert.equal(fortranOrder, true);
JS
node main.mjs
echo "as described"

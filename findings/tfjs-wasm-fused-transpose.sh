#!/usr/bin/env bash
# tf.fused.matMul of the wasm backend with transposeB computes something else as soon as `a` has more than one row.
#
# Version:   @tensorflow/tfjs 4.22.0 with @tensorflow/tfjs-backend-wasm 4.22.0 (Node.js 20).
# Behaviour: with { a: [1, k], b: [n, k], transposeB: true } it gives a·bᵀ + bias; with { a: [m, k], … }, m > 1, the values are wrong by as much as
#            they are large, without an error. The same matrix turned over by tf.transpose(b) before, and tf.matMul(a, b, false, true), are right.
# Seen:      5 rows, k = 2, n = 3: errors of some 0.5 with transposeB, at most 1e-7 without.
# Guess:     the option gives what tf.matMul(a, b, false, true) gives, for any number of rows.
# Matters:   weights that come from PyTorch lie as [outputs, inputs]. A server that is tried with single rows is right, and is wrong once it
#            answers several at a time.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts "@tensorflow/tfjs@4.22.0" "@tensorflow/tfjs-backend-wasm@4.22.0"
cat >main.cjs <<'JS'
const assert = require("node:assert/strict");
const { dirname } = require("node:path");
const tf = require("@tensorflow/tfjs");
const wasm = require("@tensorflow/tfjs-backend-wasm");

wasm.setWasmPaths(`${dirname(require.resolve("@tensorflow/tfjs-backend-wasm"))}/`);
tf.setBackend("wasm").then(() => {
  const errorOf = (rows, options, turned) => {
    const [k, n] = [2, 3];
    const a = Float32Array.from({ length: rows * k }, (_, at) => at + 1);
    const b = Float32Array.of(1, 2, 3, 4, 5, 6); // [n, k]
    const bias = Float32Array.of(10, 20, 30);
    const matrix = tf.tensor2d(b, [n, k]);
    const y = tf.fused
      .matMul({ a: tf.tensor2d(a, [rows, k]), b: turned ? tf.transpose(matrix) : matrix, bias: tf.tensor1d(bias), ...options })
      .dataSync();
    const exact = (row, j) => bias[j] + a[row * k] * b[j * k] + a[row * k + 1] * b[j * k + 1];
    return Math.max(...y.map((value, at) => Math.abs(value - exact(Math.floor(at / n), at % n))));
  };
  const errors = {
    "one row, transposeB": errorOf(1, { transposeB: true }, false),
    "five rows, transposeB": errorOf(5, { transposeB: true }, false),
    "five rows, tf.transpose": errorOf(5, {}, true),
  };
  console.log(errors);
  assert.ok(errors["one row, transposeB"] < 1e-3);
  assert.ok(errors["five rows, tf.transpose"] < 1e-3);
  assert.ok(errors["five rows, transposeB"] > 1);
});
JS
node main.cjs
echo "as described"

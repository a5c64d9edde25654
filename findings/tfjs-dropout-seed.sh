#!/usr/bin/env bash
# A seed given to TensorFlow.js' dropout layer freezes its mask: the same units are dropped at every step of the training.
#
# Version:   @tensorflow/tfjs 4.22.0 (CPU backend, Node.js 20).
# Behaviour: the layer hands its seed to each draw, and every draw begins the generator anew. Without a seed masks differ from step to
#            step; with one the network is trained with a fixed set of units cut away (and the others scaled up).
# Seen:      dropout({ rate: 0.5, seed: 7 }) applied to ones [1, 8] in training mode gives the same positions ten times; without a seed it does not.
# Guess:     a seed makes the sequence of masks repeatable from run to run, as in Keras and PyTorch.
# Matters:   whoever seeds everything for a repeatable run loses the regularization and part of the network: with rate 0.5 half of the
#            units of that layer never learn, and at inference they answer with their first random weights.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts "@tensorflow/tfjs@4.22.0"
cat >main.mjs <<'JS'
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";

function masks(options) {
  const model = tf.sequential({ layers: [tf.layers.dropout({ rate: 0.5, inputShape: [8], ...options })] });
  const draw = () => Array.from(model.apply(tf.ones([1, 8]), { training: true }).dataSync()).join(" ");
  return new Set(Array.from({ length: 10 }, draw));
}
const [seeded, free] = [masks({ seed: 7 }), masks({})];
console.log(`different masks in ten steps: ${seeded.size} with a seed, ${free.size} without`);
assert.equal(seeded.size, 1);
assert.ok(free.size > 1);
JS
node main.mjs
echo "as described"

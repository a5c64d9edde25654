#!/usr/bin/env bash
# A frozen batch normalization layer of TensorFlow.js goes on changing while the rest is trained.
#
# Version:   @tensorflow/tfjs 4.22.0 (CPU backend, Node.js 20); Keras since 2.0 for comparison.
# Behaviour: trainable = false takes scale and shift from the optimizer, and nothing else: fit still normalizes by the batch and still
#            moves mean and variance. In Keras the layer answers by its stored statistics then, and leaves them.
# Seen:      batchNormalization with trainable = false before a dense layer, inputs 10, 12, 14, 16, three epochs: the moving mean goes from 0
#            to 0.386, the moving variance from 1 to 1.119.
# Guess:     a frozen layer is the same after the training as before, as in the library whose API this is.
# Matters:   transfer learning in the browser and in Node.js freezes a base network (MobileNet has 27 such layers) and trains a head: the
#            base drifts to the statistics of a small new set, its features change under the head, and saving the head alone
#            gives other answers than the model that was evaluated.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts "@tensorflow/tfjs@4.22.0"
cat >main.mjs <<'JS'
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";

const layer = tf.layers.batchNormalization({ inputShape: [1] });
layer.trainable = false;
const model = tf.sequential({ layers: [layer, tf.layers.dense({ units: 1 })] });
model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
const weights = () => layer.getWeights().map((weight) => weight.dataSync()[0]);
const before = weights();
await model.fit(tf.tensor2d([[10], [12], [14], [16]]), tf.zeros([4, 1]), { epochs: 3, verbose: 0 });
const [gamma, beta, mean, variance] = weights();
console.log(`before ${before}; after: scale ${gamma}, shift ${beta}, mean ${mean}, variance ${variance}`);
assert.deepEqual(before, [1, 0, 0, 1]);
assert.deepEqual([gamma, beta], [1, 0]);
assert.ok(Math.abs(mean - 0.3861) < 1e-3 && Math.abs(variance - 1.1188) < 1e-3);
JS
node main.mjs
echo "as described"

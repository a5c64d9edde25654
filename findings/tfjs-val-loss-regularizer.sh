#!/usr/bin/env bash
# In TensorFlow.js the loss of fit contains the penalties and val_loss does not; in Keras both do.
#
# Version:   @tensorflow/tfjs 4.22.0 (CPU backend, Node.js 20), Keras 3.15.1 for comparison.
# Behaviour: history.loss is data loss + regularizers; history.val_loss and evaluate() are the data loss alone. Keras adds the
#            penalties to all three.
# Seen:      weight 2, target 3, L2 of 0.1, learning rate 0, the same rows for training and validation: loss 1.4, val_loss 1.0,
#            evaluate 1.0. Keras 3.15.1 on the same: 1.4, 1.4, 1.4.
# Guess:     with the same rows and weights loss and val_loss are the same number, as in the library whose API this is.
# Matters:   the gap between the two curves, which people read as overfitting, is shifted by the penalty: a strongly regularized
#            network seems to generalize better than it fits, and figures of a ported Keras job do not match.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts "@tensorflow/tfjs@4.22.0"
cat >main.mjs <<'JS'
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";

const model = tf.sequential();
model.add(tf.layers.dense({ units: 1, inputShape: [1], useBias: false, kernelRegularizer: tf.regularizers.l2({ l2: 0.1 }) }));
model.compile({ optimizer: tf.train.sgd(0), loss: "meanSquaredError" });
model.setWeights([tf.tensor2d([[2]])]);
const [x, y] = [tf.ones([4, 1]), tf.fill([4, 1], 3)];
const { history } = await model.fit(x, y, { epochs: 1, verbose: 0, validationData: [x, y] });
const evaluated = model.evaluate(x, y).dataSync()[0];
console.log(`loss ${history.loss[0]}, val_loss ${history.val_loss[0]}, evaluate ${evaluated}`);
assert.ok(Math.abs(history.loss[0] - 1.4) < 1e-6);
assert.equal(history.val_loss[0], 1);
assert.equal(evaluated, 1);
JS
node main.mjs
echo "as described"

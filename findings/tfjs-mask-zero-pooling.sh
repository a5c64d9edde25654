#!/usr/bin/env bash
# With maskZero TensorFlow.js still counts the padding, in pooling and in the loss; Keras leaves it out of both.
#
# Version:   @tensorflow/tfjs 4.22.0 (CPU backend, Node.js 20), Keras 3.15.1 for comparison.
# Behaviour: the mask of an embedding layer reaches recurrent layers. globalAveragePooling1d divides by the padded length and adds the row of
#            id 0, the loss is taken over all steps; no error and no warning.
# Seen:      rows 100, 1, 2, 3, 4, ids 1, 3, 0, 0: the average is 51, in Keras 2. A table of ones with targets 1, 2, 11, 11 and ids 1, 2, 0, 0:
#            mean squared error 50.25, in Keras 0.5.
# Guess:     the mask acts where it acts in Keras, or its loss is told.
# Matters:   averaged embeddings are the usual small text classifier: moved from Keras to the browser with the same weights it answers by
#            the length of the padding, and trained in TensorFlow.js it learns the padding.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts "@tensorflow/tfjs@4.22.0"
cat >main.mjs <<'JS'
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";

function embedded(rows, layers) {
  const input = tf.input({ shape: [4], dtype: "int32" });
  const table = tf.layers.embedding({ inputDim: 5, outputDim: 1, maskZero: true });
  const output = layers.reduce((value, layer) => layer.apply(value), table.apply(input));
  const model = tf.model({ inputs: input, outputs: output });
  table.setWeights([tf.tensor2d(rows, [5, 1])]);
  return model;
}
const pool = embedded([100, 1, 2, 3, 4], [tf.layers.globalAveragePooling1d({})]);
const average = pool.predict(tf.tensor2d([[1, 3, 0, 0]], [1, 4], "int32")).dataSync()[0];
const ones = embedded([1, 1, 1, 1, 1], []);
ones.compile({ optimizer: "sgd", loss: "meanSquaredError" });
const loss = ones.evaluate(tf.tensor2d([[1, 2, 0, 0]], [1, 4], "int32"), tf.tensor3d([[[1], [2], [11], [11]]])).dataSync()[0];
console.log(`average ${average}, loss ${loss}`);
assert.ok(Math.abs(average - 51) < 1e-4 && Math.abs(loss - 50.25) < 1e-4);

const recurrent = embedded([100, 1, 2, 3, 4], [tf.layers.lstm({ units: 1 })]);
const last = (ids) => recurrent.predict(tf.tensor2d([ids], [1, 4], "int32")).dataSync()[0];
recurrent.layers[1].setWeights([tf.tensor2d([100, 1, 2, 3, 4], [5, 1])]);
const masked = last([1, 3, 0, 0]);
recurrent.layers[1].setWeights([tf.tensor2d([-100, 1, 2, 3, 4], [5, 1])]);
assert.equal(last([1, 3, 0, 0]), masked, "a recurrent layer does honour the mask");
JS
node main.mjs
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "keras==3.15.1" "jax==0.10.0" "numpy==2.4.6"
HOME="$folder" KERAS_BACKEND=jax "$folder/venv/bin/python" - <<'PY'
import keras
import numpy as np


def embedded(rows, layers):
    inputs = keras.Input((4,), dtype="int32")
    table = keras.layers.Embedding(5, 1, mask_zero=True)
    output = table(inputs)
    for layer in layers:
        output = layer(output)
    table.set_weights([np.array(rows, np.float32).reshape(5, 1)])
    return keras.Model(inputs, output)


pool = embedded([100, 1, 2, 3, 4], [keras.layers.GlobalAveragePooling1D()])
average = float(pool.predict(np.array([[1, 3, 0, 0]]), verbose=0)[0, 0])
ones = embedded([1, 1, 1, 1, 1], [])
ones.compile("sgd", loss="mse")
targets = np.array([[[1], [2], [11], [11]]], np.float32)
loss = ones.evaluate(np.array([[1, 2, 0, 0]]), targets, verbose=0)
print(f"Keras: average {average}, loss {loss}")
assert abs(average - 2) < 1e-5 and abs(loss - 0.5) < 1e-5
PY
echo "as described"

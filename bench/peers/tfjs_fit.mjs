// The `fit` of TensorFlow.js (wasm) in the process that imports this module, as a peer of npm run server-test. The packages
// are no dependency of the project: CARILLON_PEERS_NODE names a directory whose node_modules has them.
import { loadTf } from "./tfjs.mjs";

/**
 * What is used of the packages.
 *
 * @typedef {object} Tensor
 * @property {() => Tensor} toFloat
 * @property {(begin: number[], size: number[]) => Tensor} slice
 *
 * @typedef {object} LayersModel
 * @property {(layer: object) => void} add
 * @property {(options: object) => void} compile
 * @property {(x: Tensor, y: Tensor, options: object) => Promise<object>} fit
 *
 * @typedef {object} Tf
 * @property {(name: string) => Promise<boolean>} setBackend
 * @property {() => Promise<void>} ready
 * @property {(values: Int32Array, dtype: "int32") => Tensor} tensor1d
 * @property {(values: Float32Array, shape: number[]) => Tensor} tensor2d
 * @property {(labels: Tensor, classes: number) => Tensor} oneHot
 * @property {{ adam(rate: number): object }} train
 * @property {() => LayersModel} sequential
 * @property {{ dense(options: object): object, dropout(options: object): object }} layers
 */

/**
 * Binds all examples and trains `steps` batches of them; gives the steps done.
 *
 * @param {Float32Array} x
 * @param {Int32Array} y
 * @param {{ inputs: number, hidden: number, classes: number, batch: number }} sizes
 * @param {number} steps
 */
export async function fit(x, y, { inputs, hidden, classes, batch }, steps) {
  /** @type {Tf} */
  const tf = await loadTf("wasm");
  const model = tf.sequential();
  model.add(tf.layers.dense({ units: hidden, activation: "relu", inputShape: [inputs] }));
  model.add(tf.layers.dropout({ rate: 0.5 }));
  model.add(tf.layers.dense({ units: hidden, activation: "relu" }));
  model.add(tf.layers.dropout({ rate: 0.5 }));
  model.add(tf.layers.dense({ units: classes, activation: "softmax" }));
  model.compile({ optimizer: tf.train.adam(1e-3), loss: "categoricalCrossentropy" });
  const images = tf.tensor2d(x, [y.length, inputs]).slice([0, 0], [steps * batch, inputs]);
  const labels = tf
    .oneHot(tf.tensor1d(y, "int32"), classes)
    .toFloat()
    .slice([0, 0], [steps * batch, classes]);
  await model.fit(images, labels, { epochs: 1, batchSize: batch, verbose: 0 });
  return steps;
}

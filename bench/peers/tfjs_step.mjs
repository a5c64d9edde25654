// One training step in TensorFlow.js, as a peer (see peer.py):  node bench/peers/tfjs_step.mjs wasm|cpu
//
// Forward with dropout 0.5 after every hidden relu, cross-entropy, backward, Adam. The packages are no dependency of the
// project: CARILLON_PEERS_NODE names a directory whose node_modules has @tensorflow/tfjs and its wasm and cpu backends.
import { createInterface } from "node:readline";
import { loadTf } from "./tfjs.mjs";

/**
 * What is used of the packages.
 *
 * @typedef {object} Tensor
 * @property {() => void} dispose
 * @property {() => Float32Array} dataSync
 * @property {() => Tensor} toFloat
 * @property {(begin: number[], size: number[]) => Tensor} slice
 *
 * @typedef {{ minimize(loss: () => Tensor, returnCost: boolean, variables: Tensor[]): Tensor }} Optimizer
 *
 * @typedef {object} LayersModel
 * @property {(layer: object) => void} add
 * @property {(options: { optimizer: Optimizer, loss: string }) => void} compile
 * @property {(x: Tensor, labels: Tensor) => Promise<number>} trainOnBatch
 *
 * @typedef {object} Tf
 * @property {{ tfjs: string }} version
 * @property {(name: string) => Promise<boolean>} setBackend
 * @property {() => Promise<void>} ready
 * @property {<T>(scope: () => T) => T} tidy
 * @property {(tensors: Tensor[]) => void} dispose
 * @property {(value: Tensor) => Tensor} variable
 * @property {(shape: number[]) => Tensor} zeros
 * @property {(shape: number[], low: number, high: number) => Tensor} randomUniform
 * @property {(values: Int32Array, dtype: "int32") => Tensor} tensor1d
 * @property {(values: Float32Array, shape: number[]) => Tensor} tensor2d
 * @property {(labels: Tensor, classes: number) => Tensor} oneHot
 * @property {(a: Tensor, b: Tensor) => Tensor} add
 * @property {(a: Tensor, b: Tensor) => Tensor} matMul
 * @property {(x: Tensor) => Tensor} relu
 * @property {(x: Tensor, rate: number) => Tensor} dropout
 * @property {{ softmaxCrossEntropy(labels: Tensor, logits: Tensor): Tensor }} losses
 * @property {{ adam(rate: number): Optimizer }} train
 * @property {() => LayersModel} sequential
 * @property {{ dense(options: object): object, dropout(options: object): object }} layers
 *
 * @typedef {(x: Tensor, labels: Tensor) => Tensor | Promise<number>} Train
 */

const EXAMPLES = 4096;

/** Milliseconds between two looks at the clock. */
const BLOCK = 20;

const WARM_MILLISECONDS = 500;
const WARM_STEPS = 24;

/** Steps behind the clock whose mean loss tells whether the network learns; fewer where a step takes long. */
const LOSS_STEPS = 16;
const LOSS_MILLISECONDS = 500;

const [backend = "wasm"] = process.argv.slice(2);

/** @param {object} message */
function say(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

// The libraries greet and warn on the console; answers are standard output.
console.log = console.error;
console.info = console.error;
console.warn = console.error;

/**
 * As in peer.py: noise in [0, 1) and 0.5 more at every feature whose index modulo `classes` is the label, of which a
 * quarter is replaced.
 *
 * @param {number} inputs
 * @param {number} classes
 */
function data(inputs, classes) {
  let state = 1;
  const draw = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  const x = new Float32Array(EXAMPLES * inputs);
  const y = new Int32Array(EXAMPLES);
  for (let row = 0; row < EXAMPLES; row++) {
    const label = Math.floor(draw() * classes);
    for (let column = 0; column < inputs; column++) {
      x[row * inputs + column] = draw() + (column % classes === label ? 0.5 : 0);
    }
    y[row] = draw() < 0.25 ? Math.floor(draw() * classes) : label;
  }
  return { x, y };
}

/** @type {Promise<Tf>} */
const loading = loadTf(backend);
const tf = await loading.catch((error) => {
  say({ absent: `tfjs ${backend}: ${error.message}`.split("\n", 1).join() });
  process.exit(0);
});

/**
 * Variables and an optimizer's minimize.
 *
 * @param {number[]} sizes
 * @returns {Train}
 */
function functions(sizes) {
  const layers = sizes.slice(1).map((outputs, layer) => {
    const inputs = sizes[layer] ?? 0;
    const bound = Math.sqrt(6 / (inputs + outputs));
    return {
      weight: tf.variable(tf.randomUniform([inputs, outputs], -bound, bound)),
      bias: tf.variable(tf.zeros([outputs])),
    };
  });
  const optimizer = tf.train.adam(1e-3);
  const variables = layers.flatMap(({ weight, bias }) => [weight, bias]);
  return (x, labels) =>
    tf.tidy(() =>
      optimizer.minimize(
        () => {
          let value = x;
          for (const [index, { weight, bias }] of layers.entries()) {
            value = tf.add(tf.matMul(value, weight), bias);
            if (index + 1 < layers.length) value = tf.dropout(tf.relu(value), 0.5);
          }
          return tf.losses.softmaxCrossEntropy(labels, value);
        },
        true,
        variables,
      ),
    );
}

/**
 * A Keras-like model and trainOnBatch.
 *
 * @param {number[]} sizes
 * @returns {Train}
 */
function layers(sizes) {
  const model = tf.sequential();
  for (const [layer, units] of sizes.slice(1).entries()) {
    const last = layer + 2 === sizes.length;
    model.add(
      tf.layers.dense({
        units,
        activation: last ? "softmax" : "relu",
        ...(layer === 0 ? { inputShape: [sizes[0]] } : {}),
      }),
    );
    if (!last) model.add(tf.layers.dropout({ rate: 0.5 }));
  }
  model.compile({ optimizer: tf.train.adam(1e-3), loss: "categoricalCrossentropy" });
  return (x, labels) => model.trainOnBatch(x, labels);
}

/** @type {Record<string, (sizes: number[]) => Train>} */
const WAYS = { functions, layers };

/**
 * A step that goes on training.
 *
 * @param {number[]} sizes
 * @param {number} batch
 * @param {string} way
 */
async function make(sizes, batch, way) {
  const inputs = sizes[0] ?? 0;
  const classes = sizes.at(-1) ?? 0;
  const examples = data(inputs, classes);
  const images = tf.tensor2d(examples.x, [EXAMPLES, inputs]);
  const labels = tf.oneHot(tf.tensor1d(examples.y, "int32"), classes).toFloat();
  const train = WAYS[way]?.(sizes);
  if (train === undefined) throw new Error(`no way ${way}`);
  let done = 0;
  /** @param {number} steps */
  const run = async (steps) => {
    let loss = Number.NaN;
    for (let index = 0; index < steps; index++) {
      const at = (done % Math.floor(EXAMPLES / batch)) * batch;
      const x = images.slice([at, 0], [batch, inputs]);
      const y = labels.slice([at, 0], [batch, classes]);
      const value = await train(x, y);
      if (typeof value === "number") {
        loss = value;
      } else {
        if (index + 1 === steps) [loss = Number.NaN] = value.dataSync();
        value.dispose();
      }
      tf.dispose([x, y]);
      done += 1;
    }
    return loss;
  };
  const first = await run(1);
  const until = performance.now() + WARM_MILLISECONDS;
  while (done < WARM_STEPS && performance.now() < until) await run(1);
  return { run, first };
}

/**
 * The median over blocks of steps that take about BLOCK each.
 *
 * @param {{ run: (steps: number) => Promise<number>, first: number }} step
 * @param {number} milliseconds
 */
async function measure({ run, first }, milliseconds) {
  const started = performance.now();
  const losses = [await run(1)];
  const alone = performance.now() - started;
  const block = Math.max(1, Math.round(BLOCK / alone));
  // A step that takes longer than all that was asked for has been measured.
  const times = alone > milliseconds ? [alone] : [];
  while (times.length === 0 || performance.now() < started + milliseconds) {
    const begin = performance.now();
    await run(block);
    times.push((performance.now() - begin) / block);
  }
  times.sort((a, b) => a - b);
  const until = performance.now() + LOSS_MILLISECONDS;
  if (alone < LOSS_MILLISECONDS) losses.length = 0;
  while (losses.length < LOSS_STEPS && performance.now() < until) losses.push(await run(1));
  const loss = losses.reduce((sum, one) => sum + one, 0) / losses.length;
  return { microseconds: (times[times.length >> 1] ?? Number.NaN) * 1000, firstLoss: first, loss };
}

say({ peer: `TensorFlow.js ${backend}`, version: tf.version.tfjs, ways: Object.keys(WAYS) });
const made = new Map();
for await (const line of createInterface({ input: process.stdin })) {
  try {
    const { network, norm, batch, way, milliseconds } = JSON.parse(line);
    if (norm !== undefined) throw new Error("no normalization here");
    const key = JSON.stringify([network, batch, way]);
    if (!made.has(key)) made.set(key, await make(network, batch, way));
    say(await measure(made.get(key), milliseconds));
  } catch (error) {
    say({ error: String(error).split("\n", 1).join().slice(0, 300) });
  }
}

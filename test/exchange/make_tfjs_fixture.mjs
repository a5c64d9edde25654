// Writes fixtures/tfjs/: layers models that TensorFlow.js 4.22 has saved, two of them quantized, and what they answer there.
//
//     npm install --no-save @tensorflow/tfjs@4.22.0 (anywhere), then node test/exchange/make_tfjs_fixture.mjs FOLDER_OF_NODE_MODULES
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(join(process.argv[2] ?? process.cwd(), "package.json"));
const PACKAGE = "@tensorflow/tfjs"; // which no package.json here has
const tf = require(PACKAGE);
const folder = fileURLToPath(new URL("fixtures/tfjs", import.meta.url));
const { layers } = tf;
await tf.setBackend("cpu");

const MODELS = {
  dense: () =>
    tf.sequential({
      layers: [
        layers.dense({ inputShape: [4], units: 6, activation: "relu" }),
        layers.batchNormalization(),
        layers.dropout({ rate: 0.2 }),
        layers.dense({ units: 3, activation: "softmax" }),
      ],
    }),
  images: () =>
    tf.sequential({
      layers: [
        layers.conv2d({ inputShape: [8, 8, 2], filters: 4, kernelSize: 3, padding: "same", activation: "elu" }),
        layers.depthwiseConv2d({ kernelSize: 3, depthMultiplier: 2 }),
        layers.leakyReLU({ alpha: 0.1 }),
        layers.maxPooling2d({ poolSize: 2 }),
        layers.flatten(),
        layers.dense({ units: 2 }),
      ],
    }),
  words: () =>
    tf.sequential({
      layers: [
        layers.embedding({ inputDim: 9, outputDim: 3, inputLength: 4 }),
        layers.lstm({ units: 4, recurrentActivation: "sigmoid", returnSequences: true }),
        layers.bidirectional({
          layer: layers.gru({ units: 3, recurrentActivation: "sigmoid", resetAfter: false }),
          mergeMode: "concat",
        }),
        layers.dense({ units: 2 }),
      ],
    }),
  functional: () => {
    const x = tf.input({ shape: [4], name: "x" });
    const one = layers.dense({ units: 5, activation: "tanh", name: "one" }).apply(x);
    const two = layers.dense({ units: 5, name: "two" }).apply(x);
    const sum = layers.add().apply([one, two]);
    const both = layers.concatenate().apply([sum, one]);
    return tf.model({ inputs: x, outputs: layers.dense({ units: 2, name: "out" }).apply(both) });
  },
  hard: () => tf.sequential({ layers: [layers.lstm({ inputShape: [5, 3], units: 2 })] }),
};

/**
 * Numbers in [−1, 1).
 *
 * @param {number} count
 * @param {number} seed
 */
function numbers(count, seed) {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/**
 * Weights in eight bits, sixteen, or half floats, as the converter keeps them.
 *
 * @typedef {{ readonly name: string, readonly shape: readonly number[], readonly dtype: string }} Spec
 * @param {{ readonly weightSpecs: readonly Spec[], readonly weightData: ArrayBuffer }} artifacts
 * @param {string} dtype
 */
function quantized(artifacts, dtype) {
  /** @type {Uint8Array[]} */
  const parts = [];
  const sizeOf = (/** @type {Spec} */ { shape }) => shape.reduce((product, size) => product * size, 1);
  const specs = artifacts.weightSpecs.map((spec) => {
    const count = sizeOf(spec);
    const before = artifacts.weightSpecs.slice(0, artifacts.weightSpecs.indexOf(spec));
    const begin = before.reduce((sum, one) => sum + 4 * sizeOf(one), 0);
    const values = new Float32Array(artifacts.weightData.slice(begin, begin + 4 * count));
    if (dtype === "float16") {
      const halves = Uint16Array.from(values, half);
      parts.push(new Uint8Array(halves.buffer));
      return { ...spec, quantization: { dtype, original_dtype: "float32" } };
    }
    const [min, max] = [Math.min(...values), Math.max(...values)];
    const most = dtype === "uint8" ? 255 : 65535;
    const scale = max === min ? 1 : (max - min) / most;
    const rounded = values.map((value) => Math.round((value - min) / scale));
    const kept = dtype === "uint8" ? Uint8Array.from(rounded) : Uint16Array.from(rounded);
    parts.push(new Uint8Array(kept.buffer));
    return { ...spec, quantization: { dtype, scale, min, original_dtype: "float32" } };
  });
  return { specs, data: Buffer.concat(parts) };
}

/**
 * The bits of a half float, towards 0.
 *
 * @param {number} value
 */
function half(value) {
  const [bits = 0] = new Uint32Array(Float32Array.of(value).buffer);
  const exponent = ((bits >> 23) & 0xff) - 127 + 15;
  return exponent <= 0 ? 0 : ((bits >> 16) & 0x8000) | (exponent << 10) | ((bits >> 13) & 0x3ff);
}

/** @type {Record<string, { x: number[], y: number[] }>} */
const told = {};
for (const [name, make] of Object.entries(MODELS)) {
  const model = make();
  model.setWeights(
    model.getWeights().map((/** @type {any} */ value, /** @type {number} */ at) =>
      tf.tensor(
        numbers(value.size, at + 7).map((one) => (/variance/.test(model.weights[at].name) ? 1 + one / 2 : one / 2)),
        value.shape,
      ),
    ),
  );
  /** @type {any} */
  let artifacts;
  const keep = (/** @type {any} */ given) => {
    artifacts = given;
    return Promise.resolve({ modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" } });
  };
  await model.save({ save: keep });
  const shape = [3, ...model.inputs[0].shape.slice(1)];
  const count = shape.reduce((a, b) => a * b, 1);
  const x = name === "words" ? Array.from({ length: count }, (_, at) => (at * 5) % 9) : [...numbers(count, 3)];
  for (const dtype of name === "dense" ? [undefined, "uint8", "uint16", "float16"] : [undefined]) {
    const { specs, data } =
      dtype === undefined
        ? { specs: artifacts.weightSpecs, data: Buffer.from(artifacts.weightData) }
        : quantized(artifacts, dtype);
    const called = dtype === undefined ? name : `${name}-${dtype}`;
    const cut = Math.floor(data.length / 2);
    const paths = name === "images" ? ["group1-shard1of2.bin", "group1-shard2of2.bin"] : ["weights.bin"];
    const manifest = [{ paths, weights: specs }];
    const topology =
      name === "images"
        ? { keras_version: "2.15.0", backend: "tensorflow", model_config: artifacts.modelTopology }
        : artifacts.modelTopology;
    mkdirSync(join(folder, called), { recursive: true });
    writeFileSync(
      join(folder, called, "model.json"),
      `${JSON.stringify({ format: "layers-model", generatedBy: "TensorFlow.js tfjs-layers v4.22.0", convertedBy: null, modelTopology: topology, weightsManifest: manifest })}\n`,
    );
    if (paths.length === 1) writeFileSync(join(folder, called, "weights.bin"), data);
    else
      for (const [at, path] of paths.entries())
        writeFileSync(join(folder, called, path), at === 0 ? data.subarray(0, cut) : data.subarray(cut));
    const back = await tf.loadLayersModel({
      load: async () => ({
        modelTopology: artifacts.modelTopology,
        weightSpecs: specs,
        weightData: data.buffer.slice(data.byteOffset, data.byteOffset + data.length),
      }),
    });
    told[called] = { x, y: [...back.predict(tf.tensor(x, shape)).dataSync()] };
  }
}
writeFileSync(join(folder, "answers.json"), `${JSON.stringify(told)}\n`);

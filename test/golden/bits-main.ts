// Prints what this build computes, one line a hash: { name, sha256 }. scripts/golden.mjs runs it on every kernel table
// and compares; scripts/test-arm64.mjs runs it on an emulated processor. It must take seconds there, so sizes are small.
// Runs from the root of the checkout.
import { createHash } from "node:crypto";
import { type Digits, loadDigits, PIXELS, scaled } from "../../examples/digits/digits.js";
import {
  adam,
  batchNorm,
  constant,
  crossEntropy,
  dropout,
  elu,
  fit,
  gain,
  grad,
  groupNorm,
  heNormal,
  heUniform,
  type Initializer,
  l2,
  layerNorm,
  linear,
  type Model,
  mse,
  type Optimizer,
  oneCycle,
  ones,
  ops,
  program,
  relu,
  rmsNorm,
  runtime,
  selu,
  sequential,
  sgd,
  sgdMomentum,
  sigmoid,
  spec,
  split,
  Tensor,
  tanh,
  tensor,
  type Value,
  xavierNormal,
  xavierUniform,
  zeros,
} from "../../lib/index.js";
import { FrozenProgram } from "../../lib/nn/serving/frozen.js";

type Data = Float32Array | Int32Array | Uint8Array;

/** The same NaN for every NaN: its place is part of the contract, its sign and payload are not. */
function bytesOf(data: Data): Uint8Array {
  const copy = data instanceof Float32Array ? Float32Array.from(data, (x) => (Number.isNaN(x) ? Number.NaN : x)) : data;
  return new Uint8Array(copy.buffer, copy.byteOffset, copy.byteLength);
}

function hashOf(parts: readonly Data[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(bytesOf(part));
  return hash.digest("hex");
}

function print(name: string, ...parts: readonly Data[]): void {
  console.log(JSON.stringify({ name, sha256: hashOf(parts) }));
}

/** The data of a tensor that was computed at once. */
function dataOf(value: Value): Data {
  if (value instanceof Tensor) return value.data;
  throw new Error("a value without data");
}

const weightsOf = (model: Model): Data[] => [...model.weights().values()].map(({ data }) => data);

/** Trains with one, two and three threads, which must give the same weights; returns the last model. */
async function train(name: string, make: (threads: number) => Promise<Model>): Promise<Model> {
  const models = [await make(1), await make(2), await make(3)];
  const hashes = models.map((model) => hashOf(weightsOf(model)));
  if (new Set(hashes).size !== 1) throw new Error(`${name}: 1, 2 and 3 threads differ: ${hashes.join(", ")}`);
  const [model] = models;
  if (model === undefined) throw new Error("no model");
  print(`${name}: weights`, ...weightsOf(model));
  return model;
}

/** The first rows of the digits. */
function firstRows({ x, y }: Digits, rows: number): Digits {
  return { x: x.subarray(0, rows * PIXELS), y: y.subarray(0, rows) };
}

const digits = await loadDigits();

// ---- Training

const quickstart = await train("digits, relu, dropout, adam, l2", async (threads) => {
  const model = sequential(linear(64, 128, { init: heNormal() }), relu(), dropout(0.2), linear(128, 10));
  await fit(model, {
    data: scaled(digits.train),
    loss: crossEntropy(),
    optimizer: adam({ lr: ({ step, steps }) => 0.003 * (1 - (step - 1) / steps) }),
    regularizer: l2(1e-4),
    epochs: 5,
    seed: 1,
    threads,
  });
  return model;
});

const some = firstRows(digits.test, 100);
print("digits: predict", (await quickstart.predict(scaled(some).x)).data);
print("digits: predictSync", quickstart.predictSync(scaled(firstRows(some, 3)).x).data);
print("digits: predictProbabilities", (await quickstart.predictProbabilities(scaled(some).x)).data);
const { loss, metrics } = await quickstart.evaluate(scaled(digits.test), {
  loss: crossEntropy(),
  metrics: ["accuracy"],
});
print("digits: evaluate", Float32Array.of(loss, metrics.accuracy));

const normalized = await train("digits, batch, layer, group and RMS norm, adam: states too", async (threads) => {
  const model = sequential(
    linear(64, 70),
    batchNorm(70),
    relu(),
    linear(70, 48),
    layerNorm(48),
    relu(),
    linear(48, 36),
    groupNorm(36, 3),
    rmsNorm(36),
    linear(36, 10),
  );
  const options = { loss: crossEntropy(), optimizer: adam(), epochs: 1, batchSize: 150, seed: 5, threads };
  await fit(model, { data: scaled(firstRows(digits.train, 950)), ...options });
  return model;
});
print("digits, norms: predict", (await normalized.predict(scaled(some).x)).data);

/** Learns to give the pixels back. */
function autoencode(name: string, optimizer: Optimizer, seed: number): Promise<Model> {
  const { x, y } = scaled(firstRows(digits.train, 250));
  return train(name, async (threads) => {
    const model = sequential(
      linear(64, 24, { init: xavierUniform({ gain: gain("tanh") }), regularizer: l2(1e-3) }),
      tanh(),
      dropout({ keep: 0.7, scaling: "classic" }),
      linear(24, 64, { biasInit: 0.1 }),
      sigmoid(),
    );
    const weight = Float32Array.from(y, (digit) => digit / 4);
    await fit(model, {
      data: { x, y: x, weight },
      loss: mse(),
      optimizer,
      epochs: 3,
      batchSize: 37,
      seed,
      threads,
    });
    return model;
  });
}

await autoencode("tanh, classic dropout, mse, weights, sgdMomentum", sgdMomentum({ lr: 0.5, beta: 0.9 }), 2);
await autoencode("tanh, classic dropout, mse, weights, nesterov", sgd({ lr: 0.1, momentum: 0.9, nesterov: true }), 3);
await autoencode("tanh, classic dropout, mse, weights, sgd", sgd({ lr: 0.5 }), 2 ** 40 + 3);
await autoencode(
  "tanh, classic dropout, mse, weights, adam with ε inside",
  adam({ lr: 0.01, epsilon: { value: 1e-6, placement: "inside" } }),
  4,
);

await train(
  "elu, selu, Keras' momentum under a schedule, biases penalized, averages from the first step",
  async (threads) => {
    const model = sequential(linear(64, 32), elu({ alpha: 1.5 }), linear(32, 32), selu(), linear(32, 10));
    const { averaged } = await fit(model, {
      data: scaled(firstRows(digits.train, 300)),
      loss: crossEntropy(),
      optimizer: sgd({ compat: "keras", lr: oneCycle({ max: 0.1, warmup: 0.02 }), momentum: 0.9, nesterov: true }),
      biasRegularizer: l2(1e-2),
      averageWeights: { decay: 0.9, start: "firstStep" },
      epochs: 2,
      seed: 5,
      threads,
    });
    return model.setWeights(averaged() ?? new Map());
  },
);

// Large enough that every stage is split over the threads.
await train("wide, u8 inputs, batch 300", async (threads) => {
  const model = sequential(linear(64, 200), relu(), dropout(0.5), linear(200, 160), tanh(), linear(160, 10));
  await fit(model, {
    data: firstRows(digits.train, 700),
    loss: crossEntropy(),
    optimizer: adam(),
    steps: 4,
    batchSize: 300,
    seed: 5,
    threads,
  });
  return model;
});

// ---- Draws

const initializers: readonly Initializer[] = [
  xavierUniform(),
  xavierNormal({ gain: gain("tanh") }),
  heUniform(),
  heNormal({ mode: "fanOut", gain: gain("leakyRelu", 0.2) }),
  constant(0.1),
  zeros(),
  ones(),
];
for (const init of initializers) {
  for (const seed of [0, 2 ** 52 + 12_345]) {
    const model = sequential(linear(33, 17, { init }), linear(17, 5, { init, name: "head" })).initialize(seed);
    print(`initial weights, ${init.kind}, seed ${seed}`, ...weightsOf(model));
  }
}

const mask = ops.broadcast(tensor([1]), [27, 101]);
for (const keep of [0.5, 0.8, 1 / 3]) {
  for (const [seed, step, site] of [
    [0, 1, 0],
    [0, 2, 0],
    [0, 1, 1],
    [2 ** 40 + 1, 1_000_000, 7],
  ] as const) {
    const options = { keep, seed, step, site };
    print(
      `dropout mask, keep ${keep.toFixed(2)}, seed ${seed}, step ${step}, site ${site}`,
      ops.dropout(mask, options).data,
    );
  }
}

const rows = Array.from({ length: 103 }, (_, row) => row);
for (const stratify of [false, true]) {
  for (const seed of [0, 7]) {
    const y = rows.map((row) => (row * row) % 5);
    const { train: kept, validation } = split({ x: rows.map((row) => [row]), y }, { validation: 0.3, stratify, seed });
    const indices = [...kept.x, ...validation.x].flat();
    print(`split, ${stratify ? "stratified, " : ""}seed ${seed}`, Int32Array.from(indices));
  }
}

// ---- Functions

/** Floats of all sizes and both signs: every 40,009th bit pattern, infinities and NaN among them. */
const patterns = Uint32Array.from({ length: 2 ** 32 / 40_009 }, (_, index) => index * 40_009);
const everything = tensor(new Float32Array(patterns.buffer));
/** [−40, 40] evenly, where exp, tanh and sigmoid do their work. */
const useful = tensor(Float32Array.from({ length: 20_001 }, (_, index) => (index - 10_000) / 250));
for (const name of [
  "exp",
  "log",
  "tanh",
  "sigmoid",
  "sqrt",
  "reciprocal",
  "relu",
  "square",
  "sign",
  "absolute",
  "negate",
  "flush",
] as const) {
  print(`${name} of all sizes`, ops[name](everything).data);
  print(`${name} of [−40, 40]`, ops[name](useful).data);
}

/** Deterministic numbers in [−1, 1), the same everywhere: a multiplicative generator modulo 2³¹ − 1 (Lehmer). */
function numbers(shape: readonly number[], seed: number): Tensor<"f32"> {
  let state = seed;
  const count = shape.reduce((product, size) => product * size, 1);
  const data = Float32Array.from({ length: count }, () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 1_073_741_824 - 1;
  });
  return tensor(data, shape);
}

for (const count of [1, 15, 1000, 1025, 70_001]) print(`sum of ${count}`, ops.sum(numbers([count], 3)).data);
const matrix = numbers([301, 53], 5);
print("row sums", ops.sum(matrix, { axis: "last" }).data);
print("column sums", ops.sum(matrix, { axis: "first" }).data);
print("means", ops.mean(matrix).data, ops.mean(matrix, { axis: "last" }).data);
const logits = ops.multiply(matrix, 30);
const labels = tensor(Int32Array.from({ length: 301 }, (_, row) => row % 53));
print("softmax", ops.softmax(logits).data);
print("softmaxCrossEntropy", ops.softmaxCrossEntropy(logits, labels).data);
print("argmax", dataOf(ops.argmax(logits)));
const [slope] = grad((x) => ops.mean(ops.softmaxCrossEntropy(x, labels)))(logits);
print("gradient of softmaxCrossEntropy", dataOf(slope));
for (const name of ["add", "subtract", "multiply", "divide", "minimum", "maximum", "greater"] as const) {
  const row = numbers([53], 7);
  print(`${name} of a matrix and a row`, ops[name](matrix, row).data);
  print(`${name} of a scalar and a matrix`, ops[name](0.3, matrix).data);
}
for (const [m, n, k] of [
  [1, 1, 1],
  [33, 49, 65],
  [5, 10, 2100],
] as const) {
  for (const [transposeA, transposeB] of [
    [false, false],
    [false, true],
    [true, false],
  ] as const) {
    const a = numbers(transposeA ? [k, m] : [m, k], 11);
    const b = numbers(transposeB ? [n, k] : [k, n], 13);
    const product = ops.matmul(a, b, { transposeA, transposeB });
    print(`matmul [${m}, ${k}]·[${k}, ${n}]${transposeA ? ", aᵀ" : ""}${transposeB ? ", bᵀ" : ""}`, product.data);
  }
}

// ---- Operations on axes

/** Every operation on axes, forwards and backwards. */
function onAxes(x: Value, column: Value, table: Value, indices: Value): Value {
  const rows = ops.take(table, indices);
  const spread = ops.multiply(ops.subtract(x, ops.mean(x, { axis: 1, keepDims: true })), column);
  const products = ops.matmul(ops.transpose(spread), x);
  const parts = [ops.flatten(products), ops.slice(ops.flatten(x), 3, 40), rows];
  const wide = ops.concat(parts.map((part) => ops.pad(part, 1, 2)));
  const chosen = ops.where(ops.lessEqual(wide, 0.1), ops.exp(wide), ops.max(wide, { axis: -1, keepDims: true }));
  return ops.sum(ops.square(ops.sum(chosen, { axis: 0 })));
}

const axesInputs = [numbers([47, 130, 3], 19), numbers([130, 1], 23), numbers([29, 33], 29)] as const;
const [axesX, axesColumn, axesTable] = axesInputs;
const places = tensor(Int32Array.from({ length: 47 }, (_, row) => (row * row) % 29));
const axesGradient = grad((x, column, table) => onAxes(x, column, table, places))(axesX, axesColumn, axesTable);
print("operations on axes", dataOf(onAxes(axesX, axesColumn, axesTable, places)), ...axesGradient.map(dataOf));
for (const threads of [1, 2, 3, 4]) {
  const step = program({
    threads,
    maxBatch: 50,
    inputs: { x: spec(["batch", 130, 3]), rows: spec(["batch"], "i32") },
    body({ x, rows }) {
      const [byX, byColumn, byTable] = grad((a, b, c) => onAxes(a, b, c, rows))(x, axesColumn, axesTable);
      return { byX, byColumn, byTable };
    },
  });
  const { byX, byColumn, byTable } = await step.run({ x: axesX, rows: places });
  if (hashOf([byX, byColumn, byTable].map(dataOf)) !== hashOf(axesGradient.map(dataOf))) {
    throw new Error(`operations on axes: ${threads} threads differ from a call`);
  }
}

// ---- Frozen programs

for (const form of ["f32", "bf16", "int8"] as const) {
  for (const [inputs, hidden, outputs] of [
    [64, 129, 10],
    [2100, 34, 3],
  ] as const) {
    const model = sequential(linear(inputs, hidden, { biasInit: 0.1 }), relu(), linear(hidden, outputs)).initialize(9);
    const frozen = new FrozenProgram({
      forward: (x) => ops.softmax(model.forward(x)),
      inputs: model.rows.inputs,
      maxBatch: 40,
      formOf: () => form,
    });
    frozen.packNow();
    const x = numbers([40, inputs], 17).data;
    const answers = [1, 2, 3].map((threads) => {
      const y = new Float32Array(40 * outputs);
      frozen.runInto(x, 40, y, threads);
      return y;
    });
    const alone = new Float32Array(40 * outputs);
    for (let row = 0; row < 40; row++) {
      frozen.runInto(x.subarray(row * inputs), 1, alone.subarray(row * outputs), 1);
    }
    if (new Set([...answers, alone].map((y) => hashOf([y]))).size !== 1) {
      throw new Error(`frozen ${form}: threads or batches differ`);
    }
    print(`frozen ${form}, ${inputs}-${hidden}-${outputs}`, alone);
  }
}

console.log(JSON.stringify({ numericsVersion: runtime.numericsVersion }));

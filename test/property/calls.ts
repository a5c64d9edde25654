// Good calls of the public API, small ones, each with all that it takes: what attacks begin with.
import * as carillon from "carillon";

const { adam, adamw, crossEntropy, dropout, fit, linear, muon, ops, program, relu, sequential, sgdMomentum } = carillon;
const { batchNorm, spec, tensor, minimizer, earlyStopping, reduceOnPlateau, standardize, l1, l2, maxNorm } = carillon;

export interface Call {
  readonly call: (...args: never[]) => unknown;
  readonly args: readonly unknown[];
}

const x = (): Float32Array => Float32Array.from({ length: 32 }, (_, i) => ((i * 37) % 23) / 8 - 1);
const classes = (): Int32Array => Int32Array.from({ length: 8 }, (_, i) => (i * 7) % 3);
const data = () => ({ x: x(), y: classes() });
const small = () => sequential(linear(4, 5), batchNorm(5), relu(), dropout(0.2), linear(5, 3)).initialize(1);
const texts = new TextEncoder();
const csv = (): Uint8Array =>
  texts.encode("age,plan,churned\n31,basic,yes\n,pro,no\n44,max,yes\n18,basic,no\n25,pro,no\n61,max,yes\n");
const rows = () =>
  Array.from({ length: 6 }, (_, i) => ({ age: i === 2 ? null : 20 + i, plan: i % 2 === 0 ? "a" : "b", y: i % 3 }));
const chances = (): number[] => [0.1, 0.8, 0.4, 0.9, 0.3, 0.6];
const happened = (): number[] => [0, 1, 0, 1, 1, 0];

/** A tensor of numbers that are neither equal nor sorted. */
const drawn = (shape: readonly number[]): carillon.Tensor => tensor(nested(shape, [0]));

function nested(shape: readonly number[], count: number[]): carillon.Nested {
  const [size = 1, ...rest] = shape;
  return Array.from({ length: size }, () => {
    if (rest.length > 0) return nested(rest, count);
    count[0] = (count[0] ?? 0) + 1;
    return (((count[0] ?? 0) * 7) % 11) / 8 - 0.5;
  }) as carillon.Nested;
}

/** A call of the same function with these arguments. */
const of =
  (call: (...args: never[]) => unknown, ...args: readonly unknown[]): (() => Call) =>
  () => ({ call, args });

const METHODS: Readonly<Record<string, () => Call>> = {
  fit: () => ({
    call: fit,
    args: [
      small(),
      {
        ...{
          data: { ...data(), weight: new Float32Array(8).fill(1) },
          validation: data(),
          loss: crossEntropy({ labelSmoothing: 0.1 }),
        },
        ...{ optimizer: adam({ lr: () => 0.01 }), epochs: 2, batchSize: 4, seed: 1, threads: 1, metrics: ["accuracy"] },
        ...{
          clip: { norm: 1 },
          averageWeights: { decay: 0.9 },
          regularizer: [l2(0.01), l1(0.001)],
          inputs: standardize(),
        },
        callbacks: [earlyStopping({ patience: 1, monitor: "loss" })],
      },
    ],
  }),
  "fit a stream": () => ({
    call: fit,
    args: [
      small(),
      {
        data: carillon.dataset(
          () => [
            { x: [1, 2, 3, 4], y: 1 },
            { x: [2, 2, 3, 4], y: 0 },
          ],
          { shuffleBuffer: 2 },
        ),
        ...{ loss: crossEntropy(), optimizer: sgdMomentum({ lr: 0.1 }), steps: 2, batchSize: 2 },
      },
    ],
  }),
  "fit examples of a stream": () => ({
    call: (examples: never, options: never) =>
      fit(small(), {
        data: carillon.dataset(examples, options),
        loss: crossEntropy(),
        optimizer: adam(),
        steps: 2,
        batchSize: 2,
      }),
    args: [
      () => [
        { x: [1, 2, 3, 4], y: 1, weight: 1 },
        { x: [2, 2, 3, 4], y: 0, weight: 2 },
      ],
      { shuffleBuffer: 2 },
    ],
  }),
  "fit with a loss": () => ({
    call: (loss: never, schedule: never) =>
      fit(sequential(linear(4, 1)), {
        data: { x: x(), y: new Float32Array(8) },
        loss,
        optimizer: adamw({ lr: schedule }),
        epochs: 1,
      }),
    args: [
      (out: carillon.Value, target: carillon.Value) =>
        ops.mean(ops.square(ops.subtract(out, target)), { axis: "last" }),
      () => 0.1,
    ],
  }),
  findLearningRate: () => ({
    call: carillon.findLearningRate,
    args: [small(), { data: data(), loss: crossEntropy(), optimizer: adam(), steps: 16, batchSize: 4 }],
  }),
  predict: () => ({
    call: (given: never, options: never) => small().predict(given, options),
    args: [x(), { threads: 1 }],
  }),
  predictSync: () => ({ call: (given: never, options: never) => small().predictSync(given, options), args: [x(), {}] }),
  evaluate: () => ({
    call: (given: never, options: never) => small().evaluate(given, options),
    args: [data(), { loss: crossEntropy(), metrics: ["accuracy"], threads: 1 }],
  }),
  predictor: () => ({
    call: async (options: never, row: never, more: never) => {
      const made = small().predictor(options);
      const answers = [made.run(row), await made.submit(row, more)];
      await made.close();
      return answers;
    },
    args: [{ maxBatch: 4, maxQueue: 16, weights: "int8", threads: 1 }, [1, 2, 3, 4], {}],
  }),
  setWeights: () => ({
    call: (given: never) => small().setWeights(given),
    args: [Object.fromEntries(small().weights())],
  }),
  loadModel: () => ({ call: carillon.loadModel, args: [small().bytes(), { limits: { bytes: 1_000_000 } }] }),
  "model.load": () => ({
    call: (from: never, options: never) => small().load(from, options),
    args: [small().bytes(), {}],
  }),
  program: () => ({
    call: (options: never, given: never): unknown => {
      const made = program(options);
      made.runSync(given);
      return made.run(given);
    },
    args: [
      {
        ...{ seed: 1, training: true, maxBatch: 8, inputs: { x: spec(["batch", 4]), y: spec(["batch"], "i32") } },
        body: (inputs: { x: carillon.Value; y: carillon.Value }) => {
          const model = small();
          const loss = ops.mean(ops.softmaxCrossEntropy(model.forward(inputs.x), inputs.y));
          minimizer(model, adam()).minimize(loss);
          return { loss };
        },
      },
      { x: x(), y: classes() },
    ],
  }),
  defineLayer: () => ({
    call: async (definition: never) => {
      const model = sequential(linear(4, 4), carillon.defineLayer(definition), linear(4, 3));
      await fit(model, { data: data(), loss: crossEntropy(), optimizer: adam(), epochs: 1 });
      return model.predict(x());
    },
    args: [
      {
        ...{
          kind: "own",
          inputs: 4,
          outputs: "same",
          parameters: { factor: carillon.parameter([4], { role: "scale" }) },
        },
        state: { mean: { shape: [4], init: 0 } },
        forward: (value: carillon.Value, { factor }: { factor: carillon.Value }) => ops.multiply(value, factor),
      },
    ],
  }),
  defineOptimizer: () => ({
    call: (definition: never) =>
      fit(small(), { data: data(), loss: crossEntropy(), optimizer: carillon.defineOptimizer(definition), epochs: 1 }),
    args: [
      {
        ...{ kind: "own", lr: 0.1, states: { velocity: 0 } },
        update: ({ parameter, gradient, rate }: carillon.OptimizerStep) => ({
          parameter: ops.subtract(parameter, ops.multiply(gradient, rate)),
        }),
      },
    ],
  }),
  minimizer: () => ({ call: minimizer, args: [small(), adam(), { clip: { value: 1 }, regularizer: maxNorm(1) }] }),
  grad: () => ({
    call: (f: never, at: never) => carillon.grad(f)(at),
    args: [(a: carillon.Value) => ops.sum(ops.square(a)), tensor([1, 2])],
  }),
  describe: () => ({
    call: carillon.fromDescription,
    args: ["layer", { kind: "linear", options: { inputs: 4, outputs: 3 } }],
  }),
  "describe an optimizer": () => ({
    call: carillon.fromDescription,
    args: ["optimizer", { kind: "adam", options: { lr: 0.1, beta1: 0.9 } }],
  }),
  "describe a model": () => ({
    call: carillon.fromDescription,
    args: ["model", JSON.parse(JSON.stringify(carillon.descriptionOf(small())))],
  }),
  descriptionOf: () => ({ call: carillon.descriptionOf, args: [adam()] }),
  table: () => ({ call: carillon.table, args: [csv(), { format: "csv", delimiter: "," }] }),
  "table of rows": () => ({ call: carillon.table, args: [rows(), {}] }),
  "table of columns": () => ({ call: carillon.table, args: [{ a: [1, 2, 3], b: ["x", "y", null] }, {}] }),
  tableBlocks: () => ({ call: carillon.tableBlocks, args: [csv(), {}] }),
  schemaOf: () => ({ call: carillon.schemaOf, args: [csv(), { target: "churned" }] }),
  prepare: () => ({ call: carillon.prepare, args: [rows(), { schema: { columns: { plan: "category" } }, seed: 1 }] }),
  tabular: () => ({
    call: (options: never, source: never, more: never) => carillon.tabular(options).fit(source, more),
    args: [
      { preset: "fast", epochs: 1, batchSize: 4, hidden: [4], seed: 1, threads: 1 },
      [...rows(), ...rows(), ...rows()],
      { target: "y" },
    ],
  }),
  split: () => ({ call: carillon.split, args: [data(), { validation: 0.25, test: 0.25, stratify: true, seed: 1 }] }),
  "split rows": () => ({
    call: carillon.split,
    args: [
      rows(),
      { validation: 0.5, groups: ({ age }: { age: unknown }) => (typeof age === "number" ? age : -1), seed: 1 },
    ],
  }),
  kFold: () => ({ call: carillon.kFold, args: [data(), 2, { stratify: true, seed: 1 }] }),
  windows: () => ({
    call: carillon.windows,
    args: [Array.from({ length: 20 }, (_, i) => [i]), { length: 4, horizon: 2, stride: 1, validation: 0.3 }],
  }),
  padded: () => ({ call: carillon.padded, args: [[[[1], [2]], [[3]]], { longest: 2 }] }),
  tensor: () => ({
    call: tensor,
    args: [
      [
        [1, 2],
        [3, 4],
      ],
      [2, 2],
    ],
  }),
  earlyStopping: of(earlyStopping, { patience: 2, monitor: "loss", mode: "min", minDelta: 0 }),
  reduceOnPlateau: of(reduceOnPlateau, { factor: 0.5, patience: 1, monitor: "loss" }),
  bootstrap: () => ({
    call: carillon.bootstrap,
    args: [6, (order: Uint32Array) => order[0] ?? 0, { repeats: 4, seed: 1 }],
  }),
  rocCurve: () => ({ call: carillon.rocCurve, args: [chances(), happened()] }),
  precisionRecallCurve: () => ({ call: carillon.precisionRecallCurve, args: [chances(), happened()] }),
  reliability: () => ({ call: carillon.reliability, args: [chances(), happened(), { bins: 2 }] }),
  temperatureOf: () => ({ call: carillon.temperatureOf, args: [chances(), happened()] }),
  confusionTable: () => ({ call: carillon.confusionTable, args: [happened(), happened(), ["a", "b"]] }),
  sampleToken: () => ({ call: carillon.sampleToken, args: [Float32Array.of(1, 2, 3), 0, { temperature: 1, topK: 2 }] }),
};

/** Layers, built and used where they fit a row of four numbers. */
const MAKERS: Readonly<Record<string, readonly unknown[]>> = {
  linear: [4, 3, { bias: true, init: carillon.heNormal() }],
  batchNorm: [4, { keep: 0.9, epsilon: 1e-5 }],
  layerNorm: [4, { epsilon: 1e-5 }],
  rmsNorm: [4],
  groupNorm: [4, 2],
  dropout: [0.5, {}],
  alphaDropout: [0.5],
  gaussianDropout: [0.5],
  leakyRelu: [{ slope: 0.1 }],
  embedding: [5, 4, {}],
  embeddingBag: [5, 4, { mode: "mean" }],
  conv1d: [2, 3, { kernel: 2, stride: 1, padding: "same" }],
  conv2d: [2, 3, { kernel: 2, stride: 1, dilation: 1, padding: "valid", groups: 1 }],
  convTransposed2d: [2, 3, { kernel: 2, stride: 2 }],
  maxPool2d: [2, { stride: 1 }],
  averagePool1d: [2],
  lstm: [4, 3, { layers: 2, bidirectional: true, sequences: true, dropout: 0.1 }],
  gru: [4, 3],
  rnn: [4, 3],
  attention: [4, 2, { causal: true }],
  transformerBlock: [4, 2, { causal: true, rotary: true }],
  positions: ["learned", { size: 4, time: 4 }],
  residual: [linear(4, 4)],
  reshape: [[2, 2]],
  flatten: [],
  sequential: [linear(4, 3), relu()],
  crossEntropy: [{ labelSmoothing: 0.1 }],
  focal: [{ gamma: 2 }],
  huber: [{ delta: 1 }],
  pinball: [{ quantiles: [0.1, 0.9] }],
  triplet: [{ margin: 1 }],
  adam: [{ lr: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-8 }],
  adamw: [{ lr: 0.1, weightDecay: 0.01 }],
  sgd: [{ lr: 0.1 }],
  lion: [{ lr: 0.1 }],
  muon: [{ lr: 0.1 }],
  rmsprop: [{ lr: 0.1 }],
  cosineDecay: [{ lr: 0.1, steps: 10 }],
  oneCycle: [{ max: 0.1, steps: 10 }],
  warmup: [0.1, { steps: 10 }],
  partition: [
    [
      ["*.bias", adam()],
      ["*", muon()],
    ],
  ],
  elasticNet: [{ l1: 0.1, l2: 0.1 }],
  l1: [0.1, {}],
  maxNorm: [1],
  normal: [{ deviation: 0.1 }],
  orthogonal: [{ gain: 1 }],
  minMax: [{}],
  topK: [2],
  bytes: [[2, 2]],
  ragged: ["i32", {}],
  spec: [["batch", 4], "f32"],
};

/** Operations on tensors. */
const OPERATIONS: Readonly<Record<string, () => readonly unknown[]>> = {
  add: () => [drawn([2, 3]), drawn([3])],
  divide: () => [drawn([2, 3]), 2],
  matmul: () => [drawn([2, 3]), drawn([3, 2]), { transposeB: false }],
  linear: () => [drawn([2, 3]), drawn([4, 3]), drawn([4])],
  sum: () => [drawn([2, 3, 2]), { axis: [0, 2], keepDims: true }],
  max: () => [drawn([2, 3]), { axis: 1 }],
  softmax: () => [drawn([2, 3])],
  exp: () => [drawn([2, 3])],
  clip: () => [drawn([2, 3]), -1, 1],
  concat: () => [[drawn([2, 3]), drawn([2, 2])], { axis: 1 }],
  slice: () => [drawn([2, 3]), 0, 2, { axis: 1 }],
  pad: () => [drawn([2, 3]), 1, 2, { axis: 1 }],
  reshape: () => [drawn([2, 3]), [3, -1]],
  transpose: () => [drawn([2, 3, 2]), [2, 0, 1]],
  broadcast: () => [drawn([1, 3]), [2, 3]],
  where: () => [drawn([2, 3]), drawn([2, 3]), 0],
  conv2d: () => [
    drawn([1, 3, 3, 2]),
    drawn([2, 2, 2, 2]),
    drawn([2]),
    { stride: 1, padding: "same", dilation: 1, groups: 1 },
  ],
  maxPool2d: () => [drawn([1, 3, 3, 2]), 2, { stride: 1 }],
  attention: () => [drawn([1, 3, 4]), drawn([1, 3, 4]), drawn([1, 3, 4]), { heads: 2, causal: true }],
  layerNorm: () => [drawn([2, 3]), drawn([3]), drawn([3]), { epsilon: 1e-5 }],
  batchNorm: () => [drawn([2, 3]), drawn([3]), drawn([3]), { epsilon: 1e-5 }],
  dropout: () => [drawn([2, 3]), { rate: 0.5, site: 1, seed: 1, step: 1 }],
};

function exported(holder: object, name: string): (...args: never[]) => unknown {
  const found: unknown = Reflect.get(holder, name);
  if (typeof found !== "function") throw new Error(`there is no '${name}'`);
  return (...args) => Reflect.apply(found, undefined, args);
}

/** Good calls by name. */
export const CALLS: Readonly<Record<string, () => Call>> = {
  ...METHODS,
  ...Object.fromEntries(
    Object.entries(MAKERS).map(([name, args]) => [`make ${name}`, of(exported(carillon, name), ...args)]),
  ),
  ...Object.fromEntries(
    Object.entries(OPERATIONS).map(([name, args]) => [
      `ops.${name}`,
      () => ({ call: exported(ops, name), args: args() }),
    ]),
  ),
};

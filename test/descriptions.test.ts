// Every built-in as plain data and back: a kind is the name of an export, and one without a description fails here.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as carillon from "carillon";
import {
  adadelta,
  adagrad,
  adam,
  adamax,
  adamw,
  alphaDropout,
  amsgrad,
  attention,
  averagePool1d,
  averagePool2d,
  batchEnsemble,
  batchNorm,
  binaryCrossEntropy,
  binaryFocal,
  bpr,
  calibrationError,
  categoryEmbedding,
  clampOutput,
  concat,
  constant,
  contrastive,
  conv1d,
  conv2d,
  convTransposed2d,
  cosineDecay,
  cosineSimilarity,
  coverage,
  crossEntropy,
  type Described,
  type Description,
  defineLayer,
  defineMetric,
  defineOptimizer,
  descriptionOf,
  divideBy,
  dropout,
  earlyStopping,
  elasticNet,
  elu,
  embedding,
  embeddingBag,
  exponentialDecay,
  type FitOptions,
  f1,
  fit,
  flatCosine,
  flatten,
  focal,
  fromDescription,
  gaussianDropout,
  gelu,
  globalAveragePool,
  globalMaxPool,
  groupNorm,
  gru,
  hardSigmoid,
  hardSilu,
  hardTanh,
  heNormal,
  heUniform,
  hinge,
  huber,
  identity,
  images,
  inBatchSoftmax,
  klDivergence,
  type Layer,
  type Loss,
  l1,
  l2,
  layerNorm,
  leakyRelu,
  lecunNormal,
  lecunUniform,
  linear,
  lion,
  loadModel,
  logCosine,
  logSoftmax,
  lstm,
  type Model,
  mae,
  maxNorm,
  maxPool1d,
  maxPool2d,
  meanOfMembers,
  memberLinear,
  metricsLog,
  minMax,
  mish,
  monotoneQuantiles,
  mse,
  muon,
  nadam,
  normal,
  ntkLinear,
  numericEmbedding,
  oneCycle,
  ones,
  orthogonal,
  parametricActivation,
  partition,
  pinball,
  polynomialDecay,
  positions,
  precision,
  radam,
  recall,
  recallAt,
  reduceOnPlateau,
  relu,
  relu6,
  repeated,
  reshape,
  residual,
  rmsNorm,
  rmsprop,
  rnn,
  robustScale,
  sampledSoftmax,
  scale,
  selu,
  sequential,
  sgd,
  sgdMomentum,
  sigmoid,
  signs,
  silu,
  smoothClip,
  softmax,
  softplus,
  sparse,
  spatialDropout,
  spec,
  standardize,
  stepDecay,
  tanh,
  tensor,
  tensorBoard,
  topK,
  transformerBlock,
  triplet,
  truncatedNormal,
  uniform,
  warmup,
  weightDecay,
  xavierNormal,
  xavierUniform,
  zeros,
} from "carillon";
import { afterAll, describe, expect, test } from "vitest";
import { bitsOf } from "./train/synthetic.js";

type Family = keyof Described;

const work = mkdtempSync(join(tmpdir(), "carillon-descriptions-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));

const PENALIZED = { init: 0.5, biasInit: 0.25, regularizer: l2(0.1), biasRegularizer: l2(0.2) } as const;
const TABLE = { padding: 3, maxNorm: 2, rows: "touched", init: 0.25, name: "e" } as const;

/** A layer that stands in several places, with one weight. */
const shared = linear(3, 3);

/** Things of each kind, with other options than the default ones; together they have every option of the kind. */
const SAMPLES: { readonly [F in Family]: Readonly<Record<string, readonly Described[F][]>> } = {
  model: {
    sequential: [
      sequential(linear(4, 6), relu(), linear(6, 3)),
      sequential(numericEmbedding(4, { frequencies: 3, size: 3 }), linear(12, 3)),
      sequential({ input: [4], name: "m" }, linear(4, 3)),
      sequential(linear(4, 3), residual({ project: true }, relu(), linear(3, 5)), linear(5, 3)),
      sequential(linear(4, 3), shared, relu(), sequential({ input: [3] }, shared, tanh()), shared),
    ],
  },
  layer: {
    sequential: [fromDescription("layer", descriptionOf(sequential({ input: [6], name: "s" }, relu(), linear(6, 6))))],
    linear: [
      linear(6, 6),
      linear(6, 6, { bias: false, init: 0.1, regularizer: null, dropConnect: 0.25, name: "own" }),
      linear(6, 6, { init: heNormal({ gain: 2 }), biasInit: ones(), regularizer: [l2(0.1), maxNorm(2)] }),
      linear(6, 6, { biasRegularizer: l1(0.5) }),
    ],
    ntkLinear: [
      ntkLinear(6, 6),
      ntkLinear(6, 6, { bias: false, init: 0.1, regularizer: null, rateFactor: 2, name: "own" }),
      ntkLinear(6, 6, { biasInit: ones(), biasRegularizer: l1(0.5), biasRateFactor: 0.1 }),
    ],
    categoryEmbedding: [
      categoryEmbedding([9, 9, 20, 9], 4, {
        ...{ init: normal({ deviation: 0.5 }), regularizer: l2(1e-3), rateFactor: 0.5, decayFactor: 2, name: "codes" },
      }),
      categoryEmbedding([9, 9, 9, 9], 1),
    ],
    batchEnsemble: [
      batchEnsemble(6, 3, {
        members: 2,
        init: 0.5,
        inputInit: signs({ blocks: [2, 4] }),
        regularizer: l2(0.1),
        name: "b",
      }),
      batchEnsemble(6, 6, { members: 1, bias: false }),
    ],
    memberLinear: [memberLinear(6, 2, { members: 3, init: 0.1, bias: false, regularizer: l1(0.1), name: "m" })],
    meanOfMembers: [meanOfMembers({ of: "classes", name: "c" })],
    monotoneQuantiles: [monotoneQuantiles(3), monotoneQuantiles(2, { name: "q" })],
    clampOutput: [
      clampOutput(6),
      clampOutput(6, { name: "found" }),
      clampOutput({ low: -1, high: 0.5 }),
      clampOutput({ low: [-1, -2, 0, 0, 0, 0], high: 1, name: "c" }),
    ],
    smoothClip: [smoothClip({ limit: 2, name: "clip" })],
    parametricActivation: [
      parametricActivation(6, gelu({ approximate: "tanh" })),
      parametricActivation(6, selu(), { init: 0.5, regularizer: l2(0.1), rateFactor: 0.1, decayFactor: 2, name: "p" }),
    ],
    numericEmbedding: [
      numericEmbedding(6, { form: "ple", edges: Array.from({ length: 6 }, () => [-1, 0, 2]), size: 1 }),
      numericEmbedding(6, { form: "plr", frequencies: 3, size: 1, deviation: 0.2, rateFactor: 0.1, decayFactor: 0.5 }),
      numericEmbedding(6, { form: "plr", size: 1, regularizer: l1(0.1), name: "numbers" }),
    ],
    scale: [
      scale(6),
      scale(6, { init: uniform(), regularizer: l2(0.1), rateFactor: 6, decayFactor: 6, name: "front" }),
    ],
    relu: [relu()],
    relu6: [relu6()],
    tanh: [tanh()],
    sigmoid: [sigmoid()],
    softplus: [softplus()],
    silu: [silu()],
    mish: [mish()],
    selu: [selu()],
    hardTanh: [hardTanh()],
    hardSigmoid: [hardSigmoid()],
    hardSilu: [hardSilu()],
    softmax: [softmax()],
    logSoftmax: [logSoftmax()],
    leakyRelu: [leakyRelu({ slope: 0.3 })],
    elu: [elu({ alpha: 0.5 })],
    gelu: [gelu({ approximate: "tanh" }), gelu()],
    embedding: [
      embedding(9, 2),
      embedding(9, 2, { ...TABLE, regularizer: l2(0.5) }),
      embedding(9, 2, { maxNorm: 0.5, preset: "pytorch" }),
    ],
    embeddingBag: [
      embeddingBag(9, 2),
      embeddingBag(9, 2, { ...TABLE, mode: "mean", regularizer: [l2(0.5), maxNorm(3)] }),
    ],
    layerNorm: [layerNorm(6), layerNorm(6, { epsilon: 0.5, affine: false, name: "n" })],
    rmsNorm: [rmsNorm(6), rmsNorm(6, { epsilon: 0.5, affine: false, name: "n" })],
    conv1d: [
      conv1d(2, 3, { kernel: 3, ...PENALIZED, preset: "pytorch" }),
      conv1d(2, 4, { kernel: 3, stride: 2, dilation: 2, padding: "causal", groups: 2, bias: false, name: "c" }),
    ],
    conv2d: [
      conv2d(2, 3, { kernel: [3, 2], preset: "pytorch", name: "c" }),
      conv2d(2, 4, { kernel: 3, stride: [2, 1], dilation: 2, padding: [1, 0], groups: 2, ...PENALIZED }),
    ],
    convTransposed2d: [
      convTransposed2d(2, 3, { kernel: 3, stride: 2, padding: 1, outputPadding: 1, bias: false }),
      convTransposed2d(2, 4, { kernel: [3, 2], padding: "same", groups: 2, ...PENALIZED, name: "t" }),
    ],
    images: [
      images({ height: 4, width: 5, channels: 1 }),
      images({
        ...{ height: 4, width: 5, channels: 3, name: "i" },
        augment: { flip: "both", shift: [1, 2], crop: [3, 4], fill: 7 },
        normalize: { scale: 0.5, mean: [0.1, 0.2, 0.3], std: [1, 2, 3] },
      }),
    ],
    maxPool1d: [maxPool1d(3, { stride: 2, padding: "same", name: "m" })],
    maxPool2d: [maxPool2d(2), maxPool2d([3, 2], { stride: [2, 1], padding: 1, name: "m" })],
    averagePool1d: [averagePool1d(2, { countPadding: true, padding: 1, name: "m" })],
    averagePool2d: [averagePool2d([2, 3], { padding: [1, 0], stride: 2, name: "m" })],
    globalMaxPool: [globalMaxPool(), globalMaxPool({ name: "g" })],
    globalAveragePool: [globalAveragePool({ name: "g" })],
    groupNorm: [groupNorm(6, 2), groupNorm(6, 6, { epsilon: 0.5, affine: false, name: "n" })],
    batchNorm: [
      batchNorm(6),
      batchNorm(6, { preset: "pytorch" }),
      batchNorm(6, { keep: 0.5, affine: false, name: "n" }),
    ],
    dropout: [dropout(0.1), dropout({ keep: 0.7, scaling: "classic", name: "d" }), dropout({ rate: 0.1, fade: 0.5 })],
    spatialDropout: [
      spatialDropout({ rate: 0.2, fade: 0.25 }),
      spatialDropout({ rate: 0.3, scaling: "classic", name: "d" }),
    ],
    alphaDropout: [alphaDropout({ rate: 0.3, name: "d" })],
    gaussianDropout: [gaussianDropout({ keep: 0.6, name: "d" })],
    concat: [concat({ name: "c" }, linear(6, 2), linear(6, 4)), concat(relu())],
    flatten: [flatten()],
    reshape: [reshape([2, 3])],
    lstm: [
      lstm(6, 3),
      lstm(6, 2, {
        layers: 2,
        bidirectional: true,
        sequences: true,
        dropout: 0.1,
        recurrentDropout: 0.2,
        recurrentMask: "step",
        name: "l",
      }),
      lstm(6, 2, { dropConnect: 0.5, forgetBias: 0.5, init: 0.1, recurrentInit: uniform(), regularizer: l2(0.1) }),
      lstm(6, 2, { bias: false, preset: "pytorch", recurrentRegularizer: maxNorm(1) }),
      lstm(6, 2, { biasRegularizer: l1(0.5) }),
    ],
    gru: [
      gru(6, 3),
      gru(6, 3, { resetAfter: false, preset: "keras", regularizer: l2(0.1), recurrentRegularizer: null, name: "g" }),
      gru(6, 2, { preset: "pytorch", layers: 2, biasRegularizer: l1(0.5), recurrentMask: "step" }),
    ],
    rnn: [
      rnn(6, 3),
      rnn(6, 3, {
        activation: "relu",
        sequences: true,
        regularizer: l2(0.1),
        recurrentRegularizer: l1(0.1),
        name: "r",
      }),
      rnn(6, 2, { preset: "keras", biasRegularizer: l1(0.5), recurrentMask: "step" }),
    ],
    attention: [
      attention(6, 2),
      attention(6, 3, { causal: true, dropout: 0.1, keyValueHeads: 1, rotary: true, bias: false, name: "a" }),
      attention(6, 1, { rotary: 100, preset: "pytorch", init: 0.1, outputInit: uniform(), regularizer: l2(0.1) }),
      attention(6, 2, { preset: "keras", biasRegularizer: l1(0.5) }),
    ],
    positions: [
      positions("sinusoidal", { time: 4, size: 6 }),
      positions("learned", { time: 2, size: 6, init: 0.1, regularizer: l2(0.1), name: "p" }),
    ],
    transformerBlock: [
      transformerBlock(6, 2),
      transformerBlock(6, 3, {
        ...{ norm: "post", feedForward: 5, activation: "relu", dropout: 0.1, causal: true, keyValueHeads: 1 },
        ...{ rotary: 100, bias: false, epsilon: 1e-3, preset: "keras", regularizer: l1(0.1), name: "t" },
      }),
    ],
    residual: [
      residual({ project: true, name: "r" }, linear(6, 6), relu()),
      residual(residual(linear(6, 6))),
      residual({ dropPath: 0.5 }, linear(6, 6), relu()),
    ],
  },
  loss: {
    mse: [mse()],
    mae: [mae()],
    huber: [huber({ delta: 0.1 })],
    cosineSimilarity: [cosineSimilarity({ epsilon: 0.5 })],
    crossEntropy: [crossEntropy({ labelSmoothing: 0.1 }), crossEntropy({ target: "probabilities" })],
    binaryCrossEntropy: [binaryCrossEntropy()],
    hinge: [hinge()],
    klDivergence: [klDivergence()],
    focal: [focal({ gamma: 1.5, alpha: [1, 2, 0.5] }), focal({ alpha: 0.25, target: "probabilities" })],
    binaryFocal: [binaryFocal({ gamma: 1, alpha: 0.25 }), binaryFocal()],
    pinball: [pinball({ quantiles: [0.1, 0.5, 0.9] })],
    bpr: [bpr()],
    triplet: [triplet({ margin: 0.5, squared: true })],
    contrastive: [contrastive({ margin: 2 })],
    inBatchSoftmax: [inBatchSoftmax({ items: 3, temperature: 0.5, frequencies: [1, 2, 3] })],
    sampledSoftmax: [sampledSoftmax({ samples: 2, draw: "uniform", correct: false }), sampledSoftmax({ samples: 3 })],
  },
  optimizer: {
    sgd: [
      sgd({ lr: 0.1 }),
      sgd({ lr: 0.1, momentum: 0.9, nesterov: true }),
      sgd({ lr: 0.1, momentum: 0.9, dampening: 0.3, rateInside: true }),
      sgd({ compat: "keras", weightDecay: 0.1 }),
      sgd({ compat: "keras", momentum: 0.5 }),
      sgd({ compat: "pytorch", momentum: 0.5, dampening: 0.1 }),
    ],
    sgdMomentum: [sgdMomentum({ lr: 0.1, beta: 0.5 })],
    adagrad: [
      adagrad({ lr: 0.1, initialAccumulator: 0.3, epsilon: 1e-3 }),
      adagrad({ compat: "keras", weightDecay: 0.1 }),
    ],
    adadelta: [adadelta({ lr: 0.5, rho: 0.5, epsilon: 1e-3 }), adadelta({ compat: "keras", weightDecay: 0.1 })],
    rmsprop: [
      rmsprop({ lr: 0.1, rho: 0.5, epsilon: { value: 1e-3, placement: "outside" }, centered: true }),
      rmsprop({ momentum: 0.5, rateInside: true }),
      rmsprop({ compat: "keras", weightDecay: 0.1 }),
      rmsprop({ compat: "pytorch", momentum: 0.5 }),
    ],
    adam: [
      adam({ lr: 0.1, beta1: 0.5, beta2: 0.7, epsilon: { value: 1e-3, placement: "inside" } }),
      adam({ compat: "keras", weightDecay: 0.1 }),
      adam({ lr: warmup(cosineDecay({ lr: 0.1, restarts: { period: 2 } }), { steps: 2 }) }),
    ],
    adamw: [
      adamw({ lr: 0.1, weightDecay: 0.3 }),
      adamw({ weightDecay: flatCosine({ value: 0.02 }) }),
      adamw({ compat: "pytorch", beta1: 0.1, beta2: 0.2, epsilon: 0.5 }),
    ],
    adamax: [adamax({ lr: 0.1, beta1: 0.5, beta2: 0.7, epsilon: 1e-3 }), adamax({ compat: "keras", weightDecay: 0.1 })],
    amsgrad: [
      amsgrad({ lr: 0.1, beta1: 0.5, beta2: 0.7, epsilon: 1e-3 }),
      amsgrad({ compat: "keras", weightDecay: 0.1 }),
    ],
    nadam: [
      nadam({ lr: 0.1, beta1: 0.5, beta2: 0.7, epsilon: 1e-3, momentumDecay: 0.5 }),
      nadam({ compat: "keras", weightDecay: 0.1 }),
    ],
    radam: [radam({ lr: 0.1, beta1: 0.5, beta2: 0.7, epsilon: 1e-3 }), radam({ compat: "pytorch" })],
    lion: [
      lion({ lr: 0.1, beta1: 0.5, beta2: 0.7, weightDecay: 0.1 }),
      lion({ compat: "keras", weightDecay: flatCosine({ value: 1 }) }),
    ],
    muon: [muon({ lr: 0.1, momentum: 0.5, nesterov: false, weightDecay: 0.1 }), muon({ momentum: 0 }), muon()],
    partition: [
      partition([
        ["linear1.*", adam({ beta1: 0.5 })],
        ["*", null],
      ]),
    ],
  },
  schedule: {
    cosineDecay: [
      cosineDecay({ lr: 0.5, end: 0.1, steps: 7 }),
      cosineDecay({ lr: 0.5, restarts: { period: 2, factor: 1.5 } }),
      cosineDecay({ lr: 0.5 }),
    ],
    flatCosine: [flatCosine({ value: 0.5, flat: 0.25, end: 0.1, steps: 8 })],
    logCosine: [logCosine({ lr: 0.5, cycles: 3, steps: 11 })],
    oneCycle: [oneCycle({ max: 0.5, steps: 9, warmup: 0.4, startDivisor: 3, endDivisor: 7 })],
    stepDecay: [stepDecay({ lr: 0.5, every: 2, factor: 0.3 }), stepDecay({ lr: 0.5, every: { epochs: 1 } })],
    exponentialDecay: [exponentialDecay({ lr: 0.5, rate: 0.3, every: { epochs: 2 }, staircase: true })],
    polynomialDecay: [polynomialDecay({ lr: 0.5, end: 0.1, steps: 5, power: 2 })],
    warmup: [warmup(0.5, { steps: 3 }), warmup(stepDecay({ lr: 0.5, every: 1 }), { steps: 2, from: 0.1 })],
  },
  initializer: {
    constant: [constant(0.25)],
    zeros: [zeros()],
    ones: [ones()],
    xavierUniform: [xavierUniform({ gain: 2 })],
    xavierNormal: [xavierNormal({ gain: 2 })],
    heUniform: [heUniform({ gain: 2, mode: "fanOut" })],
    heNormal: [heNormal({ gain: 2, mode: "fanOut" })],
    lecunUniform: [lecunUniform({ gain: 2 })],
    lecunNormal: [lecunNormal({ gain: 2 })],
    normal: [normal({ mean: 0.1, deviation: 0.3 })],
    uniform: [uniform({ low: -0.5, high: 0.4 })],
    truncatedNormal: [truncatedNormal({ mean: 0.1, deviation: 0.2, low: -1, high: 3 })],
    signs: [signs({ blocks: [2, 4] })],
    repeated: [repeated(uniform({ high: 2 })), repeated(0.3)],
    orthogonal: [orthogonal({ gain: 2 })],
    identity: [identity({ gain: 2 })],
    sparse: [sparse({ sparsity: 0.5, deviation: 0.2 })],
  },
  regularizer: {
    l1: [l1(0.1), l1(0.1, { proximal: true, metric: "euclidean" })],
    l2: [l2(0.1), { kind: "l2", lambda: 0.2 }],
    elasticNet: [elasticNet({ l1: 0.1, l2: 0.2 }), elasticNet({ l1: 0.1, l2: 0.2, proximal: true })],
    weightDecay: [weightDecay(0.1)],
    maxNorm: [maxNorm(0.5)],
  },
  transform: {
    standardize: [standardize()],
    robustScale: [robustScale()],
    minMax: [minMax({ range: [-1, 3] })],
    divideBy: [divideBy(7)],
  },
  metric: {
    recallAt: [recallAt(2)],
    topK: [topK(2)],
    precision: [precision({ average: "micro", name: "p" }), precision({ threshold: 0.3 })],
    recall: [recall({ average: "weighted", name: "r" }), recall({ threshold: 0.3 })],
    f1: [f1({ average: "macro", name: "f" }), f1({ threshold: 0.3 })],
    calibrationError: [calibrationError({ bins: 4 })],
    coverage: [coverage(80)],
  },
  callback: {
    metricsLog: [metricsLog({ path: join(work, "m.jsonl"), every: { steps: 2 }, name: "log" })],
    tensorBoard: [tensorBoard({ histograms: true, dir: join(work, "events"), every: { epochs: 2 }, name: "board" })],
    earlyStopping: [
      earlyStopping({
        monitor: "loss",
        patience: 1,
        minDelta: 100,
        mode: "max",
        restoreBest: true,
        ties: "last",
        every: { steps: 2 },
        name: "early",
      }),
    ],
    reduceOnPlateau: [
      reduceOnPlateau({
        monitor: "loss",
        patience: 1,
        minDelta: 100,
        mode: "max",
        factor: 0.5,
        cooldown: 1,
        minScale: 0.3,
        every: { steps: 1 },
        name: "slower",
      }),
    ],
  },
};

/** Exports that make nothing of which a description could be. */
const OTHERS = [
  "CarillonError",
  "Tensor",
  "Value",
  "atTemperature",
  "bestThreshold",
  "binEdges",
  "bootstrap",
  "bytes",
  "chooseThreshold",
  "confusionTable",
  "dataset",
  "defineLayer",
  "defineMetric",
  "defineOptimizer",
  "descriptionOf",
  "drawFromData",
  "ensemble",
  "errorsBySlice",
  "findLearningRate",
  "fit",
  "fromDescription",
  "gain",
  "grad",
  "greedyWeights",
  "kFold",
  "loadCheckpoint",
  "loadModel",
  "loadTabular",
  "minimizer",
  "network",
  "ops",
  "padded",
  "parameter",
  "partialDependence",
  "permutationImportance",
  "precisionRecallCurve",
  "preparationOf",
  "prepare",
  "program",
  "ragged",
  "reliability",
  "report",
  "rocCurve",
  "runtime",
  "sampleToken",
  "saveCheckpoint",
  "schemaOf",
  "spec",
  "split",
  "table",
  "tableBlocks",
  "tabular",
  "temperatureOf",
  "tensor",
  "towers",
  "valueAndGrad",
  "windows",
];

const FAMILIES = Object.keys(SAMPLES) as Family[];

const EVERY = FAMILIES.flatMap((family) =>
  Object.entries(SAMPLES[family]).flatMap(([kind, things]: [string, readonly Described[Family][]]) =>
    things.map((thing, index) => ({ family, kind, index, thing })),
  ),
);

test("every export has a description, or makes nothing that could have one", () => {
  const described = FAMILIES.flatMap((family) => Object.keys(SAMPLES[family]));
  expect([...new Set(described), ...OTHERS].sort()).toEqual(Object.keys(carillon).sort());
});

const throughJson = (description: Description): unknown => JSON.parse(JSON.stringify(description));

test.each(EVERY)("$family $kind, $index: the same again, through JSON", ({ family, kind, thing }) => {
  const description = descriptionOf(thing);
  expect(description.kind).toBe(kind);
  expect(throughJson(description)).toEqual(description);
  const again = fromDescription(family, throughJson(description));
  expect(descriptionOf(again)).toEqual(description);
  // Whatever else can be seen of it.
  const seen = (one: object): unknown => JSON.parse(JSON.stringify(one));
  if (typeof thing === "object") expect(seen(again)).toEqual(seen(thing));
});

test("no option of a kind is without a sample", () => {
  for (const family of FAMILIES) {
    for (const [kind, things] of Object.entries<readonly Described[Family][]>(SAMPLES[family])) {
      const known = optionsOf(family, kind);
      const shown = new Set(things.flatMap((thing) => Object.keys(descriptionOf(thing).options)));
      const told = known.filter((option) => !(kind.endsWith("ropout") && option === "rate")); // as keep
      expect([...shown].sort(), kind).toEqual(told.sort());
    }
  }
});

/** The options that a kind knows, as the error for another one tells them. */
function optionsOf(family: Family, kind: string): readonly string[] {
  const { message } = refusal(() => fromDescription(family, { kind, options: { "~~~~~~~~~~~~": 1 } }));
  const [, known = ""] = /Known: (.*)$/.exec(message) ?? [];
  return [...known.matchAll(/'(\w+)'/g)].map(([, name = ""]) => name);
}

function refusal(run: () => unknown): carillon.CarillonError {
  try {
    run();
  } catch (error) {
    if (error instanceof carillon.CarillonError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

const ROWS = 12;
const X = Array.from({ length: ROWS }, (_, row) => [row / 6 - 1, (row * 5) % 3, 1 - row / 12, (row * 7) % 4]);
const LABELS = X.map((_, row) => row % 3);
const VALUES = X.map(([a = 0, b = 0, c = 0]) => [a + b, b - c, a * c]);

const TARGETS: Readonly<Record<NonNullable<Loss["target"]>, number[] | number[][]>> = {
  classes: LABELS,
  values: VALUES,
  probabilities: LABELS.map((label) => [0, 1, 2].map((one) => (one === label ? 1 : 0))),
  signs: LABELS.map((label) => [0, 1, 2].map((one) => (one === label ? 1 : -1))),
};

const plain = (): Model => sequential(linear(4, 6, { bias: false }), linear(6, 3, { bias: false }));

/** Ids of a table of nine rows. */
const IDS = tensor(
  Int32Array.from({ length: ROWS * 4 }, (_, at) => (at * 7) % 9),
  [ROWS, 4],
);

/** Behind it a layer of as many features as it gives. */
function ofIds(layer: Layer): Model {
  const input = spec(["batch", 4], "i32");
  const chain = sequential as (...parts: readonly unknown[]) => Model;
  const [given] = chain({ input }, layer, flatten()).rows.outputs;
  return chain({ input }, layer, flatten(), linear(given?.shape[0] ?? 0, 3));
}

const RECURRENT = ["lstm", "gru", "rnn", "attention", "positions", "transformerBlock"];

/** Of two steps of 6 features. */
function ofSteps(layer: Layer): Model {
  const chain = sequential as (...parts: readonly unknown[]) => Model;
  const front = [linear(4, 12), reshape([2, 6]), layer, flatten()];
  const [given] = chain(...front).rows.outputs;
  return chain(...front, linear(given?.shape[0] ?? 0, 3));
}

/** A network around a layer with windows: over 6 × 6 places, or 6, of two channels. */
function ofWindows(layer: Layer): Model {
  const chain = sequential as (...parts: readonly unknown[]) => Model;
  const row = layer.kind.endsWith("1d") ? [6, 2] : [6, 6, 2];
  const front = [linear(4, row.length === 2 ? 12 : 72), reshape(row), layer, flatten()];
  const [given] = chain(...front).rows.outputs;
  return chain(...front, linear(given?.shape[0] ?? 0, 3));
}

/** Of images of bytes. */
function ofImages(layer: Layer): Model {
  const chain = sequential as (...parts: readonly unknown[]) => Model;
  const [given] = chain(layer, flatten()).rows.outputs;
  return chain(layer, flatten(), linear(given?.shape[0] ?? 0, 3));
}

const BYTES = (row: readonly number[]): Uint8Array =>
  Uint8Array.from({ length: ROWS * row.reduce((a, b) => a * b, 1) }, (_, at) => (at * 37) % 256);

const hasWindows = ({ outputs }: Layer): boolean => typeof outputs === "object" && "windows" in outputs;

/** A run in which a thing has its place, and what else it depends on. */
const RUNS: { readonly [F in Family]: (thing: Described[F]) => { model: Model; options: Partial<FitOptions> } } = {
  model: (model) => ({ model: model.clone(), options: {} }),
  layer: (layer) =>
    layer.takes === "i32" || layer.takes === "ragged"
      ? { model: ofIds(layer), options: { data: { x: IDS, y: VALUES } } }
      : layer.takes === "u8"
        ? { model: ofImages(layer), options: { data: { x: BYTES(layer.inputs as readonly number[]), y: VALUES } } }
        : {
            model: RECURRENT.includes(layer.kind)
              ? ofSteps(layer)
              : hasWindows(layer)
                ? ofWindows(layer)
                : sequential(linear(4, 6), layer, flatten(), linear(6, 3)),
            options: {},
          },
  loss: (loss) => {
    const rows = TARGETS[loss.target ?? "values"];
    const y =
      loss.targetShape === undefined ? rows : rows.map((row) => (typeof row === "number" ? row : (row[0] ?? 0)));
    const pairs = sequential(linear(4, 6, { bias: false }), linear(6, 2, { bias: false }));
    return {
      model: ["contrastive", "inBatchSoftmax"].includes(loss.kind ?? "") ? pairs : plain(),
      options: { loss, data: { x: X, y } },
    };
  },
  optimizer: (optimizer) => ({ model: plain(), options: { optimizer } }),
  schedule: (lr) => ({ model: plain(), options: { optimizer: sgd({ lr }) } }),
  initializer: (init) => ({
    model: sequential(linear(4, 6), linear(6, 3, { init })),
    options: { optimizer: sgd({ lr: 0.01 }) },
  }),
  regularizer: (regularizer) => ({ model: plain(), options: { regularizer } }),
  transform: (inputs) => ({ model: plain(), options: { inputs } }),
  metric: (metric) => {
    if (descriptionOf(metric).kind === "coverage") {
      const data = { x: X, y: VALUES.map(([first = 0]) => first) };
      return { model: plain(), options: { loss: pinball({ quantiles: [0.1, 0.5, 0.9] }), data, metrics: [metric] } };
    }
    const isBinary = "threshold" in descriptionOf(metric).options;
    const y = isBinary ? TARGETS.probabilities : LABELS;
    const loss = isBinary ? binaryCrossEntropy() : crossEntropy();
    return { model: plain(), options: { loss, data: { x: X, y }, metrics: [metric] } };
  },
  callback: (callback) => ({ model: plain(), options: { callbacks: [callback] } }),
};

async function outcome<F extends Family>(family: F, thing: Described[F]): Promise<unknown> {
  const { model, options } = RUNS[family](thing);
  const base = {
    data: { x: X, y: VALUES },
    loss: mse(),
    optimizer: sgd({ lr: 0.1 }),
    batchSize: 4,
    seed: 5,
    epochs: 2,
  };
  const { history, step, reason } = await fit(model, { ...base, ...options } as FitOptions);
  const figures = history.map(({ loss, metrics }) => ({ loss, metrics }));
  return { bits: bitsOf(model), figures, step, reason };
}

test.each(EVERY)("$family $kind, $index: the same bits of a run", async ({ family, thing }) => {
  const again = fromDescription(family, throughJson(descriptionOf(thing)));
  expect(await outcome(family, again)).toEqual(await outcome(family, thing));
});

const WITH_FILES = EVERY.flatMap(({ family, kind, index, thing }): [string, Model][] =>
  family === "layer" || family === "model" ? [[`${family} ${kind}, ${index}`, RUNS[family](thing as never).model]] : [],
);

test.each(WITH_FILES)("%s: its file gives the same model, with the same table", async (_name, made) => {
  const model = made.clone().initialize(1);
  const loaded = await loadModel(model.bytes());
  expect(loaded.bytes()).toEqual(model.bytes());
  expect(loaded.summary()).toBe(model.summary());
});

test("what is absent is the default, and options too", () => {
  expect(descriptionOf(fromDescription("optimizer", { kind: "adam" }))).toEqual(descriptionOf(adam()));
  expect(descriptionOf(fromDescription("layer", { kind: "dropout", options: { rate: 0.25 } }))).toEqual({
    kind: "dropout",
    options: { keep: 0.75, scaling: "inverted" },
  });
});

test("a layer that stands in several places is one, by its place among those before it", () => {
  const model = sequential(linear(4, 3), shared, sequential(shared, tanh()), shared);
  const { options } = descriptionOf(model);
  expect(options.layers).toMatchObject([
    { kind: "linear" },
    { kind: "linear" },
    { kind: "sequential", options: { layers: [{ same: 1 }, { kind: "tanh" }] } },
    { same: 1 },
  ]);
  expect(fromDescription("model", descriptionOf(model)).parameters).toEqual(model.parameters);
});

test("a description is what its documentation shows", () => {
  expect(descriptionOf(adam({ lr: cosineDecay({ lr: 0.01 }) }))).toEqual({
    kind: "adam",
    options: {
      lr: { kind: "cosineDecay", options: { lr: 0.01, end: 0 } },
      beta1: 0.9,
      beta2: 0.999,
      epsilon: { value: 1e-8, placement: "outside" },
      weightDecay: 0,
    },
  });
  expect(descriptionOf(linear(2, 3, { regularizer: l2(0.5) }))).toEqual({
    kind: "linear",
    options: {
      inputs: 2,
      outputs: 3,
      bias: true,
      init: { kind: "xavierUniform", options: { gain: 1 } },
      biasInit: { kind: "constant", options: { value: 0 } },
      regularizer: { kind: "l2", options: { lambda: 0.5 } },
      dropConnect: 0,
    },
  });
});

describe("what is one's own has none", () => {
  const own = defineLayer({ kind: "relu", outputs: "same", forward: (x) => x });
  const ownOptimizer = defineOptimizer({ kind: "adam", lr: 1, update: ({ parameter }) => ({ parameter }) });
  const metric = defineMetric({
    name: "rows",
    start: (): number => 0,
    add: (sum, { rows }) => sum + rows,
    result: (sum) => sum,
  });
  const half = (): number => 0.5;

  test.each<[string, Described[Family], string, string]>([
    ["a layer", own, "descriptionOf", `one of your own, "relu"`],
    ["a loss", (output: carillon.Value) => output, "descriptionOf", "one of your own"],
    ["an optimizer", ownOptimizer, "descriptionOf", `one of your own, "adam"`],
    ["a copy", { ...adam() }, "descriptionOf", `one of your own, "adam"`],
    ["a metric", metric, "descriptionOf", "object with name"],
    [
      "a schedule",
      adam({ lr: half }),
      "adam.lr",
      "expected a built-in schedule for 'adam.lr' but received one of your own",
    ],
    ["a schedule in another", sgd({ lr: warmup(half, { steps: 2 }) }), "sgd.lr.schedule", "built-in schedule"],
    ["an optimizer of some", partition([["*", ownOptimizer]]), "partition.groups[0]", `one of your own, "adam"`],
    [
      "an initializer",
      linear(2, 2, { init: { kind: "mine", resolve: () => ({ kind: "constant", value: 0 }) } }),
      "linear.init",
      `expected a built-in initializer for 'linear.init' but received one of your own, "mine"`,
    ],
  ])("%s", (_, thing, where, message) => {
    const error = refusal(() => descriptionOf(thing));
    expect(error).toMatchObject({ code: "ERR_OPTION", where });
    expect(error.message).toContain(message);
  });

  test("a layer of one's own is no built-in one by its name: its file has no description of it", async () => {
    const model = sequential(linear(2, 2), own).initialize(1);
    await expect(loadModel(model.bytes())).rejects.toMatchObject({ code: "ERR_FILE" });
  });
});

describe("a description that is none is refused by its place", () => {
  let deep: unknown = 0.1;
  for (let depth = 0; depth < 100_000; depth++) deep = { kind: "warmup", options: { schedule: deep, steps: 1 } };
  const cyclic: { kind: string; options: Record<string, unknown> } = { kind: "warmup", options: { steps: 1 } };
  cyclic.options.schedule = cyclic;

  test.each<[Family, unknown, string, string]>([
    ["optimizer", undefined, "ERR_OPTION", "optimizer"],
    ["optimizer", "adam", "ERR_OPTION", "optimizer"],
    ["optimizer", [], "ERR_OPTION", "optimizer"],
    ["optimizer", adam, "ERR_OPTION", "optimizer"],
    ["optimizer", {}, "ERR_OPTION", "optimizer.kind"],
    ["optimizer", { kind: "adamm" }, "ERR_OPTION", "optimizer.kind"],
    ["optimizer", { kind: "toString" }, "ERR_OPTION", "optimizer.kind"],
    ["optimizer", { kind: "__proto__" }, "ERR_OPTION", "optimizer.kind"],
    ["optimizer", { kind: "mse" }, "ERR_OPTION", "optimizer.kind"],
    ["optimizer", { kind: "adam", lr: 0.1 }, "ERR_UNKNOWN_OPTION", "optimizer.lr"],
    ["optimizer", { kind: "adam", options: 3 }, "ERR_OPTION", "optimizer.options"],
    ["optimizer", { kind: "adam", options: null }, "ERR_OPTION", "optimizer.options"],
    ["optimizer", { kind: "adam", options: { beta: 1 } }, "ERR_UNKNOWN_OPTION", "optimizer.options.beta"],
    ["optimizer", { kind: "adam", options: { beta1: "0.9" } }, "ERR_OPTION", "optimizer.options.beta1"],
    ["optimizer", { kind: "adam", options: { beta1: 1 } }, "ERR_OPTION", "optimizer.options.beta1"],
    ["optimizer", { kind: "adam", options: { beta1: null } }, "ERR_OPTION", "optimizer.options.beta1"],
    ["optimizer", { kind: "adam", options: { lr: "fast" } }, "ERR_OPTION", "optimizer.options.lr"],
    ["optimizer", { kind: "adam", options: { lr: { kind: "adam" } } }, "ERR_OPTION", "optimizer.options.lr.kind"],
    [
      "optimizer",
      { kind: "adam", options: { lr: { kind: "cosineDecay", options: { lr: -1 } } } },
      "ERR_OPTION",
      "optimizer.options.lr.options.lr",
    ],
    ["optimizer", { kind: "sgd", options: {} }, "ERR_OPTION", "optimizer.options.lr"],
    ["optimizer", { kind: "partition", options: { groups: 1 } }, "ERR_OPTION", "optimizer.options.groups"],
    ["optimizer", { kind: "partition", options: { groups: [["*"]] } }, "ERR_OPTION", "optimizer.options.groups[0]"],
    [
      "optimizer",
      { kind: "partition", options: { groups: [["*", { kind: "sgd", options: { lr: -1 } }]] } },
      "ERR_OPTION",
      "optimizer.options.groups[0][1].options.lr",
    ],
    ["layer", { kind: "linear", options: { inputs: 2 } }, "ERR_OPTION", "layer.options.outputs"],
    [
      "layer",
      { kind: "linear", options: { inputs: 2, outputs: 2, regularizer: [{ kind: "l2", options: { lambda: -1 } }] } },
      "ERR_OPTION",
      "layer.options.regularizer[0].options.lambda",
    ],
    ["model", { kind: "sequential", options: { layers: [{ same: 0 }] } }, "ERR_OPTION", "model.options.layers[0].same"],
    [
      "model",
      { kind: "sequential", options: { layers: [{ kind: "linear", options: { inputs: 0, outputs: 1 } }] } },
      "ERR_OPTION",
      "model.options.layers[0].options.inputs",
    ],
    ["layer", { kind: "residual", options: { layers: 3 } }, "ERR_OPTION", "layer.options.layers"],
    ["regularizer", { kind: "l2", lambda: 1 }, "ERR_UNKNOWN_OPTION", "regularizer.lambda"],
    ["transform", { kind: "minMax", options: { range: [1] } }, "ERR_OPTION", "transform.options.range"],
    ["callback", { kind: "earlyStopping", options: { monitor: "loss" } }, "ERR_OPTION", "callback.options.patience"],
  ])("%s %o", (family, given, code, where) => {
    const error = refusal(() => fromDescription(family, given));
    expect(error).toMatchObject({ code, where });
    expect(error.message).toContain(code === "ERR_OPTION" ? `'${where}'` : `but received '${where.split(".").at(-1)}'`);
  });

  test.each([
    ["deep", deep],
    ["cyclic", cyclic],
  ])("one that is too %s", (_, given) => {
    const error = refusal(() => fromDescription("schedule", given));
    expect(error.code).toBe("ERR_OPTION");
    expect(error.message).toContain("at most 100 descriptions in one another");
  });

  test("a family that there is not", () => {
    const error = refusal(() => Reflect.apply(fromDescription, undefined, ["optimiser", { kind: "adam" }]));
    expect(error).toMatchObject({ code: "ERR_OPTION", where: "fromDescription.family" });
  });
});

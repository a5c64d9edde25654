import { Family, type Form, type Kind, kind, listOf, type Met, plain, type Reading } from "../../described.js";
import { fail } from "../../errors.js";
import { penalties } from "../../regularizers/kinds.js";
import { declares } from "../files/saved.js";
import * as activations from "../layers/activations.js";
import { type AttentionLayerOptions, attention } from "../layers/attention.js";
import {
  type BatchEnsembleOptions,
  batchEnsemble,
  type MeanOfMembersOptions,
  type MemberLinearOptions,
  meanOfMembers,
  memberLinear,
} from "../layers/batch_ensemble.js";
import { type BatchNormLayerOptions, batchNorm } from "../layers/batch_norm.js";
import { type CategoryEmbeddingOptions, categoryEmbedding } from "../layers/category_embedding.js";
import { type ClampOutputOptions, clampOutput, type FoundBoundsOptions } from "../layers/clamp_output.js";
import { type ConcatLayerOptions, concatOf } from "../layers/concat.js";
import {
  type Conv1dLayerOptions,
  type Conv2dLayerOptions,
  conv1d,
  conv2d,
  type Size2d,
} from "../layers/convolution.js";
import {
  alphaDropout,
  type DropoutLayerOptions,
  dropout,
  gaussianDropout,
  type RateOptions,
  spatialDropout,
} from "../layers/dropout.js";
import { type EmbeddingBagOptions, type EmbeddingOptions, embedding, embeddingBag } from "../layers/embedding.js";
import { groupNorm } from "../layers/group_norm.js";
import { type FlatImagesOptions, imagesOf } from "../layers/images.js";
import { layerNorm, type NormLayerOptions } from "../layers/layer_norm.js";
import { type LinearOptions, linear } from "../layers/linear.js";
import { type MonotoneQuantilesOptions, monotoneQuantiles } from "../layers/monotone_quantiles.js";
import { type NtkLinearOptions, ntkLinear } from "../layers/ntk_linear.js";
import { type NumericEmbeddingOptions, numericEmbedding } from "../layers/numeric_embedding.js";
import { type ParametricOptions, parametricActivation } from "../layers/parametric_activation.js";
import {
  type AveragePool1dOptions,
  type AveragePool2dOptions,
  averagePool1d,
  averagePool2d,
  type GlobalPoolOptions,
  globalAveragePool,
  globalMaxPool,
  type MaxPool1dOptions,
  type MaxPool2dOptions,
  maxPool1d,
  maxPool2d,
} from "../layers/pool.js";
import { type PositionsOptions, positions } from "../layers/positions.js";
import { type GruOptions, gru, type LstmOptions, lstm, type RnnOptions, rnn } from "../layers/recurrent.js";
import { type ResidualOptions, residualOf } from "../layers/residual.js";
import { rmsNorm } from "../layers/rms_norm.js";
import { type ScaleOptions, scale } from "../layers/scale.js";
import { flatten, reshape } from "../layers/shapes.js";
import { smoothClip } from "../layers/smooth_clip.js";
import { type TransformerBlockOptions, transformerBlock } from "../layers/transformer_block.js";
import { type ConvTransposed2dLayerOptions, convTransposed2d } from "../layers/transposed_convolution.js";
import { checkName, type Layer } from "../structure/layer.js";
import { type Definition, sequence } from "../structure/sequence.js";
import { checkInput } from "../structure/sequential_options.js";
import { filling } from "./initializers.js";

const NORM = { inputs: plain, epsilon: plain, affine: plain, name: plain };
const FACTORS = { rateFactor: plain, decayFactor: plain };
const RATE = { rate: plain, keep: plain, name: plain };

const TABLE = {
  ...{ count: plain, size: plain, init: filling, padding: plain, maxNorm: plain, rows: plain },
  ...{ regularizer: penalties, name: plain },
};

const OF_MEMBERS = {
  ...{ inputs: plain, outputs: plain, members: plain, bias: plain, init: filling, regularizer: penalties, name: plain },
};

const RECURRENT = {
  ...{ inputs: plain, hidden: plain, layers: plain, bidirectional: plain, sequences: plain, dropout: plain },
  ...{
    recurrentDropout: plain,
    recurrentMask: plain,
    dropConnect: plain,
    bias: plain,
    init: filling,
    recurrentInit: filling,
  },
  ...{
    regularizer: penalties,
    recurrentRegularizer: penalties,
    biasRegularizer: penalties,
    preset: plain,
    name: plain,
  },
};

const ATTENTION = {
  ...{ size: plain, heads: plain, causal: plain, dropout: plain, keyValueHeads: plain, rotary: plain, bias: plain },
  ...{ regularizer: penalties, preset: plain, name: plain },
};

/** Features of a step, and the heads that divide them. */
interface Heads {
  readonly size: number;
  readonly heads: number;
}

/** Sizes of a recurrent layer. */
interface Recurrent {
  readonly inputs: number;
  readonly hidden: number;
}

const CONVOLUTION_SIZES = {
  ...{ inputs: plain, outputs: plain, kernel: plain, stride: plain, dilation: plain, padding: plain, groups: plain },
  ...{ bias: plain, init: filling, biasInit: filling, regularizer: penalties, biasRegularizer: penalties },
  name: plain,
};

const CONVOLUTION = { ...CONVOLUTION_SIZES, preset: plain };

const POOL = { size: plain, stride: plain, padding: plain, name: plain };

/** The size of a window. */
interface Sized<K> {
  readonly size: K;
}

/** Sizes of a table. */
interface Table {
  readonly count: number;
  readonly size: number;
}

/** Features of a layer that gives as many as it takes. */
interface Inputs {
  readonly inputs: number;
}

/** Activations by kind. */
export const activationLayers: Readonly<Record<string, Kind<Layer>>> = {
  relu: kind(activations.relu, {}),
  relu6: kind(activations.relu6, {}),
  tanh: kind(activations.tanh, {}),
  sigmoid: kind(activations.sigmoid, {}),
  softplus: kind(activations.softplus, {}),
  silu: kind(activations.silu, {}),
  mish: kind(activations.mish, {}),
  selu: kind(activations.selu, {}),
  hardTanh: kind(activations.hardTanh, {}),
  hardSigmoid: kind(activations.hardSigmoid, {}),
  hardSilu: kind(activations.hardSilu, {}),
  softmax: kind(activations.softmax, {}),
  logSoftmax: kind(activations.logSoftmax, {}),
  leakyRelu: kind(activations.leakyRelu, { slope: plain }),
  elu: kind(activations.elu, { alpha: plain }),
  gelu: kind(activations.gelu, { approximate: plain }),
};

/** A layer among others: one that was there before, with its parameters, is `{ same: i }`, the i-th of the description, from 0. */
const oneOfSeveral: Form = {
  describe: (where, given, met) => {
    const first = met.indexOf(given);
    met.push(given);
    const isShared = first >= 0 && declares(given as Layer); // a block has layers
    return isShared ? { same: first } : layers.describe(where, given, met);
  },
  make: makeOne,
};

/** A layer of a description, in which others came before. */
export function makeOne(where: string, given: unknown, how: Reading): Layer {
  const { met } = how;
  const place = met.push(undefined) - 1;
  const layer = isReference(given) ? knownOf(`${where}.same`, given.same, met) : layers.make(where, given, how);
  met[place] = layer;
  return layer;
}

function isReference(given: unknown): given is { readonly same: unknown } {
  return typeof given === "object" && given !== null && "same" in given;
}

function knownOf(where: string, same: unknown, met: Met): Layer {
  const known = typeof same === "number" ? met[same] : undefined;
  if (known === undefined) fail("ERR_OPTION", where, "the place of a layer before it", same);
  return known as Layer; // as makeOne has put it there
}

/** Layers one after another. */
const inOrder = listOf(oneOfSeveral, "layers");

/** Options of {@link sequential} as a description has them. */
export interface SequentialParts {
  readonly layers: readonly Layer[];
  readonly input?: unknown;
  readonly name?: string | undefined;
}

/** The forms of these. */
export const SEQUENTIAL = { layers: inOrder, input: plain, name: plain };

/** The options of {@link SEQUENTIAL}, checked and made. */
export function sequentialOf({ layers: inside = [], input, name }: SequentialParts): Definition {
  const from = input === undefined ? undefined : checkInput("sequential.input", input);
  return sequence(inside, { input: from, name: checkName("sequential.name", name) });
}

/** Edges of columns as files have them: all one behind the other, and how many each column has. */
interface EdgeLists {
  readonly edges?: readonly number[] | undefined;
  readonly counts?: readonly number[] | undefined;
}

function edgesOf(edges: readonly number[], counts: EdgeLists["counts"]): readonly (readonly number[])[] {
  const isList = Array.isArray(edges) && Array.isArray(counts);
  if (!isList) return fail("ERR_OPTION", "numericEmbedding.counts", "how many edges each column has", counts);
  let at = 0;
  const lists = counts.map((count) => {
    const from = at;
    at += Number(count);
    return edges.slice(from, at);
  });
  return at === edges.length ? lists : fail("ERR_OPTION", "numericEmbedding.counts", `${edges.length} in all`, at);
}

/** Layers by kind. */
export const layers = new Family<Layer>("layer", {
  linear: kind(
    ({ inputs, outputs, ...options }: LinearOptions & { readonly inputs: number; readonly outputs: number }) => {
      return linear(inputs, outputs, options);
    },
    {
      inputs: plain,
      outputs: plain,
      bias: plain,
      init: filling,
      biasInit: filling,
      regularizer: penalties,
      biasRegularizer: penalties,
      dropConnect: plain,
      name: plain,
    },
  ),
  ntkLinear: kind(
    ({ inputs, outputs, ...options }: NtkLinearOptions & Inputs & { readonly outputs: number }) => {
      return ntkLinear(inputs, outputs, options);
    },
    {
      ...{ inputs: plain, outputs: plain, bias: plain, init: filling, biasInit: filling, regularizer: penalties },
      ...{ biasRegularizer: penalties, rateFactor: plain, biasRateFactor: plain, name: plain },
    },
  ),
  conv1d: kind(
    ({ inputs, outputs, ...options }: Conv1dLayerOptions & Inputs & { readonly outputs: number }) =>
      conv1d(inputs, outputs, options),
    CONVOLUTION,
  ),
  conv2d: kind(
    ({ inputs, outputs, ...options }: Conv2dLayerOptions & Inputs & { readonly outputs: number }) =>
      conv2d(inputs, outputs, options),
    CONVOLUTION,
  ),
  images: kind((options: FlatImagesOptions) => imagesOf(options), {
    ...{ height: plain, width: plain, channels: plain, flip: plain, shift: plain, crop: plain, fill: plain },
    ...{ scale: plain, mean: plain, std: plain, name: plain },
  }),
  convTransposed2d: kind(
    ({ inputs, outputs, ...options }: ConvTransposed2dLayerOptions & Inputs & { readonly outputs: number }) =>
      convTransposed2d(inputs, outputs, options),
    { ...CONVOLUTION_SIZES, outputPadding: plain },
  ),
  maxPool1d: kind(({ size, ...options }: MaxPool1dOptions & Sized<number>) => maxPool1d(size, options), POOL),
  maxPool2d: kind(({ size, ...options }: MaxPool2dOptions & Sized<Size2d>) => maxPool2d(size, options), POOL),
  averagePool1d: kind(({ size, ...options }: AveragePool1dOptions & Sized<number>) => averagePool1d(size, options), {
    ...POOL,
    countPadding: plain,
  }),
  averagePool2d: kind(({ size, ...options }: AveragePool2dOptions & Sized<Size2d>) => averagePool2d(size, options), {
    ...POOL,
    countPadding: plain,
  }),
  globalMaxPool: kind((options: GlobalPoolOptions) => globalMaxPool(options), { name: plain }),
  globalAveragePool: kind((options: GlobalPoolOptions) => globalAveragePool(options), { name: plain }),
  batchEnsemble: kind(
    ({ inputs, outputs, ...options }: BatchEnsembleOptions & Inputs & { readonly outputs: number }) =>
      batchEnsemble(inputs, outputs, options),
    { ...OF_MEMBERS, inputInit: filling },
  ),
  memberLinear: kind(
    ({ inputs, outputs, ...options }: MemberLinearOptions & Inputs & { readonly outputs: number }) =>
      memberLinear(inputs, outputs, options),
    OF_MEMBERS,
  ),
  meanOfMembers: kind((options: MeanOfMembersOptions) => meanOfMembers(options), { of: plain, name: plain }),
  clampOutput: kind(
    ({ inputs, name, ...bounds }: FoundBoundsOptions & Partial<ClampOutputOptions & Inputs>) =>
      inputs === undefined ? clampOutput({ ...bounds, name } as ClampOutputOptions) : clampOutput(inputs, { name }),
    { inputs: plain, low: plain, high: plain, name: plain },
  ),
  monotoneQuantiles: kind(
    ({ count, ...options }: MonotoneQuantilesOptions & { readonly count: number }) => monotoneQuantiles(count, options),
    { count: plain, name: plain },
  ),
  smoothClip: kind(smoothClip, { limit: plain, name: plain }),
  parametricActivation: kind(
    ({
      inputs,
      layers: [activation],
      ...options
    }: ParametricOptions & Inputs & { readonly layers: readonly Layer[] }) => {
      return parametricActivation(inputs, activation as Layer<number, "same", "f32">, options); // which it checks
    },
    { inputs: plain, layers: inOrder, init: filling, regularizer: penalties, ...FACTORS, name: plain },
  ),
  numericEmbedding: kind(
    ({ inputs, edges, counts, ...options }: Omit<NumericEmbeddingOptions, "edges"> & Inputs & EdgeLists) =>
      numericEmbedding(inputs, { ...options, ...(edges === undefined ? {} : { edges: edgesOf(edges, counts) }) }),
    {
      ...{ edges: plain, counts: plain },
      ...{ inputs: plain, form: plain, frequencies: plain, size: plain, deviation: plain, regularizer: penalties },
      ...FACTORS,
      name: plain,
    },
  ),
  scale: kind(({ inputs, ...options }: ScaleOptions & Inputs) => scale(inputs, options), {
    ...{ inputs: plain, init: filling, regularizer: penalties, ...FACTORS, name: plain },
  }),
  embedding: kind(({ count, size, ...options }: EmbeddingOptions & Table) => embedding(count, size, options), {
    ...TABLE,
    preset: plain,
  }),
  embeddingBag: kind(({ count, size, ...options }: EmbeddingBagOptions & Table) => embeddingBag(count, size, options), {
    ...TABLE,
    mode: plain,
  }),
  categoryEmbedding: kind(
    ({
      counts,
      size,
      ...options
    }: CategoryEmbeddingOptions & { readonly counts: readonly number[]; readonly size: number }) =>
      categoryEmbedding(counts, size, options),
    { counts: plain, size: plain, init: filling, regularizer: penalties, ...FACTORS, name: plain },
  ),
  ...activationLayers,
  layerNorm: kind(({ inputs, ...options }: NormLayerOptions & Inputs) => layerNorm(inputs, options), NORM),
  rmsNorm: kind(({ inputs, ...options }: NormLayerOptions & Inputs) => rmsNorm(inputs, options), NORM),
  groupNorm: kind(
    ({ inputs, groups, ...options }: NormLayerOptions & Inputs & { readonly groups: number }) => {
      return groupNorm(inputs, groups, options);
    },
    { ...NORM, groups: plain },
  ),
  batchNorm: kind(({ inputs, ...options }: BatchNormLayerOptions & Inputs) => batchNorm(inputs, options), {
    ...NORM,
    keep: plain,
    preset: plain,
  }),
  lstm: kind(({ inputs, hidden, ...options }: LstmOptions & Recurrent) => lstm(inputs, hidden, options), {
    ...RECURRENT,
    forgetBias: plain,
  }),
  gru: kind(({ inputs, hidden, ...options }: GruOptions & Recurrent) => gru(inputs, hidden, options), {
    ...RECURRENT,
    resetAfter: plain,
  }),
  rnn: kind(({ inputs, hidden, ...options }: RnnOptions & Recurrent) => rnn(inputs, hidden, options), {
    ...RECURRENT,
    activation: plain,
  }),
  attention: kind(({ size, heads, ...options }: AttentionLayerOptions & Heads) => attention(size, heads, options), {
    ...ATTENTION,
    ...{ init: filling, outputInit: filling, biasRegularizer: penalties },
  }),
  positions: kind(
    ({ form, ...options }: PositionsOptions & { readonly form: "sinusoidal" | "learned" }) => positions(form, options),
    { form: plain, time: plain, size: plain, init: filling, regularizer: penalties, name: plain },
  ),
  transformerBlock: kind(
    ({ size, heads, ...options }: TransformerBlockOptions & Heads) => transformerBlock(size, heads, options),
    { ...ATTENTION, norm: plain, feedForward: plain, activation: plain, epsilon: plain },
  ),
  dropout: kind((options: DropoutLayerOptions) => dropout(options), { ...RATE, scaling: plain, fade: plain }),
  spatialDropout: kind((options: DropoutLayerOptions) => spatialDropout(options), {
    ...RATE,
    scaling: plain,
    fade: plain,
  }),
  alphaDropout: kind((options: RateOptions) => alphaDropout(options), RATE),
  gaussianDropout: kind((options: RateOptions) => gaussianDropout(options), RATE),
  flatten: kind(flatten, {}),
  reshape: kind(({ shape }: { readonly shape: readonly number[] }) => reshape(shape), { shape: plain }),
  concat: kind(
    ({ layers: inside = [], name }: Omit<ConcatLayerOptions, "kind"> & { readonly layers: readonly Layer[] }) =>
      concatOf(inside, { name }),
    { layers: inOrder, name: plain },
  ),
  sequential: kind((parts: SequentialParts) => sequentialOf(parts).block, SEQUENTIAL),
  residual: kind(
    ({ layers: inside = [], ...options }: Omit<ResidualOptions, "kind"> & { readonly layers: readonly Layer[] }) =>
      residualOf(inside, options),
    { layers: inOrder, project: plain, dropPath: plain, name: plain },
  ),
});

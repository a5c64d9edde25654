import { reluGradient, tanhGradient } from "../../lib/ops/elementwise.js";
import * as ops from "../../lib/ops/index.js";
import type { OperationName } from "../../lib/ops/rules.js";
import { stepMask } from "../../lib/ops/sequence.js";
import type { Value } from "../../lib/tensor/value.js";
import { activationSamples } from "./activation_samples.js";
import { attentionSamples } from "./attention_samples.js";
import { augmentSamples } from "./augment_samples.js";
import { axisSamples } from "./axis_samples.js";
import { crossEntropyError, exact, productError, rounded, softmaxError, sumDepth, summed, U, ulps } from "./bounds.js";
import { binary, oneInput, unary } from "./builders.js";
import { candidateSamples } from "./candidate_samples.js";
import { convolutionSamples } from "./convolution_samples.js";
import { drawingSamples } from "./drawing_samples.js";
import { normSamples } from "./norm_samples.js";
import { poolSamples } from "./pool_samples.js";
import { recurrenceSamples } from "./recurrence_samples.js";
import * as reference from "./references.js";
import {
  apart,
  floats,
  labels,
  type Numbers,
  type OperationSamples,
  sample,
  sixteenths,
  size,
  type Usage,
  within,
} from "./sample.js";

const anywhere = within(-2, 2);
const positive = within(0.5, 3);
const few = (u: number): number => Math.floor(u * 4) - 1.5;

/** Below about −7 tanh and sigmoid are flat to the last bit; the gradient is looked at where they are not. */
const bent = within(-4, 4);

/** Few different numbers: equal ones among them. */
const compared = { draws: [few, few], differentiable: [] } as const;

/** Leaves both factors of g·(1 − o²) apart from 0. */
const inside = within(-0.9, 0.9);

/** Three roundings: o², 1 − o², the product; the first two are errors of numbers of at most 1. */
const tanhGradientError: Usage["error"] = (y, g) => {
  const flowing = Math.max(0, ...(g?.data.map(Math.abs) ?? []));
  return y.map((value) => 2 * U * flowing + U * Math.abs(value));
};

function sums(axis: "all" | "first" | "last"): Usage {
  const columns = (x: Numbers): number => x.shape.at(-1) ?? 1;
  const rows = (x: Numbers): number => size(x.shape) / columns(x);
  const ways = {
    all: {
      reference: (x: Numbers) => [reference.total(x.data)],
      error: summed(
        () => 0,
        (x) => sumDepth(size(x.shape)),
      ),
    },
    last: {
      reference: (x: Numbers) => reference.rowsOf(x).map(reference.total),
      error: summed(
        (index, x) => Math.floor(index / columns(x)),
        (x) => sumDepth(columns(x)),
      ),
    },
    // A chain of at most 128 rows, then one addition a block.
    first: {
      reference: reference.columnTotals,
      error: summed(
        (index, x) => index % columns(x),
        (x) => Math.min(rows(x), 128) + Math.ceil(rows(x) / 128),
      ),
    },
  } as const;
  const shapes = [[1, 1], [1, 17], [17, 1], [33, 17], [2, 3, 5], ...(axis === "all" ? [[], [1], [33]] : [])];
  return {
    label: axis,
    apply: (x) => ops.sum(x, { axis }),
    ...ways[axis],
    samples: shapes.map((shape) => sample([floats(shape, anywhere)], shape.length === 0 ? [] : [0])),
    large: sample([floats([151, 307], anywhere)]),
    differentiable: [0],
    rowwise: axis === "last",
    refusals: [
      { inputs: [[[3, 4], "i32"]], code: "ERR_DTYPE", where: "sum" },
      ...(axis === "all" ? [] : ([{ inputs: [[[3]]], code: "ERR_SHAPE", where: "sum" }] as const)),
    ],
  };
}

function products(transposeA: boolean, transposeB: boolean): Usage {
  const turned = (rows: number, columns: number, turn: boolean) => floats(turn ? [columns, rows] : [rows, columns]);
  const of = (m: number, n: number, k: number) => {
    return sample([turned(m, k, transposeA), turned(k, n, transposeB)], transposeA ? (transposeB ? [] : [0, 1]) : [0]);
  };
  return {
    label: `${transposeA ? "aᵀ" : "a"}·${transposeB ? "bᵀ" : "b"}`,
    apply: (a, b) => ops.matmul(a, b, { transposeA, transposeB }),
    reference: reference.product(transposeA, transposeB),
    error: productError(({ shape: [m = 1, k = 1] }) => (transposeA ? m : k), reference.product(transposeA, transposeB)),
    samples: [of(1, 1, 1), of(3, 5, 17), of(17, 33, 4), of(33, 1, 17), of(1, 33, 33), of(2, 2, 1030)],
    large: of(101, 83, 129),
    differentiable: [0, 1],
    rowwise: !transposeA,
    refusals: [
      { inputs: [[[3]], [[3, 4]]], code: "ERR_SHAPE", where: "matmul" },
      { inputs: [[[3, 4]], [[5, 6]]], code: "ERR_SHAPE", where: "matmul" },
      { inputs: [[[3, 4], "i32"], [[4, 3]]], code: "ERR_DTYPE", where: "matmul" },
    ],
  };
}

/** x·Wᵀ + b, all axes of x but the last its rows. */
function rowsProduct(x?: Numbers, ...others: readonly Numbers[]): readonly number[] {
  const columns = x?.shape.at(-1) ?? 1;
  const data = x?.data ?? [];
  return reference.product(false, true)({ shape: [data.length / columns, columns], data }, ...others);
}

function linears(biased: boolean): Usage {
  const of = (leading: number | readonly number[], features: number, outputs: number) => {
    const bias = biased ? [floats([outputs])] : [];
    return sample([floats([leading, features].flat()), floats([outputs, features]), ...bias]);
  };
  return {
    label: biased ? "with bias" : "without bias",
    apply: (x, weight, bias) => ops.linear(x, weight, bias),
    reference: rowsProduct,
    error: productError(({ shape }) => shape.at(-1) ?? 1, rowsProduct),
    samples: [of(1, 1, 1), of(5, 17, 3), of(3, 33, 17), of(17, 4, 33), of(2, 1030, 2), of([2, 3], 4, 5)],
    large: of(131, 70, 90),
    differentiable: biased ? [0, 1, 2] : [0, 1],
    rowwise: true,
    refusals: [
      { inputs: [[[3]], [[4, 3]]], code: "ERR_SHAPE", where: "linear" },
      { inputs: [[[2, 5]], [[4, 3]]], code: "ERR_SHAPE", where: "linear" },
      { inputs: [[[2, 3]], [[3]]], code: "ERR_SHAPE", where: "linear.weight" },
      { inputs: [[[2, 3]], [[4, 3]], [[3]]], code: "ERR_SHAPE", where: "linear.bias" },
      { inputs: [[[2, 3]], [[4, 3]], [[1, 4]]], code: "ERR_SHAPE", where: "linear.bias" },
      { inputs: [[[2, 3], "i32"], [[4, 3]]], code: "ERR_DTYPE", where: "linear" },
    ],
  };
}

/** Of the only step of a program made by ways.ts. */
export const DRAW = { seed: 77, step: 1 } as const;

function dropouts(options: { rate?: number; keep?: number; scaling?: "classic"; site: number }): Usage {
  const keep = options.keep ?? 1 - (options.rate ?? 0);
  const scale = Math.fround(options.scaling === "classic" ? 1 : 1 / keep);
  return {
    label: `keep ${keep}`,
    apply: (x) => ops.dropout(x, { ...options, ...DRAW }),
    reference({ data }) {
      const mask = reference.dropoutMask(data.length, keep, { ...DRAW, site: options.site });
      return data.map((value, index) => (mask[index] ?? 0) * value * scale);
    },
    error: rounded,
    ...oneInput(anywhere),
    differentiable: [0],
    refusals: [{ inputs: [[[3], "i32"]], code: "ERR_DTYPE", where: "dropout" }],
  };
}

/** Samples of every operation, without which it does not compile. */
export const samples: { readonly [K in OperationName]: OperationSamples } = {
  negate: unary("negate", ops.negate, (x) => -x, anywhere, { error: exact }),
  absolute: unary("absolute", ops.absolute, Math.abs, apart(0.25, 2), { error: exact }),
  sign: unary("sign", ops.sign, Math.sign, apart(0.25, 2), { error: exact, differentiable: [] }),
  exp: unary("exp", ops.exp, Math.exp, bent, { error: ulps(2) }),
  log: unary("log", ops.log, Math.log, positive, { error: ulps(2) }),
  sqrt: unary("sqrt", ops.sqrt, Math.sqrt, positive, { error: rounded }),
  square: unary("square", ops.square, (x) => x * x, anywhere, { error: rounded }),
  reciprocal: unary("reciprocal", ops.reciprocal, (x) => 1 / x, apart(0.5, 3), { error: rounded }),
  relu: unary("relu", ops.relu, (x) => Math.max(x, 0), apart(0.25, 2), { error: exact }),
  tanh: unary("tanh", ops.tanh, Math.tanh, bent, { error: ulps(2), cancellation: 1 }),
  sigmoid: unary("sigmoid", ops.sigmoid, (x) => 1 / (1 + Math.exp(-x)), bent, { error: ulps(2), cancellation: 1 }),
  flush: unary("flush", ops.flush, (x) => x, apart(0.25, 2), { error: exact }),
  ...activationSamples,
  ...augmentSamples,

  add: binary("add", ops.add, (a, b) => a + b),
  subtract: binary("subtract", ops.subtract, (a, b) => a - b),
  multiply: binary("multiply", ops.multiply, (a, b) => a * b),
  divide: binary("divide", ops.divide, (a, b) => a / b, { draws: [anywhere, apart(0.5, 2)] }),
  minimum: binary("minimum", ops.minimum, Math.min, { draws: [sixteenths(0), sixteenths(1)] }),
  maximum: binary("maximum", ops.maximum, Math.max, { draws: [sixteenths(0), sixteenths(1)] }),
  greater: binary("greater", ops.greater, (a, b) => (a > b ? 1 : 0), {
    draws: [sixteenths(0), sixteenths(1)],
    differentiable: [],
  }),
  greaterEqual: binary("greaterEqual", ops.greaterEqual, (a, b) => (a >= b ? 1 : 0), { ...compared }),
  less: binary("less", ops.less, (a, b) => (a < b ? 1 : 0), { ...compared }),
  lessEqual: binary("lessEqual", ops.lessEqual, (a, b) => (a <= b ? 1 : 0), { ...compared }),
  equal: binary("equal", ops.equal, (a, b) => (a === b ? 1 : 0), { ...compared }),
  notEqual: binary("notEqual", ops.notEqual, (a, b) => (a !== b ? 1 : 0), { ...compared }),
  reluGradient: binary("reluGradient", reluGradient, (g, y) => (y > 0 ? g : 0), { differentiable: [0] }),
  tanhGradient: binary("tanhGradient", tanhGradient, (g, y) => g * (1 - y * y), {
    draws: [anywhere, inside],
    error: tanhGradientError,
    cancellation: 2,
  }),

  reshape: [
    {
      apply: (x) => ops.reshape(x, [...x.shape.slice(0, 1), 2, 3]),
      reference: (x) => x.data,
      error: exact,
      samples: [sample([floats([4, 6])]), sample([floats([1, 3, 2])])],
      differentiable: [0],
      rowwise: true,
      refusals: [{ inputs: [[[4, 5]]], code: "ERR_SHAPE", where: "reshape" }],
    },
  ],
  broadcast: [
    {
      label: "row",
      apply: (x) => ops.broadcast(x, [3, ...x.shape]),
      reference: (x) => reference.repeated(x, [3, ...x.shape]),
      error: exact,
      samples: [
        sample([floats([])], []),
        sample([floats([1])], []),
        sample([floats([17])], []),
        sample([floats([33])], []),
      ],
      large: sample([floats([20_011])], []),
      differentiable: [0],
      refusals: [{ inputs: [[[2, 3], "i32"]], code: "ERR_DTYPE", where: "broadcast" }],
    },
    {
      label: "column",
      apply: (x) => ops.broadcast(x, [...x.shape.slice(0, 1), 17]),
      reference: (x) => reference.repeated(x, [x.shape[0] ?? 1, 17]),
      error: exact,
      samples: [sample([floats([1, 1])]), sample([floats([5, 1])]), sample([floats([33, 1])])],
      large: sample([floats([4001, 1])]),
      differentiable: [0],
      rowwise: true,
      refusals: [
        { inputs: [[[3, 2]]], code: "ERR_SHAPE", where: "broadcast" },
        { inputs: [[[3, 1], "i32"]], code: "ERR_DTYPE", where: "broadcast" },
      ],
    },
  ],
  sum: [sums("all"), sums("first"), sums("last")],

  softmax: [
    {
      apply: ops.softmax,
      reference: reference.softmax,
      error: softmaxError,
      samples: [[1], [17], [1, 1], [3, 5], [17, 3], [4, 33], [2, 3, 5]].map((shape) => {
        return sample([floats(shape, bent)], shape.length === 1 ? [] : [0]);
      }),
      large: sample([floats([700, 61], bent)]),
      differentiable: [0],
      cancellation: 1,
      rowwise: true,
      refusals: [
        { inputs: [[[]]], code: "ERR_SHAPE", where: "softmax" },
        { inputs: [[[3, 4], "i32"]], code: "ERR_DTYPE", where: "softmax" },
      ],
    },
  ],
  softmaxCrossEntropy: [
    {
      apply: ops.softmaxCrossEntropy,
      reference: reference.softmaxCrossEntropy,
      error: crossEntropyError,
      samples: [
        [1, 1],
        [1, 17],
        [5, 3],
        [4, 33],
        [2, 3, 5],
      ].map((shape) => {
        return sample([floats(shape, bent), labels(shape.slice(0, -1), shape.at(-1) ?? 1)], [0, 1]);
      }),
      large: sample([floats([700, 61], bent), labels([700], 61)], [0, 1]),
      differentiable: [0],
      cancellation: 1,
      rowwise: true,
      refusals: [
        { inputs: [[[4]], [[], "i32"]], code: "ERR_SHAPE", where: "softmaxCrossEntropy.labels" },
        { inputs: [[[3, 4]], [[4], "i32"]], code: "ERR_SHAPE", where: "softmaxCrossEntropy.labels" },
        { inputs: [[[3, 4]], [[3], "f32"]], code: "ERR_DTYPE", where: "softmaxCrossEntropy.labels" },
        {
          inputs: [
            [[3, 4], "i32"],
            [[3], "i32"],
          ],
          code: "ERR_DTYPE",
          where: "softmaxCrossEntropy",
        },
      ],
    },
  ],
  oneHot: [
    {
      apply: (y) => ops.oneHot(y, 17),
      reference: (y) => reference.oneHot(y, 17),
      error: exact,
      samples: [sample([labels([1], 17)]), sample([labels([33], 17)]), sample([labels([2, 3], 17)])],
      rowwise: true,
      refusals: [{ inputs: [[[3]]], code: "ERR_DTYPE", where: "oneHot" }],
    },
  ],
  stepMask: [
    {
      apply: (lengths) => stepMask(lengths, 17),
      reference: (lengths) =>
        lengths.data.flatMap((length) => Array.from({ length: 17 }, (_, step) => (step < length ? 1 : 0))),
      error: exact,
      samples: [sample([labels([1], 18)]), sample([labels([33], 18)])],
      rowwise: true,
      refusals: [{ inputs: [[[3]]], code: "ERR_DTYPE", where: "sequence.lengths" }],
    },
  ],
  argmax: [
    {
      apply: (x: Value) => ops.argmax(x),
      reference: reference.argmax,
      error: exact,
      // Few different numbers: ties, of which the first counts.
      samples: [
        [1, 1],
        [5, 3],
        [4, 33],
        [2, 3, 17],
      ].map((shape) => sample([floats(shape, (u) => Math.floor(u * 6))])),
      large: sample([floats([700, 61], (u) => Math.floor(u * 50))]),
      rowwise: true,
      refusals: [
        { inputs: [[[]]], code: "ERR_SHAPE", where: "argmax" },
        { inputs: [[[3, 4], "i32"]], code: "ERR_DTYPE", where: "argmax" },
      ],
    },
  ],
  countEqual: [
    {
      apply: ops.countEqual,
      reference: reference.countEqual,
      error: exact,
      samples: [1, 17, 33, 200].map((count) => sample([labels([count], 3), labels([count], 3)], [0, 1])),
      refusals: [
        {
          inputs: [
            [[3], "i32"],
            [[4], "i32"],
          ],
          code: "ERR_SHAPE",
          where: "countEqual",
        },
        { inputs: [[[3], "i32"], [[3]]], code: "ERR_DTYPE", where: "countEqual" },
        { inputs: [[[3]], [[3], "i32"]], code: "ERR_DTYPE", where: "countEqual" },
      ],
    },
  ],

  ...axisSamples,
  ...convolutionSamples,
  ...normSamples,
  ...attentionSamples,
  ...candidateSamples,
  ...recurrenceSamples,
  ...poolSamples,

  matmul: [products(false, false), products(false, true), products(true, false), products(true, true)],
  linear: [linears(true), linears(false)],

  dropout: [
    dropouts({ rate: 0.5, site: 0 }),
    dropouts({ keep: 0.3, scaling: "classic", site: 3 }),
    dropouts({ rate: 0, site: 1 }),
  ],

  ...drawingSamples,

  rowCount: [
    {
      apply: () => ops.rowCount(),
      reference: ({ shape }) => [shape[0] ?? 1],
      error: exact,
      samples: [sample([floats([1, 2])]), sample([floats([17, 2])])],
      programOnly: true,
    },
  ],
};

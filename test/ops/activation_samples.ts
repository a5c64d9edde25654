import * as activations from "../../lib/ops/activations.js";
import * as ops from "../../lib/ops/index.js";
import type { OperationName } from "../../lib/ops/rules.js";
import { type Bound, exact, rowMaxima, sumDepth, U, ulp, ulps } from "./bounds.js";
import { binary, unary } from "./builders.js";
import { erf, logSoftmax, softplus } from "./references.js";
import { apart, type Draw, floats, type OperationSamples, sample, within } from "./sample.js";

const bent = within(-4, 4);
const inner = within(-2, 2);

/** One of several intervals, so that differences never cross a kink. */
function among(...intervals: readonly (readonly [low: number, high: number])[]): Draw {
  return (u) => {
    const place = u * intervals.length;
    const [low, high] = intervals[Math.floor(place)] ?? [0, 1];
    return low + (place % 1) * (high - low);
  };
}

const aroundZero = among([-2, -0.05], [0.05, 2]);
const aroundSix = among([-1, -0.05], [0.05, 5.9], [6.1, 8]);
const aroundOne = among([-3, -1.05], [-0.95, 0.95], [1.05, 3]);
const aroundThree = among([-5, -3.05], [-2.95, 2.95], [3.05, 5]);

/** `count` ulp of the result, or of `least` where that is larger: slopes that cross 0 are sums of terms of that size. */
function near(count: number, least: number): Bound {
  return (y) => y.map((value) => count * Math.max(ulp(value), ulp(least)));
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const density = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
const share = (x: number): number => 0.5 * (1 + erf(x / Math.SQRT2));

const SCALE = 1.0507009873554805;
const ALPHA = 1.6732632423543772;
const clamp = (x: number, low: number, high: number): number => Math.min(Math.max(x, low), high);

/** tanh u of GELU, and u′. */
function geluTanh(x: number): { readonly t: number; readonly slope: number } {
  const root = Math.sqrt(2 / Math.PI);
  return { t: Math.tanh(root * (x + 0.044715 * x ** 3)), slope: root * (1 + 3 * 0.044715 * x * x) };
}

/** x·u(x) of a gate u with the slope u′. */
function mishGate(x: number): { readonly t: number; readonly slope: number } {
  const t = Math.tanh(softplus(x));
  return { t, slope: (1 - t * t) * sigmoid(x) };
}

/** (x − max) and ln s are rounded, s is off by (d + 4 + depth) u, log adds 2 ulp, then two roundings. */
const logSoftmaxError: Bound = (y, ...inputs) => {
  const [x] = inputs;
  if (x === undefined) return exact(y);
  const { columns, maxima } = rowMaxima(x);
  return y.map((value, index) => {
    const row = Math.floor(index / columns);
    const values = x.data.slice(row * columns, (row + 1) * columns);
    const d = Math.max(...values.map((one) => (maxima[row] ?? 0) - one));
    return 1.1 * U * (d + 4 + sumDepth(columns)) + 4.4 * U * Math.log(columns) + U * d + U * Math.abs(value);
  });
};

const slope = (name: Parameters<typeof activations.slopeOf>[0]) => (x: Parameters<typeof activations.slopeOf>[1]) =>
  activations.slopeOf(name, x);

const logSoftmaxSamples: OperationSamples = [
  {
    apply: ops.logSoftmax,
    reference: logSoftmax,
    error: logSoftmaxError,
    samples: [[1], [17], [1, 1], [3, 5], [17, 3], [4, 33], [2, 3, 5]].map((shape) => {
      return sample([floats(shape, bent)], shape.length === 1 ? [] : [0]);
    }),
    large: sample([floats([700, 61], bent)]),
    differentiable: [0],
    cancellation: 1,
    rowwise: true,
    refusals: [
      { inputs: [[[]]], code: "ERR_SHAPE", where: "logSoftmax" },
      { inputs: [[[3, 4], "i32"]], code: "ERR_DTYPE", where: "logSoftmax" },
    ],
  },
];

/** Samples of the operations of lib/ops/activations.ts, and of the functions that they are made of. */
export const activationSamples = {
  log1p: unary("log1p", ops.log1p, Math.log1p, within(-0.75, 3), { error: ulps(2) }),
  expm1: unary("expm1", ops.expm1, Math.expm1, bent, { error: ulps(2), cancellation: 1 }),
  erf: unary("erf", ops.erf, erf, inner, { error: ulps(2) }),
  sin: unary("sin", ops.sin, Math.sin, bent, { error: ulps(2), cancellation: 1 }),
  cos: unary("cos", ops.cos, Math.cos, bent, { error: ulps(2), cancellation: 1 }),
  softplus: unary("softplus", ops.softplus, softplus, bent, { error: ulps(3) }),
  // Measured on [−4, 4]: 5.2 ulp, below 0; test/native/activations.cc walks all floats.
  gelu: unary("gelu", ops.gelu, (x) => x * share(x), bent, { error: ulps(6), cancellation: 1 }),
  geluSlope: unary("geluSlope", slope("geluSlope"), (x) => share(x) + x * density(x), bent, {
    error: near(2, 1),
    cancellation: 2,
  }),
  geluTanh: unary(
    "geluTanh",
    (x) => ops.gelu(x, { approximate: "tanh" }),
    (x) => 0.5 * x * (1 + geluTanh(x).t),
    bent,
    // σ(v), v rounded thrice: its error counts |v| times where σ is small, and |v| < 11 here.
    { error: ulps(24), cancellation: 2 },
  ),
  geluTanhSlope: unary(
    "geluTanhSlope",
    slope("geluTanhSlope"),
    (x) => {
      const { t, slope: u } = geluTanh(x);
      return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * u;
    },
    bent,
    { error: near(4, 1), cancellation: 4 },
  ),
  silu: unary("silu", ops.silu, (x) => x * sigmoid(x), bent, { error: ulps(3), cancellation: 1 }),
  siluSlope: unary("siluSlope", slope("siluSlope"), (x) => sigmoid(x) * (1 + x * (1 - sigmoid(x))), bent, {
    error: near(2, 1),
    cancellation: 2,
  }),
  mish: unary("mish", ops.mish, (x) => x * mishGate(x).t, bent, { error: ulps(5), cancellation: 1 }),
  mishSlope: unary("mishSlope", slope("mishSlope"), (x) => mishGate(x).t + x * mishGate(x).slope, bent, {
    error: near(3, 1),
    cancellation: 3,
  }),
  selu: unary("selu", ops.selu, (x) => SCALE * (x < 0 ? ALPHA * Math.expm1(x) : x), aroundZero, {
    error: ulps(3),
    cancellation: 4,
  }),
  seluSlope: unary(
    "seluSlope",
    slope("seluSlope"),
    (x) => SCALE * (x < 0 ? ALPHA * Math.exp(x) : 1),
    among([-20, -0.05], [0.05, 2]),
    // λα and λ as float32, exp within 1 ulp, and one rounding.
    { error: ulps(2) },
  ),
  relu6: unary("relu6", ops.relu6, (x) => clamp(x, 0, 6), aroundSix, { error: exact }),
  relu6Slope: unary("relu6Slope", slope("relu6Slope"), (x) => (x > 0 && x < 6 ? 1 : 0), aroundSix, {
    error: exact,
    differentiable: [],
  }),
  hardTanh: unary("hardTanh", ops.hardTanh, (x) => clamp(x, -1, 1), aroundOne, { error: exact }),
  hardTanhSlope: unary("hardTanhSlope", slope("hardTanhSlope"), (x) => (Math.abs(x) < 1 ? 1 : 0), aroundOne, {
    error: exact,
    differentiable: [],
  }),
  // x + 3, ⅙ as a float32, the product.
  hardSigmoid: unary("hardSigmoid", ops.hardSigmoid, (x) => clamp(x + 3, 0, 6) / 6, aroundThree, {
    error: near(2, 1),
  }),
  hardSigmoidSlope: unary(
    "hardSigmoidSlope",
    slope("hardSigmoidSlope"),
    (x) => (Math.abs(x) < 3 ? 1 / 6 : 0),
    aroundThree,
    { error: ulps(1), differentiable: [] },
  ),
  hardSilu: unary("hardSilu", ops.hardSilu, (x) => (x * clamp(x + 3, 0, 6)) / 6, aroundThree, {
    error: near(3, 3),
    cancellation: 1,
  }),
  hardSiluSlope: unary(
    "hardSiluSlope",
    slope("hardSiluSlope"),
    (x) => (x <= -3 ? 0 : x >= 3 ? 1 : (2 * x + 3) / 6),
    aroundThree,
    { error: near(2, 1) },
  ),

  leakyRelu: binary(
    "leakyRelu",
    (x, slopes) => ops.leakyRelu(x, slopes),
    (x, s) => (x < 0 ? s * x : x),
  ),
  leakyReluSlope: binary("leakyReluSlope", activations.leakyReluSlope, (x, s) => (x < 0 ? s : 1), {
    differentiable: [1],
  }),
  elu: binary(
    "elu",
    (x, alpha) => ops.elu(x, alpha),
    (x, alpha) => (x < 0 ? alpha * Math.expm1(x) : x),
    {
      draws: [apart(0.25, 2), within(0.5, 2)],
      error: ulps(3),
      cancellation: 4,
    },
  ),
  eluSlope: binary("eluSlope", activations.eluSlope, (x, alpha) => (x < 0 ? alpha * Math.exp(x) : 1), {
    draws: [apart(0.25, 2), within(0.5, 2)],
    error: ulps(2),
    cancellation: 4,
  }),
  logSoftmax: logSoftmaxSamples,
} satisfies Partial<Record<OperationName, OperationSamples>>;

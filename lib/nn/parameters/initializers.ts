import { madeBy } from "../../described.js";
import { CarillonError, fail } from "../../errors.js";
import { checkKeys, checkNothing, checkNumber, checkOneOf } from "../../options.js";
import { normalArea, normalDensity } from "../../tensor/exact.js";
import { extent } from "../../tensor/shape.js";
import { gain } from "./gain.js";

/** Initial values of one parameter: the distribution that they are drawn from, or a matrix. */
export type Distribution =
  | { readonly kind: "uniform"; readonly low: number; readonly high: number }
  | { readonly kind: "normal"; readonly mean: number; readonly deviation: number }
  /** shift + scale·z, z standard normal in [low, high]. */
  | {
      readonly kind: "truncatedNormal";
      readonly shift: number;
      readonly scale: number;
      readonly low: number;
      readonly high: number;
    }
  /** gain·Q with orthonormal rows or columns, whichever are fewer; [out, everything else]. */
  | { readonly kind: "orthogonal"; readonly gain: number }
  /** N(0, deviation²) with `zeros` zeros in each row of [out, everything else]. */
  | { readonly kind: "sparse"; readonly zeros: number; readonly deviation: number }
  /** −1 or 1 with probability ½, one for each stretch of the last axis: their lengths. */
  | { readonly kind: "signs"; readonly blocks: readonly number[] }
  /** What `of` gives for one row, for every index of the first axis. */
  | { readonly kind: "repeated"; readonly of: Distribution }
  /** Each value for an equal stretch of all elements. */
  | { readonly kind: "stretches"; readonly values: readonly number[] }
  /** gain on the diagonal, 0 elsewhere. */
  | { readonly kind: "identity"; readonly gain: number }
  | { readonly kind: "constant"; readonly value: number };

/** A way to fill a new parameter. It only names the distribution; the draws come from (seed, parameter name). */
export interface Initializer {
  readonly kind: string;
  /** The distribution for a parameter of this shape; `ERR_SHAPE` if it has no fans and they are needed. */
  resolve(shape: readonly number[]): Distribution;
}

/** Options of the Xavier and LeCun initializers. */
export interface XavierOptions {
  /** Factor > 0 of the spread, 1 by default; see {@link gain}. */
  readonly gain?: number | undefined;
}

/** Options of the He initializers. */
export interface HeOptions {
  /** `fanIn` (default) keeps the variance of activations, `fanOut` that of gradients. */
  readonly mode?: "fanIn" | "fanOut" | undefined;
  /** Factor > 0 of the spread, √2 by default, which is `gain('relu')`. */
  readonly gain?: number | undefined;
}

/**
 * How many values enter one output (`fanIn`) and how many outputs one input reaches (`fanOut`).
 *
 * Weights are [out, …, in]; the axes between are a receptive field, whose elements multiply both fans:
 * [out, in] has fanIn = in and fanOut = out; a convolution [out, height, width, in] has
 * fanIn = height·width·in and fanOut = height·width·out. Rank < 2 or an empty axis is `ERR_SHAPE`.
 */
export function fans(where: string, shape: readonly number[]): { readonly fanIn: number; readonly fanOut: number } {
  const inputs = shape.at(-1) ?? 0;
  const outputs = shape[0] ?? 0;
  if (shape.length < 2 || !shape.every((size) => Number.isSafeInteger(size) && size > 0)) {
    throw new CarillonError(
      "ERR_SHAPE",
      where,
      `expected a weight of shape [out, …, in] for '${where}' but received [${shape.join(", ")}]`,
    );
  }
  const field = extent(shape.slice(1, -1));
  return { fanIn: inputs * field, fanOut: outputs * field };
}

function uniformWithin(bound: number): Distribution {
  return { kind: "uniform", low: -bound, high: bound };
}

function normalOf(deviation: number): Distribution {
  return { kind: "normal", mean: 0, deviation };
}

function initializer(
  kind: string,
  options: Readonly<Record<string, unknown>>,
  resolve: Initializer["resolve"],
): Initializer {
  return madeBy(kind, options, Object.freeze({ kind, resolve }));
}

function xavier(kind: string, options: XavierOptions, draw: (root: number) => Distribution): Initializer {
  checkKeys(kind, options, ["gain"]);
  const factor = checkNumber(`${kind}.gain`, options.gain ?? 1, { above: 0 });
  return initializer(kind, { gain: factor }, (shape) => {
    const { fanIn, fanOut } = fans(kind, shape);
    return draw(factor * Math.sqrt(2 / (fanIn + fanOut)));
  });
}

/**
 * Xavier (Glorot) uniform: U(−a, a) with `a = gain·√(2/(fanIn + fanOut))·√3`, which is gain·√(6/(fanIn + fanOut)).
 * For tanh, sigmoid and linear layers. Glorot, Bengio 2010.
 */
export function xavierUniform(options: XavierOptions = {}): Initializer {
  return xavier("xavierUniform", options, (deviation) => uniformWithin(deviation * Math.sqrt(3)));
}

/** Xavier (Glorot) normal: N(0, σ²) with `σ = gain·√(2/(fanIn + fanOut))`. Glorot, Bengio 2010. */
export function xavierNormal(options: XavierOptions = {}): Initializer {
  return xavier("xavierNormal", options, normalOf);
}

function he(kind: string, options: HeOptions, draw: (factor: number, fan: number) => Distribution): Initializer {
  checkKeys(kind, options, ["mode", "gain"]);
  const mode = checkOneOf(`${kind}.mode`, options.mode ?? "fanIn", ["fanIn", "fanOut"]);
  const factor = checkNumber(`${kind}.gain`, options.gain ?? gain("relu"), { above: 0 });
  return initializer(kind, { mode, gain: factor }, (shape) => draw(factor, fans(kind, shape)[mode]));
}

/** He (Kaiming) uniform: U(−a, a) with `a = gain·√(3/fan)`. For the ReLU family. He, Zhang, Ren, Sun 2015. */
export function heUniform(options: HeOptions = {}): Initializer {
  return he("heUniform", options, (factor, fan) => uniformWithin(factor * Math.sqrt(3 / fan)));
}

/** He (Kaiming) normal: N(0, σ²) with `σ = gain/√fan`. For the ReLU family. He, Zhang, Ren, Sun 2015. */
export function heNormal(options: HeOptions = {}): Initializer {
  return he("heNormal", options, (factor, fan) => normalOf(factor / Math.sqrt(fan)));
}

function lecun(kind: string, options: XavierOptions, draw: (deviation: number) => Distribution): Initializer {
  checkKeys(kind, options, ["gain"]);
  const factor = checkNumber(`${kind}.gain`, options.gain ?? 1, { above: 0 });
  return initializer(kind, { gain: factor }, (shape) => draw(factor / Math.sqrt(fans(kind, shape).fanIn)));
}

/** LeCun uniform: U(−a, a) with `a = gain·√(3/fanIn)`, variance gain²/fanIn. LeCun, Bottou, Orr, Müller 1998. */
export function lecunUniform(options: XavierOptions = {}): Initializer {
  return lecun("lecunUniform", options, (deviation) => uniformWithin(deviation * Math.sqrt(3)));
}

/**
 * LeCun normal: N(0, σ²) with `σ = gain/√fanIn`; the one for {@link selu}. Not truncated, as Keras' is.
 * LeCun, Bottou, Orr, Müller 1998.
 */
export function lecunNormal(options: XavierOptions = {}): Initializer {
  return lecun("lecunNormal", options, normalOf);
}

/** Options of {@link normal}. */
export interface NormalOptions {
  /** Mean of the elements, 0 by default. */
  readonly mean?: number | undefined;
  /** Standard deviation of the elements, > 0; 1 by default. */
  readonly deviation?: number | undefined;
}

/** Normal: N(mean, deviation²), whatever the shape. */
export function normal(options: NormalOptions = {}): Initializer {
  checkKeys("normal", options, ["mean", "deviation"]);
  const mean = checkNumber("normal.mean", options.mean ?? 0);
  const deviation = checkNumber("normal.deviation", options.deviation ?? 1, { above: 0 });
  const draw: Distribution = Object.freeze({ kind: "normal", mean, deviation });
  return initializer("normal", { mean, deviation }, () => draw);
}

/** Options of {@link uniform}. */
export interface UniformOptions {
  /** Smallest value; −high by default. */
  readonly low?: number | undefined;
  /** Largest value, above `low`; 1 by default. */
  readonly high?: number | undefined;
}

/** Uniform: U(low, high), whatever the shape. */
export function uniform(options: UniformOptions = {}): Initializer {
  checkKeys("uniform", options, ["low", "high"]);
  const high = checkNumber("uniform.high", options.high ?? 1);
  const low = checkNumber("uniform.low", options.low ?? -high);
  if (!(low < high)) fail("ERR_OPTION", "uniform.high", `a number above low (${low})`, high);
  const draw: Distribution = Object.freeze({ kind: "uniform", low, high });
  return initializer("uniform", { low, high }, () => draw);
}

/** Options of {@link truncatedNormal}. */
export interface TruncatedNormalOptions {
  /** Mean of the elements, 0 by default. */
  readonly mean?: number | undefined;
  /** Standard deviation of the elements, > 0: of what is drawn, not of the normal distribution before the cut. */
  readonly deviation: number;
  /** Where the standard normal distribution is cut, in [−8, 8]; −2 by default. */
  readonly low?: number | undefined;
  /** The other cut, 2 by default; at least 1% of the distribution must lie between. */
  readonly high?: number | undefined;
}

const DEFAULT_CUT = 2;
/** Beyond 8 deviations lie 10⁻¹⁵ of a normal distribution. */
const MOST_CUT = 8;
/** Draws outside are repeated: at most 100 for one element on the average. */
const LEAST_SHARE = 0.01;

/**
 * Truncated normal: y = mean + deviation·(z − m)/s, z standard normal in [low, high], whose own mean and deviation are
 *
 *     m = (φ(low) − φ(high))/Z,  s² = 1 + (low·φ(low) − high·φ(high))/Z − m²,  Z = Φ(high) − Φ(low)
 *
 * so that mean and standard deviation **are** those asked for; without the division by s (0.8796… for ±2) the spread is 12%
 * too little, as in PyTorch's trunc_normal_. By default all |y − mean| ≤ 2.2737·deviation.
 */
export function truncatedNormal(options: TruncatedNormalOptions): Initializer {
  checkKeys("truncatedNormal", options, ["mean", "deviation", "low", "high"]);
  const mean = checkNumber("truncatedNormal.mean", options.mean ?? 0);
  const deviation = checkNumber("truncatedNormal.deviation", options.deviation, { above: 0 });
  const range = { min: -MOST_CUT, max: MOST_CUT };
  const low = checkNumber("truncatedNormal.low", options.low ?? -DEFAULT_CUT, range);
  const high = checkNumber("truncatedNormal.high", options.high ?? DEFAULT_CUT, range);
  const share = normalArea(high) - normalArea(low);
  if (!(share >= LEAST_SHARE)) {
    fail("ERR_OPTION", "truncatedNormal.high", `at least ${LEAST_SHARE} of the normal distribution above low`, high);
  }
  const own = (normalDensity(low) - normalDensity(high)) / share;
  const spread = Math.sqrt(1 + (low * normalDensity(low) - high * normalDensity(high)) / share - own * own);
  const scale = deviation / spread;
  const draw: Distribution = Object.freeze({ kind: "truncatedNormal", shift: mean - scale * own, scale, low, high });
  return initializer("truncatedNormal", { mean, deviation, low, high }, () => draw);
}

/** Options of {@link orthogonal} and {@link identity}. */
export interface MatrixOptions {
  /** Factor > 0 of every element, 1 by default. */
  readonly gain?: number | undefined;
}

/**
 * Orthogonal: gain·Q for a weight [out, in] (axes between count with in), with orthonormal rows, or columns where out > in:
 * the Q of the QR decomposition of a matrix of standard normals with R's diagonal positive, so that every Q is equally
 * likely. Saxe, McClelland, Ganguli 2014; Mezzadri 2007 for the signs. Rank < 2 is `ERR_SHAPE`.
 */
export function orthogonal(options: MatrixOptions = {}): Initializer {
  checkKeys("orthogonal", options, ["gain"]);
  const factor = checkNumber("orthogonal.gain", options.gain ?? 1, { above: 0 });
  return initializer("orthogonal", { gain: factor }, (shape) => {
    fans("orthogonal", shape);
    return { kind: "orthogonal", gain: factor };
  });
}

/** Identity: `gain` where row and column are equal, else 0, of a weight [out, in]. Other ranks are `ERR_SHAPE`. */
export function identity(options: MatrixOptions = {}): Initializer {
  checkKeys("identity", options, ["gain"]);
  const factor = checkNumber("identity.gain", options.gain ?? 1, { above: 0 });
  return initializer("identity", { gain: factor }, (shape) => {
    if (shape.length === 2) return { kind: "identity", gain: factor };
    throw new CarillonError(
      "ERR_SHAPE",
      "identity",
      `expected a weight of shape [out, in] for 'identity' but received [${shape.join(", ")}]`,
    );
  });
}

/** Options of {@link sparse}. */
export interface SparseOptions {
  /** Share of the inputs of each unit that are not connected, [0, 1]. */
  readonly sparsity: number;
  /** Standard deviation of the other weights, > 0; 0.01 by default. */
  readonly deviation?: number | undefined;
}

const DEFAULT_SPARSE_DEVIATION = 0.01;

/**
 * Sparse: of the fanIn weights of each unit round(sparsity·fanIn) are 0, in places drawn for that unit; the others are
 * N(0, deviation²). Martens 2010, who limits what enters a unit; PyTorch's sparse_ counts along the other axis, so that a
 * unit may have no input at all. Rank < 2 is `ERR_SHAPE`.
 */
export function sparse(options: SparseOptions): Initializer {
  checkKeys("sparse", options, ["sparsity", "deviation"]);
  const sparsity = checkNumber("sparse.sparsity", options.sparsity, { min: 0, max: 1 });
  const deviation = checkNumber("sparse.deviation", options.deviation ?? DEFAULT_SPARSE_DEVIATION, { above: 0 });
  return initializer("sparse", { sparsity, deviation }, (shape) => {
    return { kind: "sparse", zeros: Math.round(sparsity * fans("sparse", shape).fanIn), deviation };
  });
}

/** Options of {@link signs}. */
export interface SignsOptions {
  /** Lengths of stretches of the last axis that have one sign together; 1 each by default. */
  readonly blocks?: readonly number[] | undefined;
}

/**
 * Signs: −1 or 1 with probability ½. With `blocks` a stretch of the last axis has one sign, such as all numbers that a column of a table became: then their
 * sum is the size of that axis, else `ERR_SHAPE`. For the first factors of `batchEnsemble`.
 */
export function signs(options: SignsOptions = {}): Initializer {
  checkKeys("signs", options, ["blocks"]);
  const { blocks } = options;
  if (blocks !== undefined && !Array.isArray(blocks)) fail("ERR_OPTION", "signs.blocks", "a list of lengths", blocks);
  const lengths = blocks?.map((length, at) => checkNumber(`signs.blocks[${at}]`, length, { min: 1, integer: true }));
  return initializer("signs", { blocks: lengths }, (shape) => {
    const size = shape.at(-1) ?? 1;
    const own = lengths ?? Array.from({ length: size }, () => 1);
    const total = own.reduce((sum, length) => sum + length, 0);
    if (total === size) return { kind: "signs", blocks: own };
    const problem = `expected a last axis of ${total}, the sum of 'signs.blocks', but received [${shape.join(", ")}]`;
    throw new CarillonError("ERR_SHAPE", "signs", problem);
  });
}

/** Every index of the first axis has the same numbers, drawn by `of` for a parameter without that axis: members of an ensemble that begin alike. */
export function repeated(of: Initializer | number): Initializer {
  const inner = toInitializer("repeated.of", of, zeros());
  return initializer("repeated", { of: inner }, (shape) => ({ kind: "repeated", of: inner.resolve(shape.slice(1)) }));
}

function filled(kind: "constant" | "zeros" | "ones", where: string, value: number): Initializer {
  checkNumber(where, value);
  if (!Number.isFinite(Math.fround(value))) {
    fail("ERR_OPTION", where, "a number that float32 holds", value);
  }
  const draw: Distribution = Object.freeze({ kind: "constant", value });
  return initializer(kind, kind === "constant" ? { value } : {}, () => draw);
}

/** Every element is `value`, a finite float32. */
export function constant(value: number): Initializer {
  return filled("constant", "constant.value", value);
}

/** Every element is 0; the default of biases. */
export function zeros(): Initializer;
export function zeros(...given: readonly unknown[]): Initializer {
  checkNothing("zeros", given);
  return filled("zeros", "zeros", 0);
}

/** Every element is 1; for scales. */
export function ones(): Initializer;
export function ones(...given: readonly unknown[]): Initializer {
  checkNothing("ones", given);
  return filled("ones", "ones", 1);
}

/** The initializer that an option stands for: a number is the constant one, `undefined` is `fallback`. */
export function toInitializer(
  where: string,
  value: Initializer | number | undefined,
  fallback: Initializer,
): Initializer {
  if (value === undefined) return fallback;
  if (typeof value === "number") return filled("constant", where, value);
  if (isInitializer(value)) return value;
  return fail("ERR_OPTION", where, "an initializer or a number", value);
}

function isInitializer(value: unknown): value is Initializer {
  return (
    typeof value === "object" &&
    value !== null &&
    "kind" in value &&
    typeof value.kind === "string" &&
    "resolve" in value &&
    typeof value.resolve === "function"
  );
}

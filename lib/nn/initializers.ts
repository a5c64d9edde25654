import { CarillonError, fail } from "../errors.js";
import { checkKeys, checkNumber, checkOneOf } from "../options.js";

/** The distribution that the elements of one parameter are drawn from. */
export type Draw =
  | { readonly kind: "uniform"; readonly low: number; readonly high: number }
  | { readonly kind: "normal"; readonly mean: number; readonly deviation: number }
  | { readonly kind: "constant"; readonly value: number };

/** A way to fill a new parameter. It only names the distribution; the draws come from (seed, parameter name). */
export interface Initializer {
  readonly kind: string;
  /** The distribution for a parameter of this shape; `ERR_SHAPE` if it has no fans and they are needed. */
  resolve(shape: readonly number[]): Draw;
}

/** Options of the Xavier initializers. */
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

const LEAKY_SLOPE = 0.01;

/** Gains as in PyTorch's `calculate_gain`; leakyRelu has a formula of its own. */
const GAINS: Readonly<Record<Exclude<GainName, "leakyRelu">, number>> = {
  linear: 1,
  sigmoid: 1,
  tanh: 5 / 3,
  relu: Math.sqrt(2),
  selu: 3 / 4,
};

/** Activations that have a gain. */
export type GainName = "linear" | "sigmoid" | "tanh" | "relu" | "leakyRelu" | "selu";

const GAIN_NAMES: readonly GainName[] = ["linear", "sigmoid", "tanh", "relu", "leakyRelu", "selu"];

/**
 * The factor by which weights before an activation are spread more, so that variance survives it:
 * linear and sigmoid 1, tanh 5/3, relu √2, leakyRelu √(2/(1 + a²)) with slope a (0.01 by default), selu 3/4.
 *
 * @param parameter The slope a of leakyRelu; for any other activation it is `ERR_OPTION`.
 */
export function gain(activation: GainName, parameter?: number | undefined): number {
  const name = checkOneOf("gain.activation", activation, GAIN_NAMES);
  if (name === "leakyRelu") {
    const slope = checkNumber("gain.parameter", parameter ?? LEAKY_SLOPE);
    return Math.sqrt(2 / (1 + slope * slope));
  }
  if (parameter !== undefined) {
    fail("ERR_OPTION", "gain.parameter", `no parameter, as ${name} has none,`, parameter);
  }
  return GAINS[name];
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
  const field = shape.slice(1, -1).reduce((product, size) => product * size, 1);
  return { fanIn: inputs * field, fanOut: outputs * field };
}

function uniform(bound: number): Draw {
  return { kind: "uniform", low: -bound, high: bound };
}

function normal(deviation: number): Draw {
  return { kind: "normal", mean: 0, deviation };
}

function xavier(kind: string, options: XavierOptions, draw: (root: number) => Draw): Initializer {
  checkKeys(kind, options, ["gain"]);
  const factor = checkNumber(`${kind}.gain`, options.gain ?? 1, { above: 0 });
  return Object.freeze({
    kind,
    resolve(shape: readonly number[]): Draw {
      const { fanIn, fanOut } = fans(kind, shape);
      return draw(factor * Math.sqrt(2 / (fanIn + fanOut)));
    },
  });
}

/**
 * Xavier (Glorot) uniform: U(−a, a) with `a = gain·√(2/(fanIn + fanOut))·√3`, which is gain·√(6/(fanIn + fanOut)).
 * For tanh, sigmoid and linear layers. Glorot, Bengio 2010.
 */
export function xavierUniform(options: XavierOptions = {}): Initializer {
  return xavier("xavierUniform", options, (deviation) => uniform(deviation * Math.sqrt(3)));
}

/** Xavier (Glorot) normal: N(0, σ²) with `σ = gain·√(2/(fanIn + fanOut))`. Glorot, Bengio 2010. */
export function xavierNormal(options: XavierOptions = {}): Initializer {
  return xavier("xavierNormal", options, normal);
}

function he(kind: string, options: HeOptions, draw: (factor: number, fan: number) => Draw): Initializer {
  checkKeys(kind, options, ["mode", "gain"]);
  const mode = checkOneOf(`${kind}.mode`, options.mode ?? "fanIn", ["fanIn", "fanOut"]);
  const factor = checkNumber(`${kind}.gain`, options.gain ?? GAINS.relu, { above: 0 });
  return Object.freeze({
    kind,
    resolve: (shape: readonly number[]): Draw => draw(factor, fans(kind, shape)[mode]),
  });
}

/** He (Kaiming) uniform: U(−a, a) with `a = gain·√(3/fan)`. For the ReLU family. He, Zhang, Ren, Sun 2015. */
export function heUniform(options: HeOptions = {}): Initializer {
  return he("heUniform", options, (factor, fan) => uniform(factor * Math.sqrt(3 / fan)));
}

/** He (Kaiming) normal: N(0, σ²) with `σ = gain/√fan`. For the ReLU family. He, Zhang, Ren, Sun 2015. */
export function heNormal(options: HeOptions = {}): Initializer {
  return he("heNormal", options, (factor, fan) => normal(factor / Math.sqrt(fan)));
}

function filled(kind: string, where: string, value: number): Initializer {
  checkNumber(where, value);
  if (!Number.isFinite(Math.fround(value))) {
    fail("ERR_OPTION", where, "a number that float32 holds", value);
  }
  const draw: Draw = Object.freeze({ kind: "constant", value });
  return Object.freeze({ kind, resolve: () => draw });
}

/** Every element is `value`, a finite float32. */
export function constant(value: number): Initializer {
  return filled("constant", "constant.value", value);
}

/** Every element is 0; the default of biases. */
export function zeros(): Initializer {
  return filled("zeros", "zeros", 0);
}

/** Every element is 1; for scales. */
export function ones(): Initializer {
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

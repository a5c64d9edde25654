import { elements } from "../tensor/shape.js";
import type { Value } from "../tensor/value.js";
import { apply, type Of, type Operand, toValue } from "./apply.js";
import { reshape } from "./broadcast.js";
import {
  type BinaryGradient,
  type BinaryOperation,
  binaryRulesOf,
  type UnaryGradient,
  type UnaryOperation,
  unaryRulesOf,
} from "./pointwise.js";
import { where } from "./where.js";

/** 2/√π, the slope of erf at 0. */
const TWO_OVER_ROOT_PI = 2 / Math.sqrt(Math.PI);

/** Elementwise functions of one argument: dℓ/dx from x, y = f(x) and g = dℓ/dy; `null` where the slope is 0. */
const UNARY = {
  negate: (_x, _y, g) => negate(g),
  absolute: (x, _y, g) => multiply(g, sign(x)),
  sign: null,
  exp: (_x, y, g) => multiply(g, y),
  log: (x, _y, g) => divide(g, x),
  sqrt: (_x, y, g) => multiply(g, divide(0.5, y)),
  square: (x, _y, g) => multiply(g, multiply(2, x)),
  reciprocal: (_x, y, g) => negate(multiply(g, square(y))),
  relu: (_x, y, g) => reluGradient(g, y),
  tanh: (_x, y, g) => tanhGradient(g, y),
  sigmoid: (_x, y, g) => multiply(g, multiply(y, subtract(1, y))),
  flush: (_x, _y, g) => g,
  log1p: (x, _y, g) => divide(g, add(1, x)),
  expm1: (_x, y, g) => multiply(g, add(y, 1)),
  sin: (x, _y, g) => multiply(g, cos(x)),
  cos: (x, _y, g) => multiply(g, negate(sin(x))),
  erf: (x, _y, g) => multiply(g, multiply(TWO_OVER_ROOT_PI, exp(negate(square(x))))),
} as const satisfies Partial<Record<UnaryOperation, UnaryGradient | null>>;

/** `g` for the second of two operands where `second` is 1, otherwise for the first. */
const chosen = (second: Value, g: Value): readonly [Value, Value] => [where(second, 0, g), where(second, g, 0)];

/** Elementwise functions of two arguments, before the sum over what was broadcast. */
const BINARY = {
  add: (_a, _b, _y, g) => [g, g],
  subtract: (_a, _b, _y, g) => [g, negate(g)],
  multiply: (a, b, _y, g) => [multiply(g, b), multiply(g, a)],
  divide: (_a, b, y, g) => [divide(g, b), negate(multiply(g, divide(y, b)))],
  // Where both are equal, the whole gradient goes to the first. What was not chosen gets 0, however large g is.
  minimum: (a, b, _y, g) => chosen(greater(a, b), g),
  maximum: (a, b, _y, g) => chosen(greater(b, a), g),
  greater: null,
  greaterEqual: null,
  less: null,
  lessEqual: null,
  equal: null,
  notEqual: null,
  reluGradient: (_g, output, _y, g) => [reluGradient(g, output), undefined],
  tanhGradient: (flowing, output, _y, g) => [
    tanhGradient(g, output),
    multiply(multiply(g, flowing), multiply(-2, output)),
  ],
} as const satisfies Partial<Record<BinaryOperation, BinaryGradient | null>>;

export type UnaryName = keyof typeof UNARY;
export type BinaryName = keyof typeof BINARY;

/** Rules of this file, for the tests that walk all operations. */
export const unaryRules = unaryRulesOf<UnaryName>(UNARY);
export const binaryRules = binaryRulesOf<BinaryName>(BINARY);

function unary<A extends Operand, N extends UnaryName>(name: N, x: A): Of<A> {
  return apply(unaryRules[name], [toValue(x)], null) as Of<A>;
}

function binary<A extends Operand, B extends Operand, N extends BinaryName>(name: N, a: A, b: B): Of<A | B> {
  return apply(binaryRules[name], [toValue(a), toValue(b)], null) as Of<A | B>;
}

/** y = −x */
export const negate = <A extends Operand>(x: A): Of<A> => unary("negate", x);
/** y = |x| */
export const absolute = <A extends Operand>(x: A): Of<A> => unary("absolute", x);
/** y = −1, 0 or 1; its gradient is 0. */
export const sign = <A extends Operand>(x: A): Of<A> => unary("sign", x);
/** y = eˣ, at most 2 ulp off; results below 2⁻¹²⁶ are 0. */
export const exp = <A extends Operand>(x: A): Of<A> => unary("exp", x);
/** y = ln x, at most 2 ulp off. */
export const log = <A extends Operand>(x: A): Of<A> => unary("log", x);
/** y = ln(1 + x), at most 2 ulp off, also where 1 + x would round x away. */
export const log1p = <A extends Operand>(x: A): Of<A> => unary("log1p", x);
/** y = eˣ − 1, at most 2 ulp off, also where eˣ is nearly 1. Its gradient is y + 1, off by 2·2⁻²⁴ at most where x < 0. */
export const expm1 = <A extends Operand>(x: A): Of<A> => unary("expm1", x);
/** y = (2/√π)·∫₀ˣ e^(−t²) dt, at most 2 ulp off. */
export const erf = <A extends Operand>(x: A): Of<A> => unary("erf", x);
/** y = sin x, at most 2 ulp off for |x| ≤ 2²⁰, NaN beyond. */
export const sin = <A extends Operand>(x: A): Of<A> => unary("sin", x);
/** y = cos x, at most 2 ulp off for |x| ≤ 2²⁰, NaN beyond. */
export const cos = <A extends Operand>(x: A): Of<A> => unary("cos", x);
/** y = √x, correctly rounded. */
export const sqrt = <A extends Operand>(x: A): Of<A> => unary("sqrt", x);
/** y = x² */
export const square = <A extends Operand>(x: A): Of<A> => unary("square", x);
/** y = 1/x */
export const reciprocal = <A extends Operand>(x: A): Of<A> => unary("reciprocal", x);
/** y = x < 0 ? 0 : x. The gradient at 0 is 0. */
export const relu = <A extends Operand>(x: A): Of<A> => unary("relu", x);
/** y = tanh x, at most 2 ulp off. Its gradient is 1 − y², off by 2.5·2⁻²⁴ at most: 0 where |x| > 9.1. */
export const tanh = <A extends Operand>(x: A): Of<A> => unary("tanh", x);
/** y = 1/(1 + e⁻ˣ), at most 2 ulp off. Its gradient is y·(1 − y), off by 2⁻²⁴ at most: 0 where x > 17.4. */
export const sigmoid = <A extends Operand>(x: A): Of<A> => unary("sigmoid", x);
/** y = |x| < 2⁻¹²⁶ ? 0 : x: keeps denormal numbers, which slow every later operation, out of gradients. */
export const flush = <A extends Operand>(x: A): Of<A> => unary("flush", x);

/** y = a + b. Shapes that are equal or, aligned at their last axes, differ by axes of 1, along which an operand is repeated; so for all below. */
export const add = <A extends Operand, B extends Operand>(a: A, b: B): Of<A | B> => binary("add", a, b);
/** y = a − b */
export const subtract = <A extends Operand, B extends Operand>(a: A, b: B): Of<A | B> => binary("subtract", a, b);
/** y = a·b */
export const multiply = <A extends Operand, B extends Operand>(a: A, b: B): Of<A | B> => binary("multiply", a, b);
/** y = a/b, correctly rounded. */
export const divide = <A extends Operand, B extends Operand>(a: A, b: B): Of<A | B> => binary("divide", a, b);
/** The smaller; NaN if either is. */
export const minimum = <A extends Operand, B extends Operand>(a: A, b: B): Of<A | B> => binary("minimum", a, b);
/** The larger; NaN if either is. */
export const maximum = <A extends Operand, B extends Operand>(a: A, b: B): Of<A | B> => binary("maximum", a, b);
/** y = a > b ? 1 : 0; its gradient is 0. */
export const greater = <A extends Operand, B extends Operand>(a: A, b: B): Of<A | B> => binary("greater", a, b);

/** y = a ≥ b ? 1 : 0; its gradient is 0. */
export const greaterEqual = <A extends Operand, B extends Operand>(a: A, b: B): Of<A | B> =>
  binary("greaterEqual", a, b);
/** y = a < b ? 1 : 0; its gradient is 0. */
export const less = <A extends Operand, B extends Operand>(a: A, b: B): Of<A | B> => binary("less", a, b);
/** y = a ≤ b ? 1 : 0; its gradient is 0. */
export const lessEqual = <A extends Operand, B extends Operand>(a: A, b: B): Of<A | B> => binary("lessEqual", a, b);
/** y = a = b ? 1 : 0, −0 = +0; NaN equals nothing. Its gradient is 0. */
export const equal = <A extends Operand, B extends Operand>(a: A, b: B): Of<A | B> => binary("equal", a, b);
/** y = a ≠ b ? 1 : 0; NaN differs from everything. Its gradient is 0. */
export const notEqual = <A extends Operand, B extends Operand>(a: A, b: B): Of<A | B> => binary("notEqual", a, b);

/**
 * y = min(max(x, low), high): x within [low, high]. At a bound itself the gradient still flows, outside of it none.
 * NaN stays NaN; `low` > `high` gives `high` everywhere.
 */
export function clip<A extends Operand, L extends Operand, H extends Operand>(x: A, low: L, high: H): Of<A | L | H> {
  return minimum(maximum(x, low), high) as Of<A | L | H>;
}

/** y = output > 0 ? gradient : 0, the gradient of relu from its output. */
export const reluGradient = (gradient: Value, output: Value): Value => binary("reluGradient", gradient, output);
/**
 * The rows of x, [batch, n] or [batch], whose weight is above 0; 0 in the others, whose gradient is 0 too, whatever comes back.
 * x itself without weights.
 */
export function chooseRows(x: Value, weights: Value | undefined): Value {
  if (weights === undefined) return x;
  const { shape } = x;
  if (shape.length <= 2)
    return reluGradient(x, shape.length === 1 ? weights : reshape(weights, [...shape.slice(0, -1), 1]));
  const [rows = 1, ...axes] = shape;
  return reshape(reluGradient(reshape(x, [rows, elements(axes)]), reshape(weights, [rows, 1])), shape);
}
/** y = gradient·(1 − output²), the gradient of tanh from its output. */
export const tanhGradient = (gradient: Value, output: Value): Value => binary("tanhGradient", gradient, output);

import { checkKeys, checkOneOf } from "../options.js";
import type { Value } from "../tensor/value.js";
import { apply, type Of, type Operand, toValue } from "./apply.js";
import { add, divide, exp, expm1, greater, minimum, multiply, sigmoid, square, subtract, tanh } from "./elementwise.js";
import {
  type BinaryGradient,
  type BinaryOperation,
  binaryRulesOf,
  type UnaryGradient,
  type UnaryOperation,
  unaryRulesOf,
} from "./pointwise.js";
import { where } from "./where.js";

/** 1/√(2π), the density of the standard normal distribution at 0. */
const DENSITY = 1 / Math.sqrt(2 * Math.PI);

/** √(2/π) and the factor of x³ in the tanh form of GELU (Hendrycks, Gimpel 2016). */
const GELU_SCALE = Math.sqrt(2 / Math.PI);
const GELU_CUBIC = 0.044715;

/** Slope of leakyRelu below 0, and α of elu, where nobody says. */
export const LEAKY_SLOPE = 0.01;
export const ELU_ALPHA = 1;

/** 1 where x < 0, else 0. */
const negative = (x: Value): Value => greater(0, x);

/** d²/dx² x·Φ(x) = φ(x)·(2 − x²). */
function geluBend(x: Value): Value {
  const squared = square(x);
  return multiply(multiply(DENSITY, exp(multiply(-0.5, squared))), subtract(2, squared));
}

/**
 * d²/dx² ½x·(1 + t), t = tanh u, u = c·(x + a·x³): (1 − t²)·(u′ − x·t·u′² + ½x·u″), u′ = c·(1 + 3a·x²), u″ = 6ac·x.
 */
function geluTanhBend(x: Value): Value {
  const squared = square(x);
  const u = multiply(multiply(GELU_SCALE, x), add(1, multiply(GELU_CUBIC, squared)));
  const slope = multiply(GELU_SCALE, add(1, multiply(3 * GELU_CUBIC, squared)));
  const t = tanh(u);
  const bent = add(
    subtract(slope, multiply(multiply(x, t), square(slope))),
    multiply(3 * GELU_CUBIC * GELU_SCALE, squared),
  );
  return multiply(subtract(1, square(t)), bent);
}

/** d²/dx² x·σ = σ(1 − σ)·(2 + x·(1 − 2σ)). */
function siluBend(x: Value): Value {
  const s = sigmoid(x);
  return multiply(multiply(s, subtract(1, s)), add(2, multiply(x, subtract(1, multiply(2, s)))));
}

/** d²/dx² x·t, t = tanh(softplus x), t′ = (1 − t²)·σ: t′·(2 + x·(1 − σ − 2t·σ)). */
function mishBend(x: Value): Value {
  const s = sigmoid(x);
  const t = tanh(softplus(x));
  const slope = multiply(subtract(1, square(t)), s);
  return multiply(slope, add(2, multiply(x, subtract(subtract(1, s), multiply(2, multiply(t, s))))));
}

/** g·slope, 0 where the slope is, whatever g is. */
const through = (slope: Value, g: Value): Value => where(slope, multiply(g, slope), 0);

/** Activations whose slope is a native function of its own. */
type SlopeName =
  `${"gelu" | "geluTanh" | "silu" | "mish" | "selu" | "relu6" | `hard${"Tanh" | "Sigmoid" | "Silu"}`}Slope`;

/** Activations and their slopes, from x; `null` where the slope of a slope is 0. */
const UNARY = {
  softplus: (x, _y, g) => multiply(g, sigmoid(x)),
  gelu: (x, _y, g) => multiply(g, slopeOf("geluSlope", x)),
  geluSlope: (x, _y, g) => multiply(g, geluBend(x)),
  geluTanh: (x, _y, g) => multiply(g, slopeOf("geluTanhSlope", x)),
  geluTanhSlope: (x, _y, g) => multiply(g, geluTanhBend(x)),
  silu: (x, _y, g) => multiply(g, slopeOf("siluSlope", x)),
  siluSlope: (x, _y, g) => multiply(g, siluBend(x)),
  mish: (x, _y, g) => multiply(g, slopeOf("mishSlope", x)),
  mishSlope: (x, _y, g) => multiply(g, mishBend(x)),
  selu: (x, _y, g) => multiply(g, slopeOf("seluSlope", x)),
  // x < 0 ? λα·eˣ : λ, whose slope is itself below 0.
  seluSlope: (x, y, g) => where(negative(x), multiply(g, y), 0),
  // A slope of 0 lets nothing through, however large it is.
  relu6: (x, _y, g) => where(slopeOf("relu6Slope", x), g, 0),
  relu6Slope: null,
  hardTanh: (x, _y, g) => where(slopeOf("hardTanhSlope", x), g, 0),
  hardTanhSlope: null,
  hardSigmoid: (x, _y, g) => through(slopeOf("hardSigmoidSlope", x), g),
  hardSigmoidSlope: null,
  hardSilu: (x, _y, g) => through(slopeOf("hardSiluSlope", x), g),
  // (2x + 3)/6 between −3 and 3, flat outside.
  hardSiluSlope: (x, _y, g) => where(multiply(greater(x, -3), greater(3, x)), divide(g, 3), 0),
} as const satisfies Partial<Record<UnaryOperation, UnaryGradient | null>>;

/** Activations with a number, which may be a value and has a gradient then. */
const BINARY = {
  leakyRelu: (x, slope, _y, g) => [multiply(g, leakyReluSlope(x, slope)), multiply(g, minimum(x, 0))],
  leakyReluSlope: (x, _slope, _y, g) => [undefined, where(negative(x), g, 0)],
  elu: (x, alpha, _y, g) => [multiply(g, eluSlope(x, alpha)), multiply(g, expm1(minimum(x, 0)))],
  // x < 0 ? α·eˣ : 1.
  eluSlope: (x, _alpha, y, g) => {
    const below = negative(x);
    return [where(below, multiply(g, y), 0), where(below, multiply(g, exp(minimum(x, 0))), 0)];
  },
} as const satisfies Partial<Record<BinaryOperation, BinaryGradient>>;

type UnaryName = keyof typeof UNARY;
type BinaryName = keyof typeof BINARY;

const unaryRules = unaryRulesOf<UnaryName>(UNARY);
const binaryRules = binaryRulesOf<BinaryName>(BINARY);

/** Rules of this file, for the tests that walk all operations. */
export const activationRules = { ...unaryRules, ...binaryRules } as const;

function unary<A extends Operand, N extends UnaryName>(name: N, x: A): Of<A> {
  return apply(unaryRules[name], [toValue(x)], null) as Of<A>;
}

function binary<A extends Operand, B extends Operand, N extends BinaryName>(name: N, a: A, b: B): Of<A | B> {
  return apply(binaryRules[name], [toValue(a), toValue(b)], null) as Of<A | B>;
}

/** Slope of an activation at x. */
export function slopeOf(name: SlopeName, x: Value): Value {
  return unary(name, x);
}

/** y = x < 0 ? slope : 1, the slope of leakyRelu. */
export const leakyReluSlope = (x: Value, slope: Value): Value => binary("leakyReluSlope", x, slope);
/** y = x < 0 ? alpha·eˣ : 1, the slope of elu. */
export const eluSlope = (x: Value, alpha: Value): Value => binary("eluSlope", x, alpha);

/** y = ln(1 + eˣ) = max(x, 0) + ln(1 + e^(−|x|)), at most 2 ulp off. Dugas et al. 2001. */
export const softplus = <A extends Operand>(x: A): Of<A> => unary("softplus", x);

/** Options of {@link gelu}. */
export interface GeluOptions {
  /** `'none'` (the default): Φ from erf; `'tanh'`: the form with tanh. */
  readonly approximate?: "none" | "tanh" | undefined;
}

/**
 * y = x·Φ(x) = ½x·(1 + erf(x/√2)); with `approximate: 'tanh'` ½x·(1 + tanh(√(2/π)·(x + 0.044715·x³))).
 * Hendrycks, Gimpel 2016.
 */
export function gelu<A extends Operand>(x: A, options: GeluOptions = {}): Of<A> {
  checkKeys("gelu", options, ["approximate"]);
  const { approximate = "none" } = options;
  return unary(checkOneOf("gelu.approximate", approximate, ["none", "tanh"]) === "tanh" ? "geluTanh" : "gelu", x);
}

/** y = x/(1 + e⁻ˣ), also called swish. Elfwing, Uchibe, Doya 2017; Ramachandran, Zoph, Le 2017. */
export const silu = <A extends Operand>(x: A): Of<A> => unary("silu", x);
/** y = x·tanh(ln(1 + eˣ)). Misra 2019. */
export const mish = <A extends Operand>(x: A): Of<A> => unary("mish", x);
/** y = λ·(x < 0 ? α·(eˣ − 1) : x), λ = 1.0507…, α = 1.6732…. Klambauer, Unterthiner, Mayr, Hochreiter 2017. */
export const selu = <A extends Operand>(x: A): Of<A> => unary("selu", x);
/** y = min(max(x, 0), 6). Krizhevsky 2010. */
export const relu6 = <A extends Operand>(x: A): Of<A> => unary("relu6", x);
/** y = min(max(x, −1), 1). Collobert 2004. */
export const hardTanh = <A extends Operand>(x: A): Of<A> => unary("hardTanh", x);
/** y = min(max(x + 3, 0), 6)/6. Courbariaux, Bengio, David 2015, with the slope of Howard et al. 2019 (PyTorch, Keras 3). */
export const hardSigmoid = <A extends Operand>(x: A): Of<A> => unary("hardSigmoid", x);
/** y = x·min(max(x + 3, 0), 6)/6, also called hard swish. Howard et al. 2019. */
export const hardSilu = <A extends Operand>(x: A): Of<A> => unary("hardSilu", x);

/** y = x < 0 ? slope·x : x. `slope` may be a value, broadcast like a second operand. Maas, Hannun, Ng 2013. */
export function leakyRelu<A extends Operand, S extends Operand = number>(x: A, slope?: S): Of<A | S> {
  return binary("leakyRelu", x, slope === undefined ? LEAKY_SLOPE : slope) as Of<A | S>;
}

/** y = x < 0 ? alpha·(eˣ − 1) : x with alpha > 0, 1 by default. Clevert, Unterthiner, Hochreiter 2016. */
export function elu<A extends Operand, S extends Operand = number>(x: A, alpha?: S): Of<A | S> {
  return binary("elu", x, alpha === undefined ? ELU_ALPHA : alpha) as Of<A | S>;
}

import type { NativeLists } from "../binding/operations.js";
import { camelCase, numberOf } from "../ops/native_table.js";
import { checkKeys } from "../options.js";
import { checkFloats, checkThreads, lengthOf, type ThreadOptions } from "./arguments.js";
import { atFirstUse, Call } from "./call.js";

/**
 * y[i] = f(x[i]). x, y: [count], any count ≥ 0; y may be x itself, but not overlap it otherwise.
 *
 * Another length is `ERR_SHAPE`, another type `ERR_DTYPE`, an overlap `ERR_DATA`, a detached buffer `ERR_DETACHED`; then
 * nothing has been written.
 */
export type UnaryKernel = (x: Float32Array, y: Float32Array, options?: ThreadOptions) => void;

const THREADS_ONLY = ["threads"] as const;

function kernel(native: NativeLists["unary"]): UnaryKernel {
  const where = camelCase(native);
  const [atX, atY, atThreads] = [`${where}.x`, `${where}.y`, `${where}.threads`];
  const made = atFirstUse(() => {
    const call = new Call(where, "unary", ["x", "y"]);
    call.set(call.at.function, numberOf("unary", native));
    return call;
  });
  return (x, y, options) => {
    if (options !== undefined) checkKeys(where, options, THREADS_ONLY);
    const threads = checkThreads(atThreads, options?.threads);
    const count = lengthOf(atX, x);
    checkFloats(atY, y, count);
    const call = made();
    call.set(call.at.count, count);
    call.run(threads, [x, y]);
  };
}

/** Every elementwise function of one argument: `unary.exp(x, y)`. Errors are in ulp of the result, over all floats. */
export const unary = {
  /** y = −x */
  negate: kernel("negate"),
  /** y = |x| */
  absolute: kernel("absolute"),
  /** y = −1, 0 or 1; ±0 and NaN stay what they are. */
  sign: kernel("sign"),
  /** y = eˣ, at most 2 ulp off; results below 2⁻¹²⁶ are 0. */
  exp: kernel("exp"),
  /** y = ln x, at most 2 ulp off. */
  log: kernel("log"),
  /** y = √x, correctly rounded. */
  sqrt: kernel("sqrt"),
  /** y = x² */
  square: kernel("square"),
  /** y = 1/x, correctly rounded. */
  reciprocal: kernel("reciprocal"),
  /** y = x < 0 ? 0 : x */
  relu: kernel("relu"),
  /** y = tanh x, at most 2 ulp off. */
  tanh: kernel("tanh"),
  /** y = 1/(1 + e⁻ˣ), at most 2 ulp off. */
  sigmoid: kernel("sigmoid"),
  /** y = |x| < 2⁻¹²⁶ ? 0 : x */
  flush: kernel("flush"),
  /** y = ln(1 + x), at most 2 ulp off, also where 1 + x would round x away. */
  log1p: kernel("log1p"),
  /** y = eˣ − 1, at most 2 ulp off, also where eˣ is nearly 1. */
  expm1: kernel("expm1"),
  /** y = (2/√π)·∫₀ˣ e^(−t²) dt, at most 2 ulp off. */
  erf: kernel("erf"),
  /** y = sin x, at most 2 ulp off for |x| ≤ 2²⁰, NaN beyond. */
  sin: kernel("sin"),
  /** y = cos x, at most 2 ulp off for |x| ≤ 2²⁰, NaN beyond. */
  cos: kernel("cos"),
  /** y = ln(1 + eˣ) = max(x, 0) + ln(1 + e^(−|x|)), at most 2 ulp off. */
  softplus: kernel("softplus"),
  /** y = x·Φ(x) = ½x·(1 + erf(x/√2)) */
  gelu: kernel("gelu"),
  /** y = Φ(x) + x·φ(x), the slope of gelu from x. */
  geluSlope: kernel("gelu_slope"),
  /** y = ½x·(1 + tanh(√(2/π)·(x + 0.044715·x³))) */
  geluTanh: kernel("gelu_tanh"),
  /** The slope of geluTanh from x. */
  geluTanhSlope: kernel("gelu_tanh_slope"),
  /** y = x/(1 + e⁻ˣ) */
  silu: kernel("silu"),
  /** y = σ·(1 + x·(1 − σ)), the slope of silu from x. */
  siluSlope: kernel("silu_slope"),
  /** y = x·tanh(ln(1 + eˣ)) */
  mish: kernel("mish"),
  /** The slope of mish from x. */
  mishSlope: kernel("mish_slope"),
  /** y = λ·(x < 0 ? α·(eˣ − 1) : x), λ = 1.0507…, α = 1.6732… */
  selu: kernel("selu"),
  /** y = x < 0 ? λα·eˣ : λ, the slope of selu. */
  seluSlope: kernel("selu_slope"),
  /** y = min(max(x, 0), 6) */
  relu6: kernel("relu6"),
  /** y = 0 < x < 6 ? 1 : 0, the slope of relu6 from x. */
  relu6Slope: kernel("relu6_slope"),
  /** y = min(max(x, −1), 1) */
  hardTanh: kernel("hard_tanh"),
  /** y = −1 < x < 1 ? 1 : 0, the slope of hardTanh from x. */
  hardTanhSlope: kernel("hard_tanh_slope"),
  /** y = min(max(x + 3, 0), 6)/6 */
  hardSigmoid: kernel("hard_sigmoid"),
  /** y = −3 < x < 3 ? 1/6 : 0, the slope of hardSigmoid from x. */
  hardSigmoidSlope: kernel("hard_sigmoid_slope"),
  /** y = x·min(max(x + 3, 0), 6)/6 */
  hardSilu: kernel("hard_silu"),
  /** y = x ≤ −3 ? 0 : x ≥ 3 ? 1 : (2x + 3)/6, the slope of hardSilu from x. */
  hardSiluSlope: kernel("hard_silu_slope"),
} as const satisfies Readonly<Record<string, UnaryKernel>>;

/** Names of {@link unary}. */
export type UnaryName = keyof typeof unary;

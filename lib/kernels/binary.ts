import type { NativeLists } from "../binding/operations.js";
import { fail } from "../errors.js";
import { camelCase, numberOf } from "../ops/native_table.js";
import { checkKeys } from "../options.js";
import { checkFloats, checkThreads, lengthOf, type ThreadOptions } from "./arguments.js";
import { atFirstUse, Call } from "./call.js";

/**
 * y[i] = f(a[i], b[i]). a, b, y: [count], any count ≥ 0; one of a and b may be a number instead, rounded to float32. y
 * may be a or b itself, but not overlap them otherwise.
 *
 * Another length is `ERR_SHAPE`, another type or two numbers `ERR_DTYPE`, an overlap `ERR_DATA`, a detached buffer
 * `ERR_DETACHED`; then nothing has been written.
 */
export type BinaryKernel = (
  a: Float32Array | number,
  b: Float32Array | number,
  y: Float32Array,
  options?: ThreadOptions,
) => void;

const THREADS_ONLY = ["threads"] as const;

/** One element for each of y, or one for all. */
const FULL = numberOf("spreads", "full");
const SCALAR = numberOf("spreads", "scalar");

function kernel(native: NativeLists["binary"]): BinaryKernel {
  const where = camelCase(native);
  const [atA, atB, atY, atThreads] = [`${where}.a`, `${where}.b`, `${where}.y`, `${where}.threads`];
  const made = atFirstUse(() => {
    const call = new Call(where, "binary", ["a", "b", "y"]);
    call.set(call.at.rows, 1);
    call.set(call.at.function, numberOf("binary", native));
    return { call, number: new Float32Array(1) };
  });
  return (a, b, y, options) => {
    if (options !== undefined) checkKeys(where, options, THREADS_ONLY);
    const threads = checkThreads(atThreads, options?.threads);
    const count = lengthOf(atY, y);
    const { call, number } = made();
    const { at } = call;
    const left = typeof a === "number" ? number : checkFloats(atA, a, count);
    const right = typeof b === "number" ? number : checkFloats(atB, b, count);
    if (left === right && typeof a === "number") fail("ERR_DTYPE", atB, "a Float32Array beside a number", b);
    if (typeof a === "number") number[0] = a;
    if (typeof b === "number") number[0] = b;
    call.set(at.columns, count);
    call.set(at.spreadA, typeof a === "number" ? SCALAR : FULL);
    call.set(at.spreadB, typeof b === "number" ? SCALAR : FULL);
    call.run(threads, [left, right, y]);
  };
}

/** Every elementwise function of two arguments: `binary.add(a, b, y)`. + − × ÷ are correctly rounded. */
export const binary = {
  /** y = a + b */
  add: kernel("add"),
  /** y = a − b */
  subtract: kernel("subtract"),
  /** y = a·b */
  multiply: kernel("multiply"),
  /** y = a/b */
  divide: kernel("divide"),
  /** The smaller; NaN if either is. */
  minimum: kernel("minimum"),
  /** The larger; NaN if either is. */
  maximum: kernel("maximum"),
  /** y = a > b ? 1 : 0 */
  greater: kernel("greater"),
  /** y = a ≥ b ? 1 : 0 */
  greaterEqual: kernel("greater_equal"),
  /** y = a < b ? 1 : 0 */
  less: kernel("less"),
  /** y = a ≤ b ? 1 : 0 */
  lessEqual: kernel("less_equal"),
  /** y = a = b ? 1 : 0; NaN equals nothing. */
  equal: kernel("equal"),
  /** y = a ≠ b ? 1 : 0; NaN differs from everything. */
  notEqual: kernel("not_equal"),
  /** y = b > 0 ? a : 0: the gradient of relu from the gradient a and the output b. */
  reluGradient: kernel("relu_gradient"),
  /** y = a·(1 − b·b), three roundings: the gradient of tanh from the gradient a and the output b. */
  tanhGradient: kernel("tanh_gradient"),
  /** y = a < 0 ? b·a : a, b the slope. */
  leakyRelu: kernel("leaky_relu"),
  /** y = a < 0 ? b : 1, the slope of leakyRelu from its input a. */
  leakyReluSlope: kernel("leaky_relu_slope"),
  /** y = a < 0 ? b·(eᵃ − 1) : a, b is α > 0. */
  elu: kernel("elu"),
  /** y = a < 0 ? b·eᵃ : 1, the slope of elu; b is α. */
  eluSlope: kernel("elu_slope"),
} as const satisfies Readonly<Record<string, BinaryKernel>>;

/** Names of {@link binary}. */
export type BinaryName = keyof typeof binary;

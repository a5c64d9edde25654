import { checkKeys } from "../options.js";
import {
  checkCount,
  checkFloats,
  checkIntegers,
  checkSize,
  checkThreads,
  lengthOfIntegers,
  overlap,
  refuseOverlap,
  type ThreadOptions,
} from "./arguments.js";
import { atFirstUse, Call } from "./call.js";

/** Options of {@link softmax} and {@link logSoftmax}. */
export interface SoftmaxOptions extends ThreadOptions {
  /** ≥ 0. */
  readonly rows: number;
  /** ≥ 1. */
  readonly columns: number;
  /** [rows, columns], row-major. */
  readonly x: Float32Array;
  /** [rows, columns], written; may be x itself. */
  readonly y: Float32Array;
}

const SOFTMAX_KEYS = ["rows", "columns", "x", "y", "threads"] as const satisfies readonly (keyof SoftmaxOptions)[];

function rowwise(where: string, operation: "softmax" | "log_softmax"): (options: SoftmaxOptions) => void {
  const [atX, atY, atThreads] = [`${where}.x`, `${where}.y`, `${where}.threads`];
  const [atRows, atColumns] = [`${where}.rows`, `${where}.columns`];
  const made = atFirstUse(() => new Call(where, operation, ["x", "y"]));
  return (options) => {
    checkKeys(where, options, SOFTMAX_KEYS);
    const rows = checkCount(atRows, options.rows);
    const columns = checkSize(atColumns, options.columns);
    const x = checkFloats(atX, options.x, rows * columns);
    const y = checkFloats(atY, options.y, rows * columns);
    const call = made();
    call.set(call.at.rows, rows);
    call.set(call.at.columns, columns);
    call.run(checkThreads(atThreads, options.threads), [x, y]);
  };
}

/** y = e^(x − max)/Σ e^(x − max) of each row; the sum as in `sum`, one division an element. */
export const softmax = rowwise("softmax", "softmax");

/** y = (x − max) − ln Σ e^(x − max) of each row. */
export const logSoftmax = rowwise("logSoftmax", "log_softmax");

/** Options of {@link softmaxCrossEntropy}. */
export interface CrossEntropyOptions extends ThreadOptions {
  /** ≥ 0. */
  readonly rows: number;
  /** Classes, ≥ 1. */
  readonly columns: number;
  /** [rows, columns], row-major. */
  readonly logits: Float32Array;
  /** [rows], integers in [0, columns). */
  readonly labels: Int32Array;
  /** [rows], written. */
  readonly losses: Float32Array;
}

const LOSS_KEYS = [
  "rows",
  "columns",
  "logits",
  "labels",
  "losses",
  "threads",
] as const satisfies readonly (keyof CrossEntropyOptions)[];

const lossCall = atFirstUse(
  () => new Call("softmaxCrossEntropy", "softmax_cross_entropy", ["logits", "labels", "losses"]),
);

/**
 * losses[r] = ln Σ_c e^(x[r, c] − max) − (x[r, label] − max) of the logits x. A label outside [0, columns) is `ERR_LABEL`,
 * found before anything is written.
 */
export function softmaxCrossEntropy(options: CrossEntropyOptions): void {
  checkKeys("softmaxCrossEntropy", options, LOSS_KEYS);
  const rows = checkCount("softmaxCrossEntropy.rows", options.rows);
  const columns = checkSize("softmaxCrossEntropy.columns", options.columns);
  const logits = checkFloats("softmaxCrossEntropy.logits", options.logits, rows * columns);
  const labels = checkIntegers("softmaxCrossEntropy.labels", options.labels, rows);
  const losses = checkFloats("softmaxCrossEntropy.losses", options.losses, rows);
  const call = lossCall();
  call.set(call.at.rows, rows);
  call.set(call.at.columns, columns);
  call.run(checkThreads("softmaxCrossEntropy.threads", options.threads), [logits, labels, losses]);
}

/** Options of {@link softmaxCrossEntropyGradient}. */
export interface CrossEntropyGradientOptions extends ThreadOptions {
  /** ≥ 0. */
  readonly rows: number;
  /** Classes, ≥ 1. */
  readonly columns: number;
  /** [rows, columns], row-major. */
  readonly logits: Float32Array;
  /** [rows], integers in [0, columns). */
  readonly labels: Int32Array;
  /** dℓ/dlosses: [rows], or one number for all rows (1/rows for a mean), rounded to float32. */
  readonly lossGradient: Float32Array | number;
  /** dℓ/dlogits: [rows, columns], written; may be `logits` itself. */
  readonly logitsGradient: Float32Array;
}

const GRADIENT_KEYS = [
  "rows",
  "columns",
  "logits",
  "labels",
  "lossGradient",
  "logitsGradient",
  "threads",
] as const satisfies readonly (keyof CrossEntropyGradientOptions)[];

const GRADIENT = "softmaxCrossEntropyGradient";
const gradientCall = atFirstUse(
  () => new Call(GRADIENT, "softmax_cross_entropy_gradient", ["logits", "labels", "lossGradient", "logitsGradient"]),
);
const everywhere = new Float32Array(1);

/**
 * logitsGradient[r, c] = (softmax(x)[r, c] − (c = label ? 1 : 0))·lossGradient[r], results below 2⁻¹²⁶ are 0: the
 * roundings of softmax, subtract, multiply. A label outside [0, columns) is `ERR_LABEL`.
 */
export function softmaxCrossEntropyGradient(options: CrossEntropyGradientOptions): void {
  checkKeys(GRADIENT, options, GRADIENT_KEYS);
  const { lossGradient } = options;
  const rows = checkCount(`${GRADIENT}.rows`, options.rows);
  const columns = checkSize(`${GRADIENT}.columns`, options.columns);
  const logits = checkFloats(`${GRADIENT}.logits`, options.logits, rows * columns);
  const labels = checkIntegers(`${GRADIENT}.labels`, options.labels, rows);
  const y = checkFloats(`${GRADIENT}.logitsGradient`, options.logitsGradient, rows * columns);
  const one = typeof lossGradient === "number";
  const g = one ? everywhere : checkFloats(`${GRADIENT}.lossGradient`, lossGradient, rows);
  if (one) everywhere[0] = lossGradient;
  // With one class they are as long as the logits, over which alone the kernel may write.
  if (columns === 1 && overlap(y, g)) refuseOverlap(GRADIENT, "logitsGradient", "lossGradient");
  if (columns === 1 && overlap(y, labels)) refuseOverlap(GRADIENT, "logitsGradient", "labels");
  const call = gradientCall();
  call.set(call.at.rows, rows);
  call.set(call.at.columns, columns);
  call.set(call.at.same, one ? 1 : 0);
  const threads = checkThreads(`${GRADIENT}.threads`, options.threads);
  call.run(threads, [logits, labels, g, y]);
}

/** Options of {@link argmax}. */
export interface ArgmaxOptions extends ThreadOptions {
  /** ≥ 0. */
  readonly rows: number;
  /** ≥ 1. */
  readonly columns: number;
  /** [rows, columns], row-major. */
  readonly x: Float32Array;
  /** [rows], written. */
  readonly y: Int32Array;
}

const ARGMAX_KEYS = ["rows", "columns", "x", "y", "threads"] as const satisfies readonly (keyof ArgmaxOptions)[];

const argmaxCall = atFirstUse(() => new Call("argmax", "argmax", ["x", "y"]));

/** y[r] = index of the first largest element of row r, or of its first NaN. */
export function argmax(options: ArgmaxOptions): void {
  checkKeys("argmax", options, ARGMAX_KEYS);
  const rows = checkCount("argmax.rows", options.rows);
  const columns = checkSize("argmax.columns", options.columns);
  const x = checkFloats("argmax.x", options.x, rows * columns);
  const y = checkIntegers("argmax.y", options.y, rows);
  const call = argmaxCall();
  call.set(call.at.rows, rows);
  call.set(call.at.columns, columns);
  call.run(checkThreads("argmax.threads", options.threads), [x, y]);
}

/** Options of {@link oneHot}. */
export interface OneHotOptions extends ThreadOptions {
  /** [rows], integers in [0, classes). */
  readonly labels: Int32Array;
  /** ≥ 1. */
  readonly classes: number;
  /** [rows, classes], written. */
  readonly y: Float32Array;
}

const ONE_HOT_KEYS = ["labels", "classes", "y", "threads"] as const satisfies readonly (keyof OneHotOptions)[];

const oneHotCall = atFirstUse(() => new Call("oneHot", "one_hot", ["labels", "y"]));

/** y[r, c] = c = labels[r] ? 1 : 0. A label outside [0, classes) is `ERR_LABEL`, found before anything is written. */
export function oneHot(options: OneHotOptions): void {
  checkKeys("oneHot", options, ONE_HOT_KEYS);
  const classes = checkSize("oneHot.classes", options.classes);
  const { labels } = options;
  const rows = lengthOfIntegers("oneHot.labels", labels);
  const y = checkFloats("oneHot.y", options.y, rows * classes);
  const call = oneHotCall();
  call.set(call.at.rows, rows);
  call.set(call.at.classes, classes);
  call.run(checkThreads("oneHot.threads", options.threads), [labels, y]);
}

const countCall = atFirstUse(() => new Call("countEqual", "count_equal", ["a", "b", "equal"], { equal: "count" }));
const equal = new Float32Array(1);

/** How many elements of two lists are equal, as float32: exact below 2²⁴. a, b: [count], count ≥ 0. */
export function countEqual(a: Int32Array, b: Int32Array): number {
  const count = lengthOfIntegers("countEqual.a", a);
  checkIntegers("countEqual.b", b, count);
  const call = countCall();
  call.set(call.at.count, count);
  call.run(1, [a, b, equal]);
  return equal[0] ?? 0;
}

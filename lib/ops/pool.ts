import { fail } from "../errors.js";
import { checkBoolean, checkKeys } from "../options.js";
import type { Pooled } from "../tensor/attributes.js";
import { extent, type Shape } from "../tensor/shape.js";
import type { Rule, Value } from "../tensor/value.js";
import { apply, at, checkValue, expectDtype, f32, type Of } from "./apply.js";
import { reshape } from "./broadcast.js";
import { instruction } from "./encode.js";
import {
  axesOfWindows,
  type CheckedWindows,
  checkWindows,
  expectImages,
  expectShape,
  ONE_ROW,
  type Padding2d,
  perAxis,
} from "./windows.js";

const largeShape = (images: Shape, { rows, columns, channels }: Pooled): Shape => [
  ...images.slice(0, 1),
  ...[rows.large, columns.large, channels],
];

const smallShape = (images: Shape, { rows, columns, channels }: Pooled): Shape => [
  ...images.slice(0, 1),
  ...[rows.small, columns.small, channels],
];

/** Numbers of an instruction over so many images. */
const numbersOf = (images: Shape, { rows, columns, channels }: Pooled) => ({
  images: extent(images.slice(0, 1)),
  ...{ height: rows.large, width: columns.large, channels, outHeight: rows.small, outWidth: columns.small },
  ...{ kernelHeight: rows.kernel, kernelWidth: columns.kernel },
  ...{ strideHeight: rows.stride, strideWidth: columns.stride },
  ...{ beforeHeight: rows.before, beforeWidth: columns.before },
});

/** Inputs x, and what is picked where the first largest element of each window of x stands, by default x itself. */
const maxPoolRule: Rule<"maxPool"> = {
  name: "maxPool",
  infer(inputs, a) {
    const x = at(inputs, 0);
    for (const input of inputs) expectShape("maxPool", input, largeShape(x.shape, a));
    return f32(smallShape(x.shape, a));
  },
  lower(inputs, outputs, a) {
    const [x, picked, y] = [at(inputs, 0), inputs[1], at(outputs, 0)];
    return instruction("max_pool", { x, picked, y }, numbersOf(x.shape, a));
  },
  // Where x is what is picked, it has the gradient of that; the place itself has none.
  gradient(inputs, _outputs, flows, a) {
    const part = apply(maxPoolGradientRule, [at(inputs, 0), at(flows, 0)], a);
    return inputs.length === 1 ? [part] : [undefined, part];
  },
};

const maxPoolGradientRule: Rule<"maxPoolGradient"> = {
  name: "maxPoolGradient",
  infer(inputs, a) {
    const x = at(inputs, 0);
    expectShape("maxPoolGradient", x, largeShape(x.shape, a));
    expectShape("maxPoolGradient.flow", at(inputs, 1), smallShape(x.shape, a));
    return f32(x.shape);
  },
  lower(inputs, outputs, a) {
    const [x, g, dx] = [at(inputs, 0), at(inputs, 1), at(outputs, 0)];
    return instruction("max_pool_gradient", { x, g, dx }, numbersOf(x.shape, a));
  },
  gradient: (inputs, _outputs, flows, a) => [undefined, apply(maxPoolRule, [at(inputs, 0), at(flows, 0)], a)],
};

const averagePoolRule: Rule<"averagePool"> = {
  name: "averagePool",
  infer(inputs, a) {
    const x = at(inputs, 0);
    expectShape("averagePool", x, largeShape(x.shape, a));
    return f32(smallShape(x.shape, a));
  },
  lower(inputs, outputs, a) {
    const [x, y] = [at(inputs, 0), at(outputs, 0)];
    return instruction("average_pool", { x, y }, { ...numbersOf(x.shape, a), countPadding: a.countPadding });
  },
  gradient: (_inputs, _outputs, flows, a) => [apply(averagePoolGradientRule, [at(flows, 0)], a)],
};

const averagePoolGradientRule: Rule<"averagePoolGradient"> = {
  name: "averagePoolGradient",
  infer(inputs, a) {
    const g = at(inputs, 0);
    expectShape("averagePoolGradient", g, smallShape(g.shape, a));
    return f32(largeShape(g.shape, a));
  },
  lower(inputs, outputs, a) {
    const [g, dx] = [at(inputs, 0), at(outputs, 0)];
    return instruction("average_pool_gradient", { g, dx }, { ...numbersOf(g.shape, a), countPadding: a.countPadding });
  },
  gradient: (_inputs, _outputs, flows, a) => [apply(averagePoolRule, [at(flows, 0)], a)],
};

/** Padding of pools of one axis: none, enough for ⌈size/stride⌉ places, or so many at both ends. */
export type PoolPadding1d = "valid" | "same" | number;

/** Options of pools over two axes. */
export interface Pool2dOptions {
  /** Steps between two windows; their size by default. */
  readonly stride?: number | readonly [number, number] | undefined;
  /** `'valid'` by default. A number, below the size of a window, is of both ends. What is padded is never the largest. */
  readonly padding?: Padding2d | undefined;
}

/** Options of pools over one axis. */
export interface Pool1dOptions {
  /** Steps between two windows; their size by default. */
  readonly stride?: number | undefined;
  /** As of {@link Pool2dOptions}. */
  readonly padding?: PoolPadding1d | undefined;
}

/** How a mean counts. */
export interface Counting {
  /**
   * Whether a mean is divided by all elements of its window, padded ones too, as PyTorch's `count_include_pad` has it by default; or by
   * those that are there, as in Keras: false by default.
   */
  readonly countPadding?: boolean | undefined;
}

/** Windows of a pool over `axes` axes, checked. */
export function checkPool(
  where: string,
  axes: number,
  size: number | readonly number[],
  { stride, padding }: Pool1dOptions | Pool2dOptions,
): CheckedWindows {
  const kernel = perAxis(`${where}.size`, size, axes);
  const given: string = typeof padding === "string" ? padding : "";
  if (given === "causal") fail("ERR_OPTION", `${where}.padding`, "'valid', 'same' or a number", padding);
  const windows = checkWindows(where, axes, { kernel, stride: stride ?? size, padding });
  const { padding: padded } = windows;
  if (typeof padded !== "string" && padded.some((each, axis) => each >= (kernel[axis] ?? 1)))
    fail("ERR_OPTION", `${where}.padding`, "numbers below the size of a window", padding);
  return windows;
}

/** A pool of [batch, …, channels] by windows that have been checked. */
export function pooled(where: string, x: Value, windows: CheckedWindows, countPadding: boolean | undefined): Value {
  const sizes = expectImages(where, x.shape, windows.kernel.length).slice(1).map(Number);
  expectDtype(where, x, "f32");
  const [first = ONE_ROW, second] = axesOfWindows(where, sizes.slice(0, -1), windows);
  const own = { rows: second === undefined ? ONE_ROW : first, columns: second ?? first, channels: sizes.at(-1) ?? 1 };
  const spread = second === undefined ? reshape(x, [...x.shape.slice(0, 1), 1, ...x.shape.slice(1)]) : x;
  const y =
    countPadding === undefined
      ? apply(maxPoolRule, [spread], { ...own, countPadding: false })
      : apply(averagePoolRule, [spread], { ...own, countPadding });
  return second === undefined ? reshape(y, [...x.shape.slice(0, 1), first.small, own.channels]) : y;
}

function pool<A extends Value>(
  where: string,
  axes: number,
  x: A,
  size: number | readonly number[],
  { countPadding, ...options }: (Pool1dOptions | Pool2dOptions) & Counting,
): Of<A> {
  const averages = where.startsWith("average");
  checkKeys(where, options, ["stride", "padding"]);
  checkValue(where, x);
  const counted = averages ? checkBoolean(`${where}.countPadding`, countPadding ?? false) : undefined;
  return pooled(where, x, checkPool(where, axes, size, options), counted) as Of<A>;
}

/**
 * The largest element of each window, a channel each: x: [batch, height, width, channels]. NaN where there is one. The gradient goes to
 * the first of the largest, rows first; as in PyTorch and Keras. Padding is never chosen.
 */
export function maxPool2d<A extends Value>(
  x: A,
  size: number | readonly [number, number],
  options: Pool2dOptions = {},
): Of<A> {
  checkKeys("maxPool2d", options, ["stride", "padding"]);
  return pool("maxPool2d", 2, x, size, options);
}

/** {@link maxPool2d} over one axis: x: [batch, time, features]. */
export function maxPool1d<A extends Value>(x: A, size: number, options: Pool1dOptions = {}): Of<A> {
  checkKeys("maxPool1d", options, ["stride", "padding"]);
  return pool("maxPool1d", 1, x, size, options);
}

/**
 * The mean of each window, a channel each: x: [batch, height, width, channels]; Σ in the order (row, column), divided once.
 */
export function averagePool2d<A extends Value>(
  x: A,
  size: number | readonly [number, number],
  options: Pool2dOptions & Counting = {},
): Of<A> {
  checkKeys("averagePool2d", options, ["stride", "padding", "countPadding"]);
  return pool("averagePool2d", 2, x, size, options);
}

/** {@link averagePool2d} over one axis: x: [batch, time, features]. */
export function averagePool1d<A extends Value>(x: A, size: number, options: Pool1dOptions & Counting = {}): Of<A> {
  checkKeys("averagePool1d", options, ["stride", "padding", "countPadding"]);
  return pool("averagePool1d", 1, x, size, options);
}

/** What the rules do, for their samples. */
export const poolOf = {
  maxPool: (inputs: readonly Value[], a: Pooled): Value => apply(maxPoolRule, inputs, a),
  maxPoolGradient: (inputs: readonly Value[], a: Pooled): Value => apply(maxPoolGradientRule, inputs, a),
  averagePool: (inputs: readonly Value[], a: Pooled): Value => apply(averagePoolRule, inputs, a),
  averagePoolGradient: (inputs: readonly Value[], a: Pooled): Value => apply(averagePoolGradientRule, inputs, a),
};

/** Rules of this file, for the tests that walk all operations. */
export const poolRules = {
  maxPool: maxPoolRule,
  maxPoolGradient: maxPoolGradientRule,
  averagePool: averagePoolRule,
  averagePoolGradient: averagePoolGradientRule,
} as const;

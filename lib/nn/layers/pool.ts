import { madeBy } from "../../described.js";
import { reluGradient } from "../../ops/elementwise.js";
import * as ops from "../../ops/index.js";
import { type Counting, checkPool, type PoolPadding1d, pooled } from "../../ops/pool.js";
import { chooseSteps, type Steps, stepsOf } from "../../ops/sequence.js";
import { axesOfWindows, expectImages, type Padding2d } from "../../ops/windows.js";
import { checkBoolean, checkKeys } from "../../options.js";
import { elements } from "../../tensor/shape.js";
import type { Value, ValueSpec } from "../../tensor/value.js";
import { defineLayer, type Layer } from "../structure/layer.js";
import type { Size2d } from "./convolution.js";

/** Options of pools over any axes. */
interface PoolOptions<S, P> {
  /** Steps between two windows; their size by default. */
  readonly stride?: S | undefined;
  /**
   * `'valid'` (the default): none; `'same'`: ⌈size/stride⌉ places, as in Keras; a number below the size of a window: so many places at both ends, as in
   * PyTorch, which takes half the size at most. What is padded is left out.
   */
  readonly padding?: P | undefined;
  readonly name?: string | undefined;
}

/** Options of {@link maxPool2d}. */
export interface MaxPool2dOptions<S extends Size2d = Size2d, P extends Padding2d = Padding2d>
  extends PoolOptions<S, P> {}

/** Options of {@link averagePool2d}. */
export interface AveragePool2dOptions<S extends Size2d = Size2d, P extends Padding2d = Padding2d>
  extends PoolOptions<S, P>,
    Counting {}

/** Options of {@link maxPool1d}. */
export interface MaxPool1dOptions<S extends number = number, P extends PoolPadding1d = PoolPadding1d>
  extends PoolOptions<S, P> {}

/** Options of {@link averagePool1d}. */
export interface AveragePool1dOptions<S extends number = number, P extends PoolPadding1d = PoolPadding1d>
  extends PoolOptions<S, P>,
    Counting {}

/** Options of {@link globalMaxPool} and {@link globalAveragePool}. */
export interface GlobalPoolOptions {
  readonly name?: string | undefined;
}

type Pool<K extends Size2d, S extends Size2d, P extends Padding2d> = Layer<
  number,
  { readonly windows: { readonly kernel: K; readonly stride: S; readonly dilation: 1; readonly padding: P } },
  "f32"
>;

function poolLayer(kind: string, size: Size2d, options: AveragePool2dOptions | AveragePool1dOptions): Layer {
  const averages = kind.startsWith("average");
  const axes = kind.endsWith("2d") ? 2 : 1;
  checkKeys(kind, options, ["stride", "padding", "name", ...(averages ? ["countPadding"] : [])]);
  const { stride = size, padding = "valid", name, countPadding = false } = options;
  const counted = averages ? checkBoolean(`${kind}.countPadding`, countPadding) : undefined;
  const windows = checkPool(kind, axes, size, { stride, padding } as ops.Pool2dOptions); // which it checks for either
  const config = { size, stride, padding, ...(counted === undefined ? {} : { countPadding: counted }) };
  const layer = defineLayer({
    ...{ kind, name, config },
    outputs: { windows: { kernel: size, stride, dilation: 1, padding } },
    infer(given: ValueSpec): ValueSpec {
      const [batch = 1, ...row] = expectImages(kind, given.shape, axes);
      const places = axesOfWindows(kind, row.slice(0, -1).map(Number), windows).map(({ small }) => small);
      return { shape: [batch, ...places, ...row.slice(-1)], dtype: "f32" };
    },
    forward: (x) => pooled(kind, x, windows, counted),
  });
  return madeBy(kind, { ...config, name }, layer);
}

/**
 * The largest element of each window and channel: x: [batch, height, width, channels], y: [batch, …, channels]. NaN where there is one;
 * the gradient goes to the first of the largest, rows first. A window larger than the input is `ERR_SHAPE`.
 *
 * @param size Rows and columns of a window.
 */
export function maxPool2d<const K extends Size2d, const S extends Size2d = K, const P extends Padding2d = "valid">(
  size: K,
  options?: MaxPool2dOptions<S, P>,
): Pool<K, S, P>;
export function maxPool2d(size: Size2d, options: MaxPool2dOptions = {}): Layer {
  return poolLayer("maxPool2d", size, options);
}

/** {@link maxPool2d} over time: x: [batch, time, features]. */
export function maxPool1d<const K extends number, const S extends number = K, const P extends PoolPadding1d = "valid">(
  size: K,
  options?: MaxPool1dOptions<S, P>,
): Pool<K, S, P>;
export function maxPool1d(size: number, options: MaxPool1dOptions = {}): Layer {
  return poolLayer("maxPool1d", size, options);
}

/**
 * The mean of each window and channel: x: [batch, height, width, channels], y: [batch, …, channels]; the sum in the order (row, column),
 * divided once, by what `countPadding` says.
 *
 * @param size Rows and columns of a window.
 */
export function averagePool2d<const K extends Size2d, const S extends Size2d = K, const P extends Padding2d = "valid">(
  size: K,
  options?: AveragePool2dOptions<S, P>,
): Pool<K, S, P>;
export function averagePool2d(size: Size2d, options: AveragePool2dOptions = {}): Layer {
  return poolLayer("averagePool2d", size, options);
}

/** {@link averagePool2d} over time: x: [batch, time, features]. */
export function averagePool1d<
  const K extends number,
  const S extends number = K,
  const P extends PoolPadding1d = "valid",
>(size: K, options?: AveragePool1dOptions<S, P>): Pool<K, S, P>;
export function averagePool1d(size: number, options: AveragePool1dOptions = {}): Layer {
  return poolLayer("averagePool1d", size, options);
}

function globalPool(
  kind: string,
  options: GlobalPoolOptions,
  over: (x: Value, axes: readonly number[]) => Value,
  overSteps: (x: Value, steps: Steps) => Value,
): Layer<number, "channels", "f32"> {
  checkKeys(kind, options, ["name"]);
  const { name } = options;
  const layer = defineLayer({
    ...{ kind, name, config: {} },
    outputs: "channels",
    forward(x) {
      const axes = x.shape.slice(1, -1).map((_, place) => place + 1);
      const steps = stepsOf(x);
      if (steps !== undefined) return overSteps(x, steps);
      return axes.length === 0 ? x : over(x, axes);
    },
  });
  return madeBy(kind, { name }, layer);
}

/** [batch, channels] as rows, of which each has the number of places that a step has. */
const perExample = ({ lengths }: Steps): Value => ops.reshape(lengths, [...lengths.shape.slice(0, 1), 1]);

/** Axes of the places of x, [batch, …, channels]. */
const places = (x: Value): readonly number[] => x.shape.slice(1, -1).map((_, place) => place + 1);

/** The mean over the steps of each example: what lies behind them is left out by a select, and none has the mean 0. */
function meanOverSteps(x: Value, steps: Steps): Value {
  const count = elements(x.shape.slice(1, -1)) / steps.count;
  const sum = ops.sum(chooseSteps(x, steps), { axis: places(x) });
  return ops.divide(sum, ops.multiply(ops.maximum(perExample(steps), 1), count));
}

/** The largest over the steps of each example, 0 where there is none. */
function maxOverSteps(x: Value, steps: Steps): Value {
  const [batch = 1] = x.shape;
  const mask = ops.broadcast(ops.reshape(steps.mask, [batch, steps.count, ...x.shape.slice(2).map(() => 1)]), x.shape);
  const largest = ops.max(ops.where(mask, x, -LARGEST), { axis: places(x) });
  return reluGradient(largest, perExample(steps));
}

/** The largest finite float32. */
const LARGEST = 3.4028234663852886e38;

/**
 * The largest element of each channel over all places: y: [batch, channels] from x: [batch, …, channels]. NaN where there is one; the gradient goes to the
 * first of the largest. Of sequences with lengths it is over the steps of each example, 0 where it has none.
 */
export function globalMaxPool(options: GlobalPoolOptions = {}): Layer<number, "channels", "f32"> {
  return globalPool("globalMaxPool", options, (x, axis) => ops.max(x, { axis }), maxOverSteps);
}

/** The mean of each channel over all places: y: [batch, channels] from x: [batch, …, channels]; sum and division as of `ops.mean`. Of sequences with lengths it is over the steps of each example, 0 where it has none. */
export function globalAveragePool(options: GlobalPoolOptions = {}): Layer<number, "channels", "f32"> {
  return globalPool("globalAveragePool", options, (x, axis) => ops.mean(x, { axis }), meanOverSteps);
}

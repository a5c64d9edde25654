import { CarillonError, fail } from "../errors.js";
import { checkBoolean, checkKeys, checkNumber, checkOneOf } from "../options.js";
import { isInts } from "../tensor/arrays.js";
import { Tensor } from "../tensor/tensor.js";
import { readSeries, type Series, type SeriesDtype, type SeriesSteps, type SeveralSeries } from "./series.js";

/** Options of {@link windows}. */
export interface WindowsOptions<
  V extends number | undefined = number | undefined,
  D extends SeriesDtype = SeriesDtype,
  C extends boolean = boolean,
> {
  /** Steps that a window shows. */
  readonly length: number;
  /** Steps behind them that are to be told; 1 by default. */
  readonly horizon?: number | undefined;
  /** Steps between the beginnings of two windows; 1 by default, `length` with `carry`. */
  readonly stride?: number | undefined;
  /** Columns that are to be told, all by default. */
  readonly targets?: readonly number[] | undefined;
  /** Share of the steps, in (0, 1), at the end of each series that windows of validation lie in; without it there are no such windows. */
  readonly validation?: V;
  /** What is to be told behind every step of a window, instead of behind the last one; false by default. */
  readonly sequences?: boolean | undefined;
  /** `'i32'`: integers that are looked up, such as those of characters; `'f32'` by default. */
  readonly dtype?: D | undefined;
  /**
   * Windows that follow one another, of which each goes on with the state that the one before has ended with: truncated back-propagation. False by default.
   */
  readonly carry?: C | undefined;
}

/** Windows of a series with what follows each. */
export type Windows<D extends SeriesDtype = "f32", C extends boolean = false> = {
  /** [windows, length, features]; of integers of one feature [windows, length]. */
  readonly x: Tensor<D>;
  /**
   * [windows, horizon·targets], step by step; with `sequences` [windows, length, horizon·targets]. Of integers, where a single one is told, without the last axis.
   */
  readonly y: Tensor<D>;
} & ([C] extends [true] ? { readonly carry: Tensor<"i32"> } : unknown);

/** Windows of the beginning and of the end of a series. */
export interface DividedWindows<D extends SeriesDtype = "f32", C extends boolean = false> {
  readonly train: Windows<D, C>;
  readonly validation: Windows<D, C>;
}

/** Any windows, before the options have said which. */
interface Cut {
  readonly x: Tensor;
  readonly y: Tensor;
  readonly carry?: Tensor<"i32">;
}

interface Sizes {
  readonly length: number;
  readonly horizon: number;
  readonly stride: number;
  readonly targets: readonly number[];
  readonly sequences: boolean;
  readonly carry: boolean;
  readonly dtype: SeriesDtype;
}

/** Steps [from, to) of a series. */
interface Stretch {
  readonly steps: SeriesSteps;
  readonly from: number;
  readonly to: number;
}

function checkSizes(options: WindowsOptions, features: number): Sizes {
  const count = (name: "length" | "horizon" | "stride", standard?: number): number =>
    checkNumber(`windows.${name}`, options[name] ?? standard, { min: 1, integer: true });
  const flag = (name: "sequences" | "carry"): boolean => checkBoolean(`windows.${name}`, options[name] ?? false);
  const [length, carry] = [count("length"), flag("carry")];
  const stride = count("stride", carry ? length : 1);
  if (carry && stride !== length)
    fail("ERR_OPTION", "windows.stride", `${length}, the length of a window that the next one goes on from,`, stride);
  const { targets = Array.from({ length: features }, (_, column) => column), dtype = "f32" } = options;
  if (!Array.isArray(targets) || targets.length === 0)
    fail("ERR_OPTION", "windows.targets", "a list of columns", targets);
  for (const column of targets) checkNumber("windows.targets", column, { min: 0, below: features, integer: true });
  return { length, horizon: count("horizon", 1), stride, targets, sequences: flag("sequences"), carry, dtype };
}

/**
 * Windows over a series, a number or a list of numbers a step, a typed array or a tensor of one or two axes, or over a list of several: each shows `length` steps and is followed by `horizon` steps that are to be
 * told. With `validation` the last steps of each series are held out: no window of training reads or tells one of them, and no window of validation reads or tells one before them, so that nothing leaks; windows
 * across the border are left out, and so are steps at the end that are no whole window. No window lies in two series; a series without room for one has none. Data without any, and a number that is not finite in
 * float32, or no integer where these are asked for, is `ERR_DATA`.
 *
 * With `carry` windows follow one another without a gap, and `carry` of the result is 1 for each that goes on from the one before: `fit` then goes through them in `batchSize` lanes.
 *
 * @example
 * const { train, validation } = windows(load, { length: 48, horizon: 24, stride: 4, validation: 0.2 });
 */
export function windows<D extends SeriesDtype = "f32", C extends boolean = false>(
  series: Series | SeveralSeries,
  options: WindowsOptions<undefined, D, C>,
): Windows<D, C>;
export function windows<D extends SeriesDtype = "f32", C extends boolean = false>(
  series: Series | SeveralSeries,
  options: WindowsOptions<number, D, C>,
): DividedWindows<D, C>;
export function windows(
  series: Series | SeveralSeries,
  options: WindowsOptions,
): Cut | { readonly train: Cut; readonly validation: Cut } {
  const keys = ["length", "horizon", "stride", "targets", "validation", "sequences", "dtype", "carry"];
  checkKeys("windows", options, keys);
  const dtype = checkOneOf("windows.dtype", options.dtype ?? "f32", ["f32", "i32"]);
  const all = readSeries("windows.series", series, dtype);
  const sizes = checkSizes(options, all[0]?.features ?? 1);
  const { validation } = options;
  const whole = all.map((steps): Stretch => ({ steps, from: 0, to: steps.count }));
  if (validation === undefined) return windowsIn("the series", whole, sizes);
  const share = checkNumber("windows.validation", validation, { above: 0, below: 1 });
  const border = ({ count }: SeriesSteps): number => count - Math.round(count * share);
  return {
    train: windowsIn(
      "training",
      whole.map((stretch) => ({ ...stretch, to: border(stretch.steps) })),
      sizes,
    ),
    validation: windowsIn(
      "validation",
      whole.map((stretch) => ({ ...stretch, from: border(stretch.steps) })),
      sizes,
    ),
  };
}

/** The windows of some stretches. */
function windowsIn(name: string, stretches: readonly Stretch[], sizes: Sizes): Cut {
  const { length, horizon, stride, targets, sequences, dtype } = sizes;
  const counts = stretches.map(({ from, to }) => Math.max(0, Math.floor((to - from - length - horizon) / stride) + 1));
  const count = counts.reduce((sum, own) => sum + own, 0);
  if (count === 0) {
    const longest = Math.max(...stretches.map(({ from, to }) => to - from));
    const expected = `expected ${length} + ${horizon} steps or more of ${name} for 'windows'`;
    throw new CarillonError("ERR_DATA", "windows", `${expected} but received ${longest}`);
  }
  const features = stretches[0]?.steps.features ?? 1;
  const [shown, told, places] = [length * features, horizon * targets.length, sequences ? length : 1];
  const memory = (size: number): Float32Array | Int32Array =>
    dtype === "i32" ? new Int32Array(size) : new Float32Array(size);
  const [x, y] = [memory(count * shown), memory(count * places * told)];
  const carry = new Int32Array(count);
  let window = 0;
  for (const [at, { steps, from }] of stretches.entries()) {
    for (let own = 0; own < (counts[at] ?? 0); own++, window++) {
      const begin = from + own * stride;
      x.set(steps.values.subarray(begin * features, begin * features + shown), window * shown);
      for (let place = 0; place < places; place++) {
        const behind = begin + (sequences ? place + 1 : length);
        writeTold(y, (window * places + place) * told, steps, behind, sizes);
      }
      if (own > 0) carry[window] = 1;
    }
  }
  const tensorOf = (data: Float32Array | Int32Array, shape: readonly number[]): Tensor =>
    isInts(data) ? new Tensor(data, shape, "i32") : new Tensor(data, shape, "f32");
  const single = (size: number): readonly number[] => (dtype === "i32" && size === 1 ? [] : [size]);
  const cut = {
    x: tensorOf(x, [count, length, ...single(features)]),
    y: tensorOf(y, [count, ...(sequences ? [length] : []), ...single(told)]),
  };
  return sizes.carry ? { ...cut, carry: new Tensor(carry, [count], "i32") } : cut;
}

/** Writes the columns of `horizon` steps from step `behind` on that are to be told. */
function writeTold(
  y: Float32Array | Int32Array,
  to: number,
  { values, features }: SeriesSteps,
  behind: number,
  { horizon, targets }: Sizes,
): void {
  for (let ahead = 0; ahead < horizon; ahead++) {
    for (const [at, column] of targets.entries())
      y[to + ahead * targets.length + at] = values[(behind + ahead) * features + column] ?? 0;
  }
}

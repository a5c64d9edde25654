import { CarillonError, fail } from "../errors.js";
import { checkKeys, checkNumber } from "../options.js";
import { isNumberArray, type NumberArray } from "../tensor/arrays.js";
import { Tensor } from "../tensor/tensor.js";
import type { TensorLike } from "./dataset.js";
import { isTensorLike } from "./member.js";

/** Options of {@link windows}. */
export interface WindowsOptions<V extends number | undefined = number | undefined> {
  /** Steps that a window shows. */
  readonly length: number;
  /** Steps behind them that are to be told; 1 by default. */
  readonly horizon?: number | undefined;
  /** Steps between the beginnings of two windows; 1 by default. */
  readonly stride?: number | undefined;
  /** Columns that are to be told, all by default. */
  readonly targets?: readonly number[] | undefined;
  /** Share of the steps, in (0, 1), at the end of the series that windows of validation lie in; without it there are no such windows. */
  readonly validation?: V;
}

/** Windows of a series with what follows each. */
export interface Windows {
  /** [windows, length, features] */
  readonly x: Tensor<"f32">;
  /** [windows, horizon·targets], step by step. */
  readonly y: Tensor<"f32">;
}

/** Windows of the beginning and of the end of a series. */
export interface DividedWindows {
  readonly train: Windows;
  readonly validation: Windows;
}

type Series = readonly number[] | readonly (readonly number[])[] | NumberArray | TensorLike;

/** Steps of a series, one behind the other in float32. */
interface Steps {
  readonly values: Float32Array;
  readonly features: number;
  readonly count: number;
}

function stepsOf(series: Series): Steps {
  const where = "windows.series";
  if (isNumberArray(series)) return finite(Float32Array.from(series), 1);
  if (isTensorLike(series)) {
    const { shape, data } = series;
    const [count = 0, features = 1] = shape;
    if (shape.length === 0 || shape.length > 2 || data.length === 0 || data.length !== count * features)
      fail("ERR_SHAPE", where, "a tensor, [steps] or [steps, features],", series);
    return finite(Float32Array.from(data), features);
  }
  if (!Array.isArray(series) || series.length === 0)
    fail("ERR_DATA", where, "a number or a list of numbers a step", series);
  const first: unknown = series[0];
  const features = Array.isArray(first) ? first.length : 1;
  const values = new Float32Array(series.length * features);
  for (const [step, row] of series.entries()) {
    const numbers: readonly unknown[] = Array.isArray(row) ? row : [row];
    if (numbers.length !== features || features === 0)
      fail("ERR_SHAPE", `${where}[${step}]`, `${Math.max(features, 1)} numbers, as the first step has,`, row);
    for (const [column, value] of numbers.entries())
      values[step * features + column] = checkNumber(`${where}[${step}]`, value);
  }
  return finite(values, features);
}

/** The steps, unless one is no finite number in float32. */
function finite(values: Float32Array, features: number): Steps {
  const wrong = values.findIndex((value) => !Number.isFinite(value));
  const place = `windows.series[${Math.floor(wrong / features)}]`;
  if (wrong >= 0) fail("ERR_DATA", place, "a number that is finite in float32", values[wrong]);
  if (values.length === 0) fail("ERR_DATA", "windows.series", "a step or more", values);
  return { values, features, count: values.length / features };
}

/**
 * Windows over a series, a number or a list of numbers a step, a typed array or a tensor of one or two axes: each shows `length` steps and is followed by `horizon` steps that are to be told. With `validation` the
 * last steps are held out: no window of training reads or tells one of them, and no window of validation reads or tells one before them, so that nothing leaks; windows across
 * the border are left out. A part without room for one window, and a number that is not
 * finite in float32, is `ERR_DATA`.
 *
 * @example
 * const { train, validation } = windows(load, { length: 48, horizon: 24, stride: 4, validation: 0.2 });
 */
export function windows(series: Series, options: WindowsOptions<undefined>): Windows;
export function windows(series: Series, options: WindowsOptions<number>): DividedWindows;
export function windows(series: Series, options: WindowsOptions): Windows | DividedWindows {
  checkKeys("windows", options, ["length", "horizon", "stride", "targets", "validation"]);
  const count = (name: "length" | "horizon" | "stride", standard?: number): number =>
    checkNumber(`windows.${name}`, options[name] ?? standard, { min: 1, integer: true });
  const sizes = { length: count("length"), horizon: count("horizon", 1), stride: count("stride", 1) };
  const steps = stepsOf(series);
  const { features } = steps;
  const { targets = Array.from({ length: features }, (_, column) => column), validation } = options;
  if (!Array.isArray(targets) || targets.length === 0)
    fail("ERR_OPTION", "windows.targets", "a list of columns", targets);
  for (const column of targets) checkNumber("windows.targets", column, { min: 0, below: features, integer: true });
  const part = (name: string, from: number, to: number) => windowsIn(name, steps, { ...sizes, targets, from, to });
  if (validation === undefined) return part("the series", 0, steps.count);
  const share = checkNumber("windows.validation", validation, { above: 0, below: 1 });
  const border = steps.count - Math.round(steps.count * share);
  return { train: part("training", 0, border), validation: part("validation", border, steps.count) };
}

interface Cut {
  readonly length: number;
  readonly horizon: number;
  readonly stride: number;
  readonly targets: readonly number[];
  readonly from: number;
  readonly to: number;
}

/** The windows of steps [from, to). */
function windowsIn(name: string, { values, features }: Steps, cut: Cut): Windows {
  const { length, horizon, stride, targets, from, to } = cut;
  const count = Math.floor((to - from - length - horizon) / stride) + 1;
  if (count < 1) {
    const expected = `expected ${length} + ${horizon} steps or more of ${name} for 'windows'`;
    throw new CarillonError("ERR_DATA", "windows", `${expected} but received ${to - from}`);
  }
  const [shown, told] = [length * features, horizon * targets.length];
  const x = new Float32Array(count * shown);
  const y = new Float32Array(count * told);
  for (let window = 0; window < count; window++) {
    const begin = (from + window * stride) * features;
    const behind = begin + shown;
    x.set(values.subarray(begin, behind), window * shown);
    for (let place = 0; place < told; place++) {
      const step = Math.floor(place / targets.length);
      y[window * told + place] =
        values[behind + step * features + (targets[place % targets.length] ?? 0)] ?? Number.NaN;
    }
  }
  return { x: new Tensor(x, [count, length, features], "f32"), y: new Tensor(y, [count, told], "f32") };
}

import { CarillonError, fail } from "../errors.js";
import { checkKeys, checkNumber } from "../options.js";
import { Tensor } from "../tensor/tensor.js";

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

type Series = readonly number[] | readonly (readonly number[])[] | Float32Array | Float64Array;

/** A series as rows of numbers. */
function rowsOf(series: Series): readonly (readonly number[])[] {
  const where = "windows.series";
  const list: readonly unknown[] = Array.isArray(series) ? series : Array.from(series as Float32Array);
  if (list.length === 0) fail("ERR_DATA", where, "a number or a list of numbers a step", series);
  const rows = list.map((step): readonly unknown[] => (Array.isArray(step) ? step : [step]));
  const features = rows[0]?.length ?? 0;
  return rows.map((row, step) => {
    const place = `${where}[${step}]`;
    if (row.length !== features || features === 0)
      fail("ERR_SHAPE", place, `${Math.max(features, 1)} numbers, as the first step has,`, row);
    return row.map((value) => checkNumber(place, Number.isFinite(value) ? Number(value) : Number.NaN));
  });
}

/**
 * Windows over a series, a number or a list of numbers a step: each shows `length` steps and is followed by `horizon` steps that are to be told. With `validation` the
 * last steps are held out: no window of training reads or tells one of them, and no window of validation reads or tells one before them, so that nothing leaks; windows across
 * the border are left out. A part without room for one window is `ERR_DATA`, with the sizes.
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
  const rows = rowsOf(series);
  const features = rows[0]?.length ?? 0;
  const { targets = Array.from({ length: features }, (_, column) => column), validation } = options;
  if (!Array.isArray(targets) || targets.length === 0)
    fail("ERR_OPTION", "windows.targets", "a list of columns", targets);
  for (const column of targets) checkNumber("windows.targets", column, { min: 0, below: features, integer: true });
  const part = (name: string, from: number, to: number) => windowsIn(name, rows, { ...sizes, targets, from, to });
  if (validation === undefined) return part("the series", 0, rows.length);
  const share = checkNumber("windows.validation", validation, { above: 0, below: 1 });
  const border = rows.length - Math.round(rows.length * share);
  return { train: part("training", 0, border), validation: part("validation", border, rows.length) };
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
function windowsIn(name: string, rows: readonly (readonly number[])[], cut: Cut): Windows {
  const { length, horizon, stride, targets, from, to } = cut;
  const count = Math.floor((to - from - length - horizon) / stride) + 1;
  if (count < 1) {
    const expected = `expected ${length} + ${horizon} steps or more of ${name} for 'windows'`;
    throw new CarillonError("ERR_DATA", "windows", `${expected} but received ${to - from}`);
  }
  const features = rows[0]?.length ?? 0;
  const [x, y]: [number[], number[]] = [[], []];
  for (let window = 0; window < count; window++) {
    const begin = from + window * stride;
    for (const row of rows.slice(begin, begin + length)) for (const value of row) x.push(value);
    for (const row of rows.slice(begin + length, begin + length + horizon)) {
      for (const column of targets) y.push(row[column] ?? Number.NaN);
    }
  }
  return {
    x: new Tensor(Float32Array.from(x), [count, length, features], "f32"),
    y: new Tensor(Float32Array.from(y), [count, horizon * targets.length], "f32"),
  };
}

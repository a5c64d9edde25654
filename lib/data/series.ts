// Series as windows are cut from them: numbers of steps, one step behind the other.
import { fail } from "../errors.js";
import { checkNumber } from "../options.js";
import { isNumberArray, type NumberArray } from "../tensor/arrays.js";
import type { TensorLike } from "./dataset.js";
import { isTensorLike } from "./member.js";

/** A number or a list of numbers a step, a typed array, or a tensor of [steps] or [steps, features]. */
export type Series = readonly number[] | readonly (readonly number[])[] | NumberArray | TensorLike;

/** Several of them: lists of steps of several numbers, typed arrays or tensors. */
export type SeveralSeries = readonly (readonly (readonly number[])[] | NumberArray | TensorLike)[];

/** What windows hold: numbers, or integers such as those of characters. */
export type SeriesDtype = "f32" | "i32";

/** Steps of a series. */
export interface SeriesSteps {
  readonly values: Float32Array | Int32Array;
  readonly features: number;
  readonly count: number;
}

/** Whether it is a list of several series: of a single one the steps are numbers or lists of numbers. */
function areSeveral(series: Series | SeveralSeries): series is SeveralSeries {
  if (!Array.isArray(series)) return false;
  const first: unknown = series[0];
  return isNumberArray(first) || isTensorLike(first) || (Array.isArray(first) && Array.isArray(first[0]));
}

/** Flat numbers of a series, those of a list checked one by one, and how many a step has. */
function flatOf(where: string, series: unknown): { readonly numbers: ArrayLike<number>; readonly features: number } {
  if (isNumberArray(series)) return { numbers: series, features: 1 };
  if (isTensorLike(series)) {
    const { shape, data } = series;
    const [count = 0, features = 1] = shape;
    if (shape.length === 0 || shape.length > 2 || data.length === 0 || data.length !== count * features)
      fail("ERR_SHAPE", where, "a tensor, [steps] or [steps, features],", series);
    return { numbers: data, features };
  }
  if (!Array.isArray(series) || series.length === 0)
    return fail("ERR_DATA", where, "a number or a list of numbers a step", series);
  const steps: readonly unknown[] = series;
  const [first] = steps;
  const features = Array.isArray(first) ? first.length : 1;
  const numbers = new Float64Array(steps.length * features);
  for (const [step, row] of steps.entries()) {
    const given: readonly unknown[] = Array.isArray(row) ? row : [row];
    if (given.length !== features || features === 0)
      fail("ERR_SHAPE", `${where}[${step}]`, `${Math.max(features, 1)} numbers, as the first step has,`, row);
    for (const [column, value] of given.entries())
      numbers[step * features + column] = checkNumber(`${where}[${step}]`, value);
  }
  return { numbers, features };
}

function stepsOf(where: string, series: unknown, dtype: SeriesDtype): SeriesSteps {
  const { numbers, features } = flatOf(where, series);
  const refuse = (at: number, what: string): never =>
    fail("ERR_DATA", `${where}[${Math.floor(at / features)}]`, what, numbers[at]);
  if (numbers.length === 0) fail("ERR_DATA", where, "a step or more", series);
  const count = numbers.length / features;
  if (dtype === "i32") {
    const values = Int32Array.from(numbers);
    const wrong = values.findIndex((value, at) => value !== numbers[at]);
    return wrong >= 0 ? refuse(wrong, "a 32-bit integer") : { values, features, count };
  }
  const values = Float32Array.from(numbers);
  const wrong = values.findIndex((value) => !Number.isFinite(value));
  return wrong >= 0 ? refuse(wrong, "a number that is finite in float32") : { values, features, count };
}

/** The steps of one series, or of several with as many features: `ERR_SHAPE`; `ERR_DATA` for what is no number that `dtype` holds. */
export function readSeries(where: string, series: Series | SeveralSeries, dtype: SeriesDtype): readonly SeriesSteps[] {
  if (!areSeveral(series)) return [stepsOf(where, series, dtype)];
  const all = series.map((one, at) => stepsOf(`${where}[${at}]`, one, dtype));
  const features = all[0]?.features;
  const other = all.findIndex((one) => one.features !== features);
  if (other >= 0)
    fail(
      "ERR_SHAPE",
      `${where}[${other}]`,
      `${features} numbers a step, as the first series has,`,
      all[other]?.features,
    );
  return all;
}

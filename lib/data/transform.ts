import { madeBy } from "../described.js";
import { CarillonError, fail } from "../errors.js";
import type { Part } from "../io/part.js";
import { checkKeys, checkNothing, checkNumber } from "../options.js";
import { SampledRows } from "./quantiles.js";

/** A fitted change of units, column by column: `(value − shift)/scale`, in double. */
export interface Affine {
  /** Name of the transform that was fitted. */
  readonly kind: string;
  readonly shift: readonly number[];
  readonly scale: readonly number[];
}

/** Figures of the columns of a set, over its rows. */
export interface ColumnSummary {
  readonly mean: number;
  /** Of the population: the root of the mean of (value − mean)². */
  readonly deviation: number;
  readonly min: number;
  readonly max: number;
  /** The value below which a share q in [0, 1] of the values lies, between two of them on a line; for transforms that ask for `values`. */
  quantile(share: number): number;
}

/** A change of units that is fitted on the training examples. */
export interface Transform {
  readonly kind: string;
  /** Whether it looks at quantiles, for which all values of a column are kept. @internal */
  readonly ranks?: boolean | undefined;
  /** Shift and scale ≠ 0 of one column, of inputs or of targets. @internal */
  fit(column: ColumnSummary, of: "inputs" | "targets"): { readonly shift: number; readonly scale: number };
}

/** 2⁻¹²⁶, the smallest normal float32. */
const LEAST_FLOAT = 1.1754943508222875e-38;

/**
 * Sizes from which squares would leave the range of doubles, 2⁴⁸⁰ and 2⁻⁴⁰⁰, and 2⁶⁰⁰, which brings values back. Between them
 * nothing is scaled, and scaling is exact, so that it never changes a bit of what could be held without.
 */
const HUGE = 3.1217485503159922e144;
const TINY = 3.8725919148493183e-121;
const FACTOR = 4.149515568880993e180;

/** Factor of values of at most `size` before they are squared. */
function factorFor(size: number): number {
  if (size > HUGE) return 1 / FACTOR;
  return size < TINY && size > 0 ? FACTOR : 1;
}

/** Sums over rows, in double, in one pass: Welford 1962. Its bits depend on the order of the rows only. */
export class ColumnStatistics {
  readonly columns: number;
  /** Times the factor. */
  readonly #mean: Float64Array;
  /** Σ (value − mean)², times the factor's square */
  readonly #squares: Float64Array;
  /** A power of two a column, by its largest value so far. */
  readonly #factor: Float64Array;
  readonly #min: Float64Array;
  readonly #max: Float64Array;
  readonly #values: SampledRows | undefined;
  #rows = 0;

  constructor(columns: number, transform?: Transform | undefined) {
    this.columns = columns;
    this.#values = transform?.ranks === true ? new SampledRows(columns) : undefined;
    this.#mean = new Float64Array(columns);
    this.#squares = new Float64Array(columns);
    this.#factor = new Float64Array(columns).fill(1);
    this.#min = new Float64Array(columns).fill(Number.POSITIVE_INFINITY);
    this.#max = new Float64Array(columns).fill(Number.NEGATIVE_INFINITY);
  }

  get rows(): number {
    return this.#rows;
  }

  /** Takes in the row that begins at element `offset` of `values`: finite numbers. */
  add(values: ArrayLike<number>, offset: number): void {
    this.#rows += 1;
    this.#values?.add(values, offset);
    const rows = this.#rows;
    const mean = this.#mean;
    const squares = this.#squares;
    const min = this.#min;
    const max = this.#max;
    for (let column = 0; column < this.columns; column++) {
      const given = values[offset + column] ?? 0;
      if (given < (min[column] ?? 0) || given > (max[column] ?? 0)) this.#widen(column, given);
      const value = given * (this.#factor[column] ?? 1);
      const before = value - (mean[column] ?? 0);
      const moved = (mean[column] ?? 0) + before / rows;
      mean[column] = moved;
      squares[column] = (squares[column] ?? 0) + before * (value - moved);
    }
  }

  /** Takes `value` into the range of a column. */
  #widen(column: number, value: number): void {
    const min = Math.min(this.#min[column] ?? 0, value);
    const max = Math.max(this.#max[column] ?? 0, value);
    this.#min[column] = min;
    this.#max[column] = max;
    const factor = factorFor(Math.max(-min, max));
    const change = factor / (this.#factor[column] ?? 1);
    if (change === 1) return;
    this.#factor[column] = factor;
    this.#mean[column] = (this.#mean[column] ?? 0) * change;
    this.#squares[column] = (this.#squares[column] ?? 0) * change * change;
  }

  summary(): readonly ColumnSummary[] {
    return Array.from(this.#mean, (mean, column) => {
      const factor = this.#factor[column] ?? 1;
      const deviation = Math.sqrt((this.#squares[column] ?? 0) / this.#rows) / factor;
      const [min = 0, max = 0] = [this.#min[column], this.#max[column]];
      const quantile = (share: number): number => this.#values?.quantile(column, share) ?? 0;
      return { mean: mean / factor, deviation, min, max, quantile };
    });
  }

  /**
   * The transform with the figures of these rows; `ERR_DATA` names a column whose range, shift or scale no double can hold. With
   * `narrow` that is asked of float32, in which predictions are given back.
   */
  fit(where: string, transform: Transform, narrow = false): Affine {
    const { kind, fit } = transform;
    const fitted = this.summary().map((column, index) => {
      const { shift, scale } = fit(column, narrow ? "targets" : "inputs");
      const least = narrow ? LEAST_FLOAT : 0;
      const figures = [column.max - column.min, shift, scale];
      if (figures.every(Number.isFinite) && Math.abs(scale) > least) return { shift, scale };
      const numbers = narrow ? "float32 numbers" : "doubles";
      const expected = `a column ${index} whose range has a shift and a scale among the ${numbers}`;
      const received = `values from ${column.min} to ${column.max}`;
      throw new CarillonError("ERR_DATA", where, `expected ${expected} for '${where}' but received ${received}`);
    });
    return { kind, shift: fitted.map(({ shift }) => shift), scale: fitted.map(({ scale }) => scale) };
  }
}

function transform(
  kind: string,
  options: Readonly<Record<string, unknown>>,
  fit: Transform["fit"],
  ranks = false,
): Transform {
  return madeBy(kind, options, Object.freeze({ kind, fit, ...(ranks ? { ranks } : {}) }));
}

/**
 * Columns of mean 0 and deviation 1: `(value − mean)/σ`, σ² the mean of (value − mean)² over the training examples. A
 * constant column becomes 0. Every example counts once, whatever it weighs; one of weight 0, its own or that of its class, is left
 * out. As scikit-learn's `StandardScaler`, fitted without the examples of weight 0.
 */
export function standardize(): Transform;
export function standardize(...given: readonly unknown[]): Transform {
  checkNothing("standardize", given);
  return transform("standardize", {}, ({ mean, deviation, min, max }) => {
    return { shift: mean, scale: max === min ? 1 : deviation };
  });
}

/**
 * Columns of median 0 whose middle half is 1 wide: `(value − median)/(q75 − q25)`, quantiles of the training examples, between two
 * values on a line; where the quartiles are equal, `2·(value − median)/(max − min)`; a constant column becomes 0, whatever comes later.
 * Exact up to 1,000,000 rows; of more, quantiles are those of as many, drawn evenly. For inputs with outliers, before `smoothClip()`.
 *
 * Holzmüller, Grinsztajn, Steinwart 2024; the arithmetic of pytabkit, in double. Which rows count, as for {@link standardize}.
 */
export function robustScale(): Transform;
export function robustScale(...given: readonly unknown[]): Transform {
  checkNothing("robustScale", given);
  const fit: Transform["fit"] = ({ min, max, quantile }, of) => {
    const shift = quantile(0.5);
    const middle = quantile(0.75) - quantile(0.25);
    if (middle > 0) return { shift, scale: middle };
    if (max > min) return { shift, scale: max / 2 - min / 2 };
    return { shift, scale: of === "targets" ? 1 : Number.MAX_VALUE };
  };
  return transform("robustScale", {}, fit, true);
}

/** Options of {@link minMax}. */
export interface MinMaxOptions {
  /** Where the smallest and the largest training value go; `[0, 1]` by default. */
  readonly range?: readonly [from: number, to: number] | undefined;
}

/**
 * Columns from `from` to `to`: `from + (value − min)·(to − from)/(max − min)` with the smallest and the largest value of
 * the training examples; later values may lie outside. A constant column becomes `from`. As scikit-learn's
 * `MinMaxScaler`. `ERR_OPTION` unless from < to.
 */
export function minMax(options: MinMaxOptions = {}): Transform {
  checkKeys("minMax", options, ["range"]);
  const range: unknown = options.range ?? [0, 1];
  if (!(Array.isArray(range) && range.length === 2)) fail("ERR_OPTION", "minMax.range", "two numbers", range);
  const from = checkNumber("minMax.range[0]", range[0]);
  const to = checkNumber("minMax.range[1]", range[1], { above: from });
  return transform("minMax", { range: [from, to] }, ({ min, max }) => {
    const scale = (max === min ? 1 : max - min) / (to - from);
    return { shift: min - from * scale, scale };
  });
}

/**
 * Every value divided by a constant: `divideBy(255)` takes bytes to [0, 1]. Bytes stay bytes in memory and are scaled
 * while a batch is gathered. `ERR_OPTION` unless the divisor is a number > 0.
 */
export function divideBy(divisor: number): Transform {
  const scale = checkNumber("divideBy.divisor", divisor, { above: 0 });
  return transform("divideBy", { divisor: scale }, () => ({ shift: 0, scale }));
}

/** A transform, `null` for none, or `undefined`; else `ERR_OPTION`. */
export function checkTransform(where: string, value: unknown): Transform | null | undefined {
  if (value === undefined || value === null || isTransform(value)) return value;
  return fail("ERR_OPTION", where, "a transform, such as standardize(),", value);
}

export function isTransform(value: unknown): value is Transform {
  return (
    typeof value === "object" && value !== null && "kind" in value && "fit" in value && typeof value.fit === "function"
  );
}

/** `value` of a column in the new units. */
export function transformed(affine: Affine | undefined, column: number, value: number): number {
  if (affine === undefined) return value;
  return (value - (affine.shift[column] ?? 0)) / (affine.scale[column] ?? 1);
}

/** Rows in the new units, as f32; a new array. */
export function transformRows(affine: Affine, data: ArrayLike<number>): Float32Array<ArrayBuffer> {
  const columns = affine.shift.length;
  const result = new Float32Array(data.length);
  for (let index = 0; index < data.length; index++) {
    result[index] = transformed(affine, index % columns, data[index] ?? 0);
  }
  return result;
}

/** Rows back in the old units, in place: `value·scale + shift` in double, rounded to f32. */
export function restoreRows({ shift, scale }: Affine, data: Float32Array): void {
  const columns = shift.length;
  for (let index = 0; index < data.length; index++) {
    const column = index % columns;
    data[index] = (data[index] ?? 0) * (scale[column] ?? 1) + (shift[column] ?? 0);
  }
}

/** Whether a program, which computes in float32, can change these units itself. */
export function fitsProgram(affine: Affine | undefined): boolean {
  if (affine === undefined) return true;
  const most = 1 / LEAST_FLOAT;
  const held = (value: number): boolean => Math.abs(value) <= most;
  return affine.shift.every(held) && affine.scale.every((scale) => held(scale) && held(1 / scale));
}

/** The one factor of all columns where nothing is shifted: what a gather multiplies bytes by. */
export function commonFactor({ shift, scale }: Affine): number | undefined {
  const [first = 1] = scale;
  return shift.every((one) => one === 0) && scale.every((one) => one === first) ? 1 / first : undefined;
}

/** Units of a bound input: what the program has still to do to it, and what the gather multiplies bytes by. */
export interface UnitsLeft {
  readonly affine: Affine | undefined;
  readonly scale: number;
}

/** Of rows that are in the new units already, or of bytes, which are left to the program, or to the gather where one factor does it. */
export function unitsLeft(affine: Affine | undefined, bytes: boolean): UnitsLeft {
  if (!bytes || affine === undefined) return { affine: undefined, scale: 1 };
  const factor = commonFactor(affine);
  return factor === undefined ? { affine, scale: 1 } : { affine: undefined, scale: factor };
}

/** A fitted transform as a file has it; `ERR_FILE` unless it has finite figures for each of `columns` columns, and scales that are not 0. */
export function affineOf(part: Part, columns: number): Affine {
  const figures = (name: "shift" | "scale"): readonly number[] =>
    part
      .at(name)
      .list(columns)
      .map((one) => one.number());
  const affine = { kind: part.at("kind").text(), shift: figures("shift"), scale: figures("scale") };
  for (const scale of part.at("scale").list()) scale.expect(scale.value !== 0, "a number that is not 0");
  return affine;
}

/** Changes of units that a model's raw inputs and targets go through, in their order. */
export interface UnitsOfRows {
  readonly inputs: readonly (Affine | undefined)[];
  readonly targets: readonly (Affine | undefined)[];
}

/** None. */
export const NO_UNITS: UnitsOfRows = { inputs: [], targets: [] };

/** Columns that rows of a shape have units for: those of the last axis. */
export function unitColumns(shape: readonly number[]): number {
  return shape.at(-1) ?? 1;
}

/** Changes of units that a model's raw inputs and targets go through. */
export interface Transforms {
  readonly inputs?: Affine | undefined;
  readonly targets?: Affine | undefined;
  /** Those of a model with named inputs or outputs. */
  readonly named?: Record<"inputs" | "targets", Readonly<Record<string, Affine>>> | undefined;
}

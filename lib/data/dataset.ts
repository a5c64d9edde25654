import { CarillonError, describe, fail } from "../errors.js";
import { isDetached } from "../tensor/detached.js";
import { type Affine, transformed, transformRows } from "./transform.js";

/** Anything with the shape and the data of a tensor; a `Tensor` is one. */
export interface TensorLike {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array | Uint8Array;
}

/** Numbers by row: one array, or one typed array, an example. */
export type Rows = readonly (readonly number[])[] | readonly Float32Array[];

/** Inputs of a data set: [rows, columns], flat in typed arrays. */
export type Features = Float32Array | Uint8Array | Rows | TensorLike;

/** Classes: one integer a row, one name, or a row with a single 1. */
export type Labels =
  | Int32Array
  | Uint8Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array
  | readonly number[]
  | readonly bigint[]
  | readonly string[]
  | Rows
  | TensorLike;

/** Targets of a regression: [rows, columns]; one number a row needs no inner arrays. */
export type Targets = Float32Array | Int32Array | Uint8Array | readonly number[] | Rows | TensorLike;

/** Weights of examples, one number ≥ 0 a row. */
export type Weights = Float32Array | readonly number[];

/** A data set in memory: the examples are the rows. */
export interface Examples<X = Features, Y = Labels | Targets> {
  readonly x: X;
  readonly y: Y;
  readonly weight?: Weights | undefined;
}

/** A checked matrix, row-major: `data.length` is `rows · columns`. Typed arrays are passed on, not copied. */
export type BoundMatrix =
  | { readonly dtype: "f32"; readonly rows: number; readonly columns: number; readonly data: Float32Array }
  | { readonly dtype: "u8"; readonly rows: number; readonly columns: number; readonly data: Uint8Array };

/** Where rows stand in a larger set, and the units that they are to be in. */
export interface RowsAt {
  /** Number of the first row, for errors; 0 by default. */
  readonly firstRow?: number | undefined;
  /** Applied in double before a value is rounded to f32; bytes are left alone. */
  readonly affine?: Affine | undefined;
}

/**
 * Inputs as a matrix of `features` columns. u8 stays u8, arrays of numbers are copied to f32 (rounded to nearest).
 *
 * Errors: no rows, a last row cut off, rows of different lengths, a value that is not finite as float32
 * (`ERR_DATA` with row and column, counted from 0); a tensor of another shape (`ERR_SHAPE`); another type of
 * elements (`ERR_DTYPE`); a typed array whose memory was transferred away (`ERR_DETACHED`).
 */
export function bindFeatures(where: string, x: Features, features: number, at: RowsAt = {}): BoundMatrix {
  const data = matrixData(where, x, features, at);
  if (data instanceof Uint8Array) {
    return { dtype: "u8", rows: countRows(where, data, features), columns: features, data };
  }
  if (data instanceof Int32Array) return fail("ERR_DTYPE", where, "f32 or u8 data", data);
  return { dtype: "f32", ...bindFloats(where, Array.isArray(x) ? data : inUnits(data, at), features, at) };
}

/** Regression targets as an f32 matrix; integers are converted. Errors as for {@link bindFeatures}. */
export function bindTargets(
  where: string,
  y: Targets,
  columns: number,
  at: RowsAt = {},
): { readonly rows: number; readonly columns: number; readonly data: Float32Array } {
  if (columns === 1 && isNumbers(y)) {
    const data = Float32Array.from(y, (value) => transformed(at.affine, 0, value));
    return bindFloats(where, data, columns, at);
  }
  const data = matrixData(where, y, columns, at);
  return bindFloats(where, Array.isArray(y) ? Float32Array.from(data) : inUnits(data, at), columns, at);
}

/** Elements as f32, in the units of `at`. */
function inUnits(data: Float32Array | Int32Array | Uint8Array, { affine }: RowsAt): Float32Array {
  if (affine !== undefined) return transformRows(affine, data);
  return data instanceof Float32Array ? data : Float32Array.from(data);
}

/** Targets as {@link bindTargets}, all of them in [0, 1]; else `ERR_LABEL` with row, value and range. */
export function bindProbabilities(
  where: string,
  y: Targets,
  columns: number,
  at: RowsAt = {},
): { readonly rows: number; readonly columns: number; readonly data: Float32Array } {
  const bound = bindTargets(where, y, columns, at);
  const outside = bound.data.findIndex((value) => !(value >= 0 && value <= 1));
  if (outside < 0) return bound;
  throw new CarillonError(
    "ERR_LABEL",
    where,
    `expected a number in [0, 1] for '${where}' but received ${describe(bound.data[outside])} in row ` +
      `${(at.firstRow ?? 0) + Math.floor(outside / columns)}, column ${outside % columns}`,
  );
}

/** Weights of `rows` examples as f32: finite, ≥ 0, not all 0; else `ERR_DATA`. */
export function bindWeights(where: string, weight: Weights, rows: number): Float32Array {
  const raw: unknown = weight;
  if (!(raw instanceof Float32Array || isNumbers(raw))) {
    return fail("ERR_DTYPE", where, "a Float32Array or an array of numbers", raw);
  }
  const { data } = bindFloats(where, raw instanceof Float32Array ? raw : Float32Array.from(raw), 1);
  if (data.length !== rows) fail("ERR_DATA", where, `one weight for each of ${rows} rows`, weight);
  const negative = data.findIndex((value) => value < 0);
  if (negative >= 0) fail("ERR_DATA", where, `a weight >= 0 in row ${negative}`, data[negative]);
  if (!data.some((value) => value > 0)) fail("ERR_DATA", where, "a weight above 0 somewhere", "only zeros");
  return data;
}

/** Elements of `value`, row-major. The shape of a tensor and the lengths of rows are checked here. */
function matrixData(
  where: string,
  value: unknown,
  columns: number,
  at: RowsAt = {},
): Float32Array | Int32Array | Uint8Array {
  if (isElements(value)) return value;
  if (Array.isArray(value)) return flatten(where, value, columns, at);
  if (!isTensorLike(value)) return fail("ERR_DTYPE", where, "a typed array, an array of rows or a tensor", value);
  const { shape, data } = value;
  const line = columns === 1 && shape.length === 1;
  const fits = (line || (shape.length === 2 && shape[1] === columns)) && data.length === sizeOf(shape);
  if (!(fits || isDetached(data))) failShape(where, `[rows, ${columns}]`, shape);
  return data;
}

/** Data by rows: how many, and some of them as a value of the same kind without a copy where possible. */
export interface RowParts {
  readonly rows: number;
  part(begin: number, end: number): Float32Array | Int32Array | Uint8Array | readonly unknown[];
}

/** Rows of `columns` values: flat elements, an array of rows (or numbers, for one column), or a tensor. Errors as above. */
export function rowParts(where: string, value: unknown, columns: number): RowParts {
  if (Array.isArray(value)) {
    if (value.length === 0) failEmpty(where, value);
    return { rows: value.length, part: (begin, end) => value.slice(begin, end) };
  }
  const data = matrixData(where, value, columns);
  const rows = countRows(where, data, columns);
  return { rows, part: (begin, end) => data.subarray(begin * columns, end * columns) };
}

/** One value of a row that is to be measured: a finite number, or `ERR_DATA` with the place. */
export function checkElement(where: string, row: number, column: number, value: unknown): number {
  return typeof value === "number" && value - value === 0 ? value : failElement(where, row, column, value);
}

function bindFloats(
  where: string,
  data: Float32Array,
  columns: number,
  { firstRow = 0 }: RowsAt = {},
): { readonly rows: number; readonly columns: number; readonly data: Float32Array } {
  const rows = countRows(where, data, columns);
  for (let index = 0; index < data.length; index++) {
    // Only NaN and infinities differ from themselves here.
    const value = data[index] ?? 0;
    if (value - value !== 0) failElement(where, firstRow + Math.floor(index / columns), index % columns, value);
  }
  return { rows, columns, data };
}

/** Rows of flat data; none, or a part of one, is an error. */
function countRows(where: string, data: Float32Array | Int32Array | Uint8Array, columns: number): number {
  if (data.length === 0) failEmpty(where, data);
  const rows = data.length / columns;
  if (Number.isInteger(rows)) return rows;
  return fail("ERR_DATA", where, `rows of ${columns} values (a multiple of ${columns})`, data);
}

/** Nested rows copied into one f32 array, in the units of `affine`. */
function flatten(
  where: string,
  nested: readonly unknown[],
  columns: number,
  { firstRow = 0, affine }: RowsAt,
): Float32Array {
  const data = new Float32Array(nested.length * columns);
  for (const [index, values] of nested.entries()) {
    const row = firstRow + index;
    if (!(Array.isArray(values) || values instanceof Float32Array)) {
      return fail("ERR_DATA", where, `an array of ${columns} numbers in row ${row}`, values);
    }
    if (values instanceof Float32Array && isDetached(values)) failEmpty(where, values);
    if (values.length !== columns) fail("ERR_DATA", where, `${columns} values in row ${row}`, values);
    for (let column = 0; column < columns; column++) {
      const value: unknown = values[column];
      if (typeof value !== "number") return failElement(where, row, column, value);
      data[index * columns + column] = transformed(affine, column, value);
    }
  }
  return data;
}

function failElement(where: string, row: number, column: number, value: unknown): never {
  return fail("ERR_DATA", where, `a finite float32 in row ${row}, column ${column}`, value);
}

/** A tensor of another shape: `ERR_SHAPE`. */
export function failShape(where: string, expected: string, shape: readonly number[]): never {
  throw new CarillonError(
    "ERR_SHAPE",
    where,
    `expected a tensor of shape ${expected} for '${where}' but received [${shape.join(", ")}]`,
  );
}

/** No elements: either there are none, or the memory was transferred to another thread. */
export function failEmpty(where: string, value: unknown): never {
  const data = isTensorLike(value) ? value.data : value;
  if (isElements(data) && isDetached(data)) {
    throw new CarillonError(
      "ERR_DETACHED",
      where,
      `expected data for '${where}' but received ${data.constructor.name} whose memory was transferred away`,
    );
  }
  return fail("ERR_DATA", where, "at least one row", value);
}

function isElements(value: unknown): value is Float32Array | Int32Array | Uint8Array {
  return value instanceof Float32Array || value instanceof Int32Array || value instanceof Uint8Array;
}

function isNumbers(value: unknown): value is readonly number[] {
  return Array.isArray(value) && typeof value[0] === "number" && value.every((one) => typeof one === "number");
}

/** Whether `value` has a shape and typed data, as a tensor has. */
export function isTensorLike(value: unknown): value is TensorLike {
  return (
    typeof value === "object" &&
    value !== null &&
    "shape" in value &&
    Array.isArray(value.shape) &&
    "data" in value &&
    isElements(value.data)
  );
}

/** Elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

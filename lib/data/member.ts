// One member of a set (x, y or weight): how it may be written, and its values checked one by one. Data in memory and the
// items of a stream go through the same functions, so that both are equally strict.
import { CarillonError, describe, type ErrorCode, fail } from "../errors.js";
import { arrayClass, isBigInts, isBytes, isFloats, isInts, isNumberArray, type NumberArray } from "../tensor/arrays.js";
import { firstOf } from "../tensor/copied.js";
import { isDetached } from "../tensor/detached.js";
import type { RowSpec } from "../tensor/row_spec.js";
import { extent, formatShape, sameShape } from "../tensor/shape.js";
import type { TensorLike } from "./dataset.js";
import { type Affine, transformed } from "./transform.js";

/** How rows are called in errors: those of a set, or the examples of a stream, of which `first` came before. */
export interface Place {
  readonly noun: "row" | "example";
  readonly first: number;
}

/** Rows of a set in memory. */
export const IN_MEMORY: Place = { noun: "row", first: 0 };

/** Form of a row: axes and kind of its numbers. */
export interface RowForm extends Pick<RowSpec, "shape" | "dtype" | "bytes"> {
  /** Values of a row. */
  readonly columns: number;
}

/** Rows of these axes. */
export function rowForm(
  shape: readonly number[],
  dtype: RowForm["dtype"] = "f32",
  bytes: RowForm["bytes"] = undefined,
): RowForm {
  return { shape, dtype, bytes, columns: extent(shape) };
}

/** One number a row: weights. */
export const NUMBER = rowForm([1]);

/** Rows of so many values: one after another, or an array each. */
export interface Member extends RowForm {
  readonly where: string;
  readonly place: Place;
  readonly rows: number;
  readonly values: ArrayLike<unknown>;
  /** Whether each of `values` is a row. */
  readonly nested: boolean;
}

/**
 * The rows of `value`: an array of rows, nested as deep as a row has axes, or a typed array each; numbers, if a row has one; a typed
 * array with all values, row by row; a tensor [rows, …shape]. Of a stream also one number, or a plain array with all values, or one
 * nested row.
 *
 * Errors: no rows, or a part of one (`ERR_DATA`); a tensor of another shape (`ERR_SHAPE`); anything else (`ERR_DTYPE`);
 * memory that was transferred away (`ERR_DETACHED`).
 */
export function memberOf(where: string, value: unknown, form: RowForm, place: Place = IN_MEMORY): Member {
  const streamed = place.noun === "example";
  const { shape, dtype, bytes, columns } = form;
  if (Array.isArray(value)) {
    if (value.length === 0) failEmpty(where, place, value);
    if (streamed && shape.length > 1 && isNested(value, columns, shape.length))
      return memberOf(where, [value], form, place);
    const nested = typeof firstOf(value) === "object" || !(streamed || isNumber(shape));
    const rows = nested ? value.length : countRows(where, place, value, columns);
    return { where, place, shape, dtype, bytes, columns, values: value, nested, rows };
  }
  if (streamed && isNumber(shape) && typeof value === "number") return memberOf(where, [value], form, place);
  const values = flatValues(where, value, shape, place);
  if (bytes && !isBytes(values)) failBytes(where, place, shape, arrayClass(values));
  const rows = countRows(where, place, values, columns, bytes && shape);
  return { where, place, shape, dtype, bytes, columns, values, nested: false, rows };
}

/** Images in words: `28 × 28 × 1`. */
const imagesIn = (shape: readonly number[]): string => `images of ${shape.join(" × ")}`;

/** `ERR_DTYPE` for numbers of an input of bytes that are none. */
function failBytes(where: string, place: Place, shape: readonly number[], received: string | undefined): never {
  const expected = `expected bytes (a Uint8Array) of ${imagesIn(shape)}${at(place)} for '${where}'`;
  throw new CarillonError("ERR_DTYPE", where, `${expected} but received ${received ?? "other numbers"}`);
}

/** Whether a row is a number, which needs no array. */
function isNumber(shape: readonly number[]): boolean {
  return shape.length === 0 || (shape.length === 1 && shape[0] === 1);
}

/** Whether arrays are nested as deep as a row has axes; a typed array with all values of a row stands for all of these. */
export function isNested(value: unknown, columns: number, axes: number): boolean {
  if (axes === 0) return typeof value !== "object";
  if (Array.isArray(value)) return isNested(firstOf(value), columns, axes - 1);
  return axes === 1 && isNumberArray(value) && value.length !== columns;
}

/** The typed array of flat data, or of a tensor whose shape fits. */
function flatValues(where: string, value: unknown, axes: readonly number[], place: Place): NumberArray {
  if (isNumberArray(value)) return value;
  if (isBigInts(value)) failBigInts(where, place, value);
  if (!isTensorLike(value)) {
    const expected = isNumber(axes)
      ? "a typed array, an array of numbers or a tensor"
      : "a typed array, an array of rows or a tensor";
    return failItem("ERR_DTYPE", where, expected, place, value);
  }
  const { shape, data } = value;
  const [, ...own] = shape;
  const line = isNumber(axes) && shape.length === 1;
  const fits = (line || (shape.length > 0 && sameShape(own, axes))) && data.length === extent(shape);
  if (!(fits || isDetached(data))) {
    const expected = `a tensor of shape ${isNumber(axes) ? "[rows]" : `[${["rows", ...axes].join(", ")}]`}`;
    throw new CarillonError(
      "ERR_SHAPE",
      where,
      `expected ${expected}${at(place)} for '${where}' but received ${formatShape(shape)}`,
    );
  }
  return data;
}

/** Rows of flat values; none, or a part of one, is an error. */
function countRows(
  where: string,
  place: Place,
  values: ArrayLike<unknown>,
  columns: number,
  images?: readonly number[],
): number {
  if (values.length === 0) failEmpty(where, place, values);
  const rows = values.length / columns;
  if (Number.isInteger(rows)) return rows;
  const what = images === undefined ? `rows of ${columns} values` : imagesIn(images);
  const expected = `${what} (a multiple of ${columns})`;
  return failItem("ERR_DATA", where, expected, place, values);
}

/** Whether a member's values are bytes that stay bytes in memory: where floats are wanted. */
export function hasBytes({ values, dtype, nested }: Member): boolean {
  return dtype === "f32" && !nested && isBytes(values);
}

/** Bytes of rows [begin, end), without a copy. */
export function bytesOf({ values, columns }: Member, begin: number, end: number): Uint8Array {
  const part = (values as Uint8Array | Uint8ClampedArray).subarray(begin * columns, end * columns);
  return new Uint8Array(part.buffer, part.byteOffset, part.length);
}

/**
 * Rows [begin, end) as f32 in new units: as they lie, where they are that already, otherwise changed in double and rounded
 * once, into `scratch`. A value that is then not finite is `ERR_DATA` with its row and column.
 */
export function floatsOf(
  member: Member,
  begin: number,
  end: number,
  affine: Affine | undefined,
  scratch: Float32Array,
  leftOut: (row: number) => boolean = () => false,
): Float32Array {
  const { values, columns, nested } = member;
  if (affine === undefined && !nested && isFloats(values)) {
    const part = values.subarray(begin * columns, end * columns);
    if (part.length !== (end - begin) * columns) failGone(member);
    for (let index = 0; index < part.length; index++) {
      // Only NaN and infinities differ from themselves here.
      const value = part[index] ?? 0;
      if (value - value !== 0) failElement(member, begin + Math.floor(index / columns), index % columns, value);
    }
    return part;
  }
  for (let row = begin; row < end; row++) {
    writeFloats(member, row, affine, scratch, (row - begin) * columns, leftOut(row));
  }
  const count = (end - begin) * columns;
  return scratch.length === count ? scratch : scratch.subarray(0, count); // that costs more than a row
}

/**
 * Writes one row from element `to` on, as {@link floatsOf}. Of a row that is left out, as it weighs nothing, numbers that float32
 * cannot hold become 0.
 */
export function writeFloats(
  member: Member,
  row: number,
  affine: Affine | undefined,
  target: Float32Array,
  to: number,
  leftOut = false,
): void {
  const { columns } = member;
  const values = rowOf(member, row);
  const from = member.nested ? 0 : row * columns;
  const width = affine === undefined ? columns : affine.shift.length;
  let column = 0;
  for (let element = 0; element < columns; element++) {
    const value: unknown = values[from + element];
    if (typeof value !== "number") failElement(member, row, element, value);
    target[to + element] = transformed(affine, column, value);
    column = column + 1 === width ? 0 : column + 1;
    const stored = target[to + element] ?? 0;
    if (stored - stored === 0) continue;
    if (!(leftOut && Number.isFinite(value))) failElement(member, row, element, value);
    target[to + element] = 0;
  }
}

/**
 * Rows [begin, end) as i32: as they lie, where they are that already, otherwise written to `scratch`. What is no integer of 32 bits is
 * `ERR_DATA` with its row and column.
 */
export function integersOf(
  member: Member,
  begin: number,
  end: number,
  scratch: Int32Array,
  leftOut: (row: number) => boolean = () => false,
): Int32Array {
  const { values, columns, nested } = member;
  if (!nested && isInts(values)) {
    const part = values.subarray(begin * columns, end * columns);
    return part.length === (end - begin) * columns ? part : failGone(member);
  }
  for (let row = begin; row < end; row++) writeIntegers(member, row, scratch, (row - begin) * columns, leftOut(row));
  return scratch.subarray(0, (end - begin) * columns);
}

/** Writes one row from element `to` on, as {@link integersOf}. Of a row that is left out other numbers become 0. */
export function writeIntegers(member: Member, row: number, target: Int32Array, to: number, leftOut = false): void {
  const { columns } = member;
  const values = rowOf(member, row);
  const from = member.nested ? 0 : row * columns;
  for (let column = 0; column < columns; column++) {
    const value: unknown = values[from + column];
    if (typeof value !== "number") failElement(member, row, column, value);
    target[to + column] = value;
    if (target[to + column] === value) continue;
    if (!(leftOut && Number.isFinite(value))) failElement(member, row, column, value);
    target[to + column] = 0;
  }
}

/** Rows [begin, end) as bytes: as they lie, where they are that already, otherwise written to `scratch`. What is no integer of 0 to 255 is `ERR_DATA`. */
export function bytesIn(member: Member, begin: number, end: number, scratch: Uint8Array): Uint8Array {
  if (hasBytes(member)) return bytesOf(member, begin, end);
  for (let row = begin; row < end; row++) writeBytes(member, row, scratch, (row - begin) * member.columns);
  return scratch.subarray(0, (end - begin) * member.columns);
}

/** Writes one row from element `to` on, as {@link bytesIn}. */
export function writeBytes(member: Member, row: number, target: Uint8Array, to: number): void {
  const { columns } = member;
  const values = rowOf(member, row);
  const from = member.nested ? 0 : row * columns;
  for (let column = 0; column < columns; column++) {
    const value: unknown = values[from + column];
    if (typeof value !== "number") failElement(member, row, column, value);
    target[to + column] = value;
    if (target[to + column] !== value) failElement(member, row, column, value);
  }
}

/** The array that holds the values of a row: the row itself, or all rows one after another. */
export function rowOf(member: Member, row: number): ArrayLike<unknown> {
  const { where, place, shape, columns, values, nested } = member;
  if (!nested) return values;
  const found: unknown = values[row];
  if (shape.length !== 1 && !(isNumberArray(found) && shape.length > 1)) return deepRow(member, row, found);
  const name = `${place.noun} ${place.first + row}`;
  if (!(Array.isArray(found) || isNumberArray(found))) {
    if (isBigInts(found)) failBigInts(where, place, found);
    return fail("ERR_DATA", where, `an array of ${columns} numbers in ${name}`, found);
  }
  if (found.length !== columns) {
    if (isNumberArray(found) && isDetached(found)) failEmpty(where, place, found);
    fail("ERR_DATA", where, `${columns} values in ${name}`, found);
  }
  return found;
}

/** The values of a nested row one after another; `ERR_DATA` names the place of what is not as long as its axis. */
function deepRow({ where, place, shape, columns }: Member, row: number, found: unknown): readonly unknown[] {
  const flat: unknown[] = [];
  const append = (value: unknown, indices: readonly number[]): void => {
    const size = shape[indices.length];
    const name = `${place.noun} ${place.first + row}${indices.length === 0 ? "" : `, element [${indices.join(", ")}]`}`;
    if (size === undefined) fail("ERR_DATA", where, `a number in ${name}`, value);
    if (isBigInts(value)) failBigInts(where, place, value);
    if (!((Array.isArray(value) || isNumberArray(value)) && value.length === size)) {
      fail("ERR_DATA", where, `${formatShape(shape.slice(indices.length))} numbers in ${name}`, value);
    }
    const isLast = indices.length === shape.length - 1;
    for (let index = 0; index < size; index++) {
      if (isLast) flat.push(value[index]);
      else append(value[index], [...indices, index]);
    }
  };
  append(found, []);
  return flat.length === columns ? flat : fail("ERR_DATA", where, `${formatShape(shape)} numbers a row`, found);
}

/** The only value of a row. */
export function onlyValue(member: Member, row: number): unknown {
  const values = rowOf(member, row);
  return values[member.nested ? 0 : row];
}

/** What a number of a row has to be. */
export const wantedOf = ({ dtype, bytes }: Pick<RowForm, "dtype" | "bytes">): string =>
  bytes ? "a byte (an integer of 0 to 255)" : dtype === "i32" ? "a 32-bit integer" : "a finite float32";

/** `ERR_DATA`: this value is no number that float32 can hold, or no integer of 32 bits. */
export function failElement(member: Member, row: number, column: number, value: unknown): never {
  const { where, place, dtype, bytes, shape, values, nested, rows, columns } = member;
  if (!nested && isNumberArray(values) && values.length < rows * columns) failGone(member);
  const wanted = wantedOf({ dtype, bytes });
  return fail("ERR_DATA", where, `${wanted} in ${place.noun} ${place.first + row}, ${placeIn(shape, column)}`, value);
}

/** `column 3` of a row, or `element [2, 1]` of one with several axes. */
export function placeIn(shape: readonly number[], column: number): string {
  if (shape.length < 2) return `column ${column}`;
  let left = column;
  const indices = shape.map((_, axis) => {
    const step = extent(shape.slice(axis + 1));
    const index = Math.floor(left / step);
    left -= index * step;
    return index;
  });
  return `element ${formatShape(indices)}`;
}

/** An error about one row: `expected X for 'data.y' but received Y in row 3`. */
export function failRow(
  { where, place }: Member,
  code: ErrorCode,
  row: number,
  expected: string,
  value: unknown,
): never {
  const name = `${place.noun} ${place.first + row}`;
  throw new CarillonError(
    code,
    where,
    `expected ${expected} for '${where}' but received ${describe(value)} in ${name}`,
  );
}

/** An error about a whole member; of a stream it says which item. */
export function failItem(code: ErrorCode, where: string, expected: string, place: Place, value: unknown): never {
  return fail(code, where, `${expected}${at(place)}`, value);
}

/** Where an item of a stream stands; nothing for data in memory. */
export function at({ noun, first }: Place): string {
  return noun === "row" ? "" : ` in the item from example ${first} on`;
}

/** No elements: either there are none, or the memory was transferred to another thread. */
function failEmpty(where: string, place: Place, value: ArrayLike<unknown>): never {
  if (isNumberArray(value) && isDetached(value)) failDetached(where, value);
  return failItem("ERR_DATA", where, "at least one row", place, value);
}

/** The memory of a flat member was transferred away or cut since it was looked at. */
function failGone({ where, values }: Member): never {
  return failDetached(where, values);
}

function failDetached(where: string, value: object): never {
  const received = `${value.constructor.name} whose memory was transferred away`;
  throw new CarillonError("ERR_DETACHED", where, `expected data for '${where}' but received ${received}`);
}

function failBigInts(where: string, place: Place, value: BigInt64Array | BigUint64Array): never {
  const received = `${describe(value)}, whose integers may not fit: convert it with Float64Array.from(array, Number)`;
  throw new CarillonError("ERR_DTYPE", where, `expected numbers${at(place)} for '${where}' but received ${received}`);
}

/** Whether `value` has a shape and typed data, as a tensor has. */
export function isTensorLike(value: unknown): value is TensorLike {
  return (
    typeof value === "object" &&
    value !== null &&
    "shape" in value &&
    Array.isArray(value.shape) &&
    "data" in value &&
    isNumberArray(value.data)
  );
}

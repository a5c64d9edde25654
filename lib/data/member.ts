// One member of a set (x, y or weight): how it may be written, and its values checked one by one. Data in memory and the
// items of a stream go through the same functions, so that both are equally strict.
import { CarillonError, describe, type ErrorCode, fail } from "../errors.js";
import { isBigInts, isBytes, isFloats, isNumberArray, type NumberArray } from "../tensor/arrays.js";
import { isDetached } from "../tensor/detached.js";
import { extent } from "../tensor/shape.js";
import type { TensorLike } from "./dataset.js";
import { type Affine, transformed } from "./transform.js";

/** How rows are called in errors: those of a set, or the examples of a stream, of which `first` came before. */
export interface Place {
  readonly noun: "row" | "example";
  readonly first: number;
}

/** Rows of a set in memory. */
export const IN_MEMORY: Place = { noun: "row", first: 0 };

/** Rows of so many values: one after another, or an array each. */
export interface Member {
  readonly where: string;
  readonly place: Place;
  readonly rows: number;
  readonly columns: number;
  readonly values: ArrayLike<unknown>;
  /** Whether each of `values` is a row. */
  readonly nested: boolean;
}

/**
 * The rows of `value`: an array of rows; numbers, if a row has one; a typed array with all values, row by row; a tensor
 * [rows, columns]. Of a stream also one number, or a plain array with all values.
 *
 * Errors: no rows, or a part of one (`ERR_DATA`); a tensor of another shape (`ERR_SHAPE`); anything else (`ERR_DTYPE`);
 * memory that was transferred away (`ERR_DETACHED`).
 */
export function memberOf(where: string, value: unknown, columns: number, place: Place = IN_MEMORY): Member {
  const streamed = place.noun === "example";
  if (Array.isArray(value)) {
    if (value.length === 0) failEmpty(where, place, value);
    const nested = typeof value[0] === "object" || !(streamed || columns === 1);
    return {
      where,
      place,
      columns,
      values: value,
      nested,
      rows: nested ? value.length : countRows(where, place, value, columns),
    };
  }
  const alone = streamed && columns === 1 && typeof value !== "object" && typeof value !== "undefined";
  if (alone) return memberOf(where, [value], columns, place);
  const values = flatValues(where, value, columns, place);
  return { where, place, columns, values, nested: false, rows: countRows(where, place, values, columns) };
}

/** The typed array of flat data, or of a tensor whose shape fits. */
function flatValues(where: string, value: unknown, columns: number, place: Place): NumberArray {
  if (isNumberArray(value)) return value;
  if (isBigInts(value)) failBigInts(where, place, value);
  if (!isTensorLike(value)) {
    const expected =
      columns === 1 ? "a typed array, an array of numbers or a tensor" : "a typed array, an array of rows or a tensor";
    return failItem("ERR_DTYPE", where, expected, place, value);
  }
  const { shape, data } = value;
  const line = columns === 1 && shape.length === 1;
  const fits = (line || (shape.length === 2 && shape[1] === columns)) && data.length === extent(shape);
  if (!(fits || isDetached(data))) {
    const received = `[${shape.join(", ")}]`;
    const expected = `a tensor of shape ${columns === 1 ? "[rows]" : `[rows, ${columns}]`}`;
    throw new CarillonError(
      "ERR_SHAPE",
      where,
      `expected ${expected}${at(place)} for '${where}' but received ${received}`,
    );
  }
  return data;
}

/** Rows of flat values; none, or a part of one, is an error. */
function countRows(where: string, place: Place, values: ArrayLike<unknown>, columns: number): number {
  if (values.length === 0) failEmpty(where, place, values);
  const rows = values.length / columns;
  if (Number.isInteger(rows)) return rows;
  const expected = `rows of ${columns} values (a multiple of ${columns})`;
  return failItem("ERR_DATA", where, expected, place, values);
}

/** Whether a member's values are bytes, which stay bytes in memory. */
export function hasBytes({ values }: Member): boolean {
  return isBytes(values);
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
  return scratch.subarray(0, (end - begin) * columns);
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
  for (let column = 0; column < columns; column++) {
    const value: unknown = values[from + column];
    if (typeof value !== "number") failElement(member, row, column, value);
    target[to + column] = transformed(affine, column, value);
    const stored = target[to + column] ?? 0;
    if (stored - stored === 0) continue;
    if (!(leftOut && Number.isFinite(value))) failElement(member, row, column, value);
    target[to + column] = 0;
  }
}

/** What holds the values of a row: the row itself, or all rows. */
export function rowOf({ where, place, columns, values, nested }: Member, row: number): ArrayLike<unknown> {
  if (!nested) return values;
  const found: unknown = values[row];
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

/** The only value of a row. */
export function onlyValue(member: Member, row: number): unknown {
  const values = rowOf(member, row);
  return values[member.nested ? 0 : row];
}

/** `ERR_DATA`: this value is no number that float32 can hold. */
export function failElement(member: Member, row: number, column: number, value: unknown): never {
  const { where, place, values, nested, rows, columns } = member;
  if (!nested && isNumberArray(values) && values.length < rows * columns) failGone(member);
  const expected = `a finite float32 in ${place.noun} ${place.first + row}, column ${column}`;
  return fail("ERR_DATA", where, expected, value);
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

// Rows of a call on their way into a batch: looked at once, value by value, and copied where the batch lies.
import { native } from "../../binding/native.js";
import type { Features } from "../../data/dataset.js";
import { failElement, floatsOf, isTensorLike, type Member, memberOf, rowOf } from "../../data/member.js";
import { type Affine, transformed } from "../../data/transform.js";
import { CarillonError, fail } from "../../errors.js";
import { Template } from "../../ops/template.js";
import { isFloats, isUint8Array } from "../../tensor/arrays.js";

/** Memory of a batch: doubles where float32 might lose digits, as nobody knows which units its rows will be changed from. */
export type Stage = Float32Array | Float64Array;

/** Whether float32 may lose digits of what these memories or numbers hold. */
export function isPrecise(x: Features): boolean {
  if (isFloats(x)) return false;
  const values: unknown = isTensorLike(x) ? x.data : x;
  return !(isFloats(values) || isUint8Array(values));
}

/** A plain array of numbers that is one row, of a network with more than one input. */
function isRow(x: unknown, columns: number): x is readonly number[] {
  return columns > 1 && Array.isArray(x) && x.length > 0 && typeof x[0] !== "object";
}

/** Rows of `x`, whose form is checked: all that {@link Features} may be, or one row as a plain array of numbers. */
export function countRows(where: string, x: Features, columns: number): number {
  if (isFloats(x) && x.length > 0) {
    const rows = x.length / columns;
    if (Number.isInteger(rows)) return rows;
  } else if (isRow(x, columns)) {
    return x.length === columns ? 1 : fail("ERR_DATA", where, `one row of ${columns} numbers, or an array of rows,`, x);
  }
  return memberOf(where, x, columns).rows;
}

/** The rows of all that {@link countRows} takes. */
export function memberOfCall(where: string, x: Features, columns: number): Member {
  countRows(where, x, columns);
  return memberOf(where, isRow(x, columns) ? [x] : x, columns);
}

/**
 * Copies the rows of `x`, of which {@link countRows} has told the number, to `stage` from element `at` on. A value that is no number
 * which float32 holds, NaN too, is `ERR_DATA` with its row and column.
 */
export function writeRows(where: string, x: Features, columns: number, stage: Stage, at: number): void {
  if (isFloats(x)) {
    const bad = firstNotFinite(x);
    if (bad >= 0) failValue(where, x, columns, bad);
    stage.set(x, at);
  } else if (!isRow(x, columns)) writeMember(memberOf(where, x, columns), stage, at);
  else if (isFloats(stage)) writeRow(where, x, stage, at);
  else writeRowPrecisely(where, x, stage, at);
}

// The same twice, as a loop over one kind of memory is compiled to five times less.

function writeRow(where: string, x: readonly unknown[], stage: Float32Array, at: number): void {
  for (let column = 0; column < x.length; column++) {
    const value = x[column];
    const stored = typeof value === "number" ? Math.fround(value) : Number.NaN;
    if (stored - stored !== 0) failValue(where, x, x.length, column);
    stage[at + column] = stored;
  }
}

function writeRowPrecisely(where: string, x: readonly unknown[], stage: Float64Array, at: number): void {
  for (let column = 0; column < x.length; column++) {
    const value = x[column];
    const stored = typeof value === "number" ? value : Number.NaN;
    if (stored - stored !== 0) failValue(where, x, x.length, column);
    stage[at + column] = stored;
  }
}

/** Tells of the value at a place of flat rows. */
export function failValue(where: string, x: ArrayLike<unknown>, columns: number, index: number): never {
  const row = Math.floor(index / columns);
  return fail("ERR_DATA", where, `a finite float32 in row ${row}, column ${index % columns}`, x[index]);
}

function writeMember(member: Member, stage: Stage, at: number): void {
  const { rows, columns, nested } = member;
  for (let row = 0; row < rows; row++) {
    const values = rowOf(member, row);
    const from = nested ? 0 : row * columns;
    const to = at + row * columns;
    for (let column = 0; column < columns; column++) {
      const value: unknown = values[from + column];
      if (typeof value !== "number") failElement(member, row, column, value);
      stage[to + column] = value;
      const stored = stage[to + column] ?? 0;
      if (stored - stored !== 0) failElement(member, row, column, value);
    }
  }
}

/**
 * Rows [begin, end) as the network takes them: as they lie, if they are that already, otherwise changed into memory that `scratch` gives.
 * Errors as `floatsOf`.
 */
export function takeRows(
  member: Member,
  { begin, end }: { readonly begin: number; readonly end: number },
  affine: Affine | undefined,
  scratch: () => Float32Array,
): Float32Array {
  const { values, columns, nested } = member;
  if (affine === undefined && !nested && isFloats(values)) {
    const part = values.subarray(begin * columns, end * columns);
    if (part.length === (end - begin) * columns && firstNotFinite(part) < 0) return part;
  }
  return floatsOf(member, begin, end, affine, scratch());
}

/** `ERR_SHAPE`: a call has more rows than a batch may have. */
export function failRows(where: string, rows: number, most: number): never {
  const expected = `expected at most ${most} rows (maxBatch)`;
  throw new CarillonError("ERR_SHAPE", where, `${expected} for '${where}' but received ${rows}`);
}

/** `ERR_SHAPE`: a call would be cut into parts, whose rows would not see each other. */
export function failParts(where: string, rows: number, most: number, operation: string): never {
  const expected = `expected at most ${most} rows for '${where}', as '${operation}' of the network works along the batch,`;
  throw new CarillonError("ERR_SHAPE", where, `${expected} but received ${rows}`);
}

/** Values that one look of JavaScript takes as long for as the call of a kernel. */
const FEW = 1024;

const sum = new Template("sum");
const total = new Float32Array(1);

/** Place of the first of `count` values that is not finite; −1 if all are. A sum is finite only if all its terms are. */
export function firstNotFinite(values: Float32Array, count: number = values.length): number {
  if (count > FEW) {
    sum.set(sum.at.count, count);
    native.kernel(sum.words, 0, 1, 0, 1, values, total);
    const added = total[0] ?? 0;
    if (added - added === 0) return -1;
  }
  for (let index = 0; index < count; index++) {
    const value = values[index] ?? 0;
    if (value - value !== 0) return index;
  }
  return -1;
}

/**
 * Rows [begin, end) of a batch as the network takes them, to the same places of `target`; `ERR_DATA` for a value that float32 does
 * not hold then, by its row since `begin`.
 */
export function changeRows(
  where: string,
  affine: Affine | undefined,
  stage: Stage,
  { begin, end, columns }: { readonly begin: number; readonly end: number; readonly columns: number },
  target: Float32Array,
): void {
  if (affine === undefined) {
    target.set(stage.subarray(begin * columns, end * columns), begin * columns);
    if (firstNotFinite(target.subarray(begin * columns, end * columns)) < 0) return;
  }
  for (let index = begin * columns; index < end * columns; index++) {
    const value = stage[index] ?? 0;
    if (affine !== undefined) target[index] = transformed(affine, index % columns, value);
    const stored = target[index] ?? 0;
    if (stored - stored === 0) continue;
    const row = Math.floor(index / columns) - begin;
    const expected = `a finite float32 in row ${row}, column ${index % columns}`;
    throw new CarillonError("ERR_DATA", where, `expected ${expected} for '${where}' but received ${value}`);
  }
}

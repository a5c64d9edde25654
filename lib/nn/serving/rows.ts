// Rows of a call on their way into a batch: looked at once, value by value, and copied where the batch lies.

import { native } from "../../binding/native.js";
import { countOf } from "../../counts.js";
import { fromRecord, type InputMember, onlyOf } from "../../data/block.js";
import { type ListMember, listMember } from "../../data/lists.js";
import {
  failElement,
  floatsOf,
  IN_MEMORY,
  integersOf,
  isNested,
  isTensorLike,
  type Member,
  memberOf,
  placeIn,
  type RowForm,
  rowForm,
  rowOf,
  wantedOf,
  writeIntegers,
} from "../../data/member.js";
import { type Affine, transformed } from "../../data/transform.js";
import { CarillonError, fail } from "../../errors.js";
import { Template } from "../../ops/template.js";
import { isFloats, isInts, isUint8Array } from "../../tensor/arrays.js";
import { areMembers, firstOf } from "../../tensor/copied.js";
import { areNamed, type RowSpec } from "../../tensor/row_spec.js";
import type { Call } from "./call.js";
import { type FlatRows, longestOfCall } from "./frozen_input.js";

/** Memory of an input of a batch: doubles where float32 might lose digits, as nobody knows which units its rows will be changed from. */
export type Stage = Float32Array | Float64Array | Int32Array;

/** An input as calls give it. */
export interface CallInput extends RowForm {
  /** In the record that a call gives; `undefined` of a single input without a name, whose rows are all that it gives. */
  readonly name: string | undefined;
  /** Ids of a list at most, where rows are lists. */
  readonly longest: number | undefined;
}

/** How calls give the inputs of a network. */
export function callInputs(inputs: readonly RowSpec[]): readonly CallInput[] {
  const named = areNamed("x", inputs);
  return inputs.map((input) => {
    const { name, shape, dtype, bytes } = input;
    return { name: named ? name : undefined, ...rowForm(shape, dtype, bytes), longest: longestOfCall(input) };
  });
}

/** Name of an input's rows in errors. */
export function pathOf(where: string, { name }: CallInput): string {
  return name === undefined ? where : `${where}.${name}`;
}

/** The rows of an input in what a call gives. */
export function rowsIn(x: unknown, { name }: CallInput): unknown {
  if (name === undefined) return onlyOf("x", x);
  return areMembers(x) ? x[name] : x;
}

/** Whether float32 may lose digits of what these memories or numbers hold. */
export function isPrecise(x: unknown): boolean {
  if (isFloats(x)) return false;
  const values: unknown = isTensorLike(x) ? x.data : x;
  return !(isFloats(values) || isUint8Array(values));
}

/** One row by itself: a plain array of numbers, where a row has several; a nested one, where it has several axes; a number, where it has none. */
function isRow(x: unknown, { shape, columns }: CallInput): x is readonly unknown[] {
  if (shape.length === 0 && typeof x !== "number") return false;
  if (shape.length !== 1) return isNested(x, columns, shape.length);
  return columns > 1 && Array.isArray(x) && x.length > 0 && typeof firstOf(x) !== "object";
}

/** Rows of an input of a call, whose form is checked: all that `memberOf` takes, or one row by itself. */
function countRows(where: string, x: unknown, input: CallInput): number {
  const { columns, dtype, bytes, longest } = input;
  if (longest !== undefined) return listsIn(where, x, input).rows;
  if (isFloats(x) && dtype === "f32" && !bytes && x.length > 0) {
    const rows = x.length / columns;
    if (Number.isInteger(rows)) return rows;
  } else if (isRow(x, input) && x.length === columns && input.shape.length === 1) return 1;
  return memberIn(where, x, input).rows;
}

/** Rows of a call, whose form is checked: as many in each input. */
export function countCall(where: string, x: unknown, inputs: readonly CallInput[]): number {
  const first = inputs[0];
  if (first !== undefined && first.name === undefined) return countRows(where, onlyOf("x", x), first);
  return countMembers(where, x, inputs);
}

function countMembers(where: string, x: unknown, inputs: readonly CallInput[]): number {
  const counts = fromRecord(
    where,
    x,
    inputs,
    (value, input) => countRows(pathOf(where, input), value, input),
    IN_MEMORY,
  );
  checkCounts(where, inputs, counts);
  return counts[0] ?? 0;
}

/** `ERR_DATA` for an input of another number of rows than the first. */
function checkCounts(where: string, inputs: readonly CallInput[], counts: readonly number[]): void {
  const [rows] = counts;
  const other = counts.findIndex((count) => count !== rows);
  const input = inputs[other];
  if (input === undefined) return;
  const path = pathOf(where, input);
  const expected = `expected ${countOf(rows ?? 0, "row")}, as ${inputs[0]?.name} has, for '${path}'`;
  throw new CarillonError("ERR_DATA", path, `${expected} but received ${counts[other]}`);
}

function memberIn(where: string, x: unknown, input: CallInput): Member {
  if (!isRow(x, input)) return memberOf(where, x, input);
  const { columns, shape } = input;
  if (x.length !== columns && shape.length === 1) {
    return fail("ERR_DATA", where, `one row of ${columns} numbers, or an array of rows,`, x);
  }
  return memberOf(where, [x], input);
}

/** The lists of a call. */
export function listsIn(where: string, x: unknown, input: CallInput): ListMember {
  const { longest = Number.POSITIVE_INFINITY } = input;
  return listMember(where, x, { longest, alone: true }, IN_MEMORY);
}

/** The rows of an input of a call. */
function inputIn(where: string, x: unknown, input: CallInput): InputMember {
  return input.longest === undefined ? memberIn(where, x, input) : listsIn(where, x, input);
}

/** The rows of each input, of all that {@link countCall} takes. */
export function membersOfCall(where: string, x: unknown, inputs: readonly CallInput[]): readonly InputMember[] {
  const first = inputs[0];
  if (first !== undefined && first.name === undefined) return [inputIn(where, onlyOf("x", x), first)];
  const members = fromRecord(
    where,
    x,
    inputs,
    (value, input) => inputIn(pathOf(where, input), value, input),
    IN_MEMORY,
  );
  const counts = members.map(({ rows }) => rows);
  checkCounts(where, inputs, counts);
  return members;
}

/**
 * Copies the rows of an input, of which {@link countCall} has told the number, to `stage` from element `at` on. A value that is no number
 * which float32 holds, NaN too, or no integer of 32 bits where such are wanted, is `ERR_DATA` with its row and column.
 */
export function writeRows(where: string, x: unknown, input: CallInput, stage: Stage, at: number): void {
  if (isInts(stage)) {
    const member = memberIn(where, x, input);
    for (let row = 0; row < member.rows; row++) writeIntegers(member, row, stage, at + row * input.columns);
  } else if (input.bytes) writeMember(memberIn(where, x, input), stage, at);
  else if (isFloats(x)) {
    const bad = firstNotFinite(x);
    if (bad >= 0) failValue(where, x, input, bad);
    stage.set(x, at);
  } else if (input.shape.length !== 1 || !isRow(x, input)) writeMember(memberIn(where, x, input), stage, at);
  else if (isFloats(stage)) writeRow(where, x, input, stage, at);
  else writeRowPrecisely(where, x, input, stage, at);
}

// The same twice, as a loop over one kind of memory is compiled to five times less.

function writeRow(where: string, x: readonly unknown[], input: CallInput, stage: Float32Array, at: number): void {
  for (let column = 0; column < x.length; column++) {
    const value = x[column];
    const stored = typeof value === "number" ? Math.fround(value) : Number.NaN;
    if (stored - stored !== 0) failValue(where, x, input, column);
    stage[at + column] = stored;
  }
}

function writeRowPrecisely(
  where: string,
  x: readonly unknown[],
  input: CallInput,
  stage: Float64Array,
  at: number,
): void {
  for (let column = 0; column < x.length; column++) {
    const value = x[column];
    const stored = typeof value === "number" ? value : Number.NaN;
    if (stored - stored !== 0) failValue(where, x, input, column);
    stage[at + column] = stored;
  }
}

/** Tells of the value at a place of flat rows. */
export function failValue(where: string, x: ArrayLike<unknown>, input: CallInput, index: number): never {
  const { shape, columns } = input;
  const row = Math.floor(index / columns);
  return fail("ERR_DATA", where, `${wantedOf(input)} in row ${row}, ${placeIn(shape, index % columns)}`, x[index]);
}

function writeMember(member: Member, stage: Stage, at: number): void {
  const { rows, columns, nested, bytes } = member;
  for (let row = 0; row < rows; row++) {
    const values = rowOf(member, row);
    const from = nested ? 0 : row * columns;
    const to = at + row * columns;
    for (let column = 0; column < columns; column++) {
      const value: unknown = values[from + column];
      if (typeof value !== "number") failElement(member, row, column, value);
      stage[to + column] = value;
      const stored = stage[to + column] ?? 0;
      if (stored - stored !== 0 || (bytes && (stored & 255) !== stored)) failElement(member, row, column, value);
    }
  }
}

/** Rows [begin, end) of a member, where they lie as the network takes them; `undefined` where they do not. */
export function lyingRows(
  { values, columns, nested, dtype, bytes }: Member,
  affine: Affine | undefined,
  begin: number,
  end: number,
): FlatRows | undefined {
  if (nested || bytes || affine !== undefined) return undefined;
  if (dtype === "i32") return isInts(values) ? partOf(values, begin * columns, end * columns) : undefined;
  if (!isFloats(values)) return undefined;
  const part = partOf(values, begin * columns, end * columns);
  return part !== undefined && firstNotFinite(part) < 0 ? part : undefined;
}

/** Elements [from, to), if it still has them. */
function partOf<A extends FlatRows>(values: A, from: number, to: number): A | undefined;
function partOf(values: FlatRows, from: number, to: number): FlatRows | undefined {
  if (from === 0 && to === values.length) return values;
  return to <= values.length ? values.subarray(from, to) : undefined;
}

/** The same changed, in memory of the kind that {@link scratchFor} gives. Errors as `floatsOf` and `integersOf`. */
export function changedRows(
  member: Member,
  affine: Affine | undefined,
  begin: number,
  end: number,
  scratch: FlatRows,
): FlatRows {
  if (isInts(scratch)) return integersOf(member, begin, end, scratch);
  return floatsOf(member, begin, end, affine, scratch);
}

/** Memory for so many rows of a member, changed. */
export function scratchFor({ dtype, columns }: Member, rows: number): FlatRows {
  return dtype === "i32" ? new Int32Array(rows * columns) : new Float32Array(rows * columns);
}

/** The error that `failing` throws is that of the call. */
export function rejecting(call: Pick<Call, "reject">, failing: () => never): void {
  try {
    failing();
  } catch (error) {
    call.reject(error);
  }
}

/** `ERR_SHAPE`: a call has more rows than a batch may have. */
export function failRows(where: string, rows: number, most: number): never {
  const expected = `expected at most ${countOf(most, "row")} (maxBatch)`;
  throw new CarillonError("ERR_SHAPE", where, `${expected} for '${where}' but received ${rows}`);
}

/** `ERR_SHAPE`: a call would be cut into parts, whose rows would not see each other. */
export function failParts(where: string, rows: number, most: number, operation: string): never {
  const expected = `expected at most ${countOf(most, "row")} for '${where}', as '${operation}' of the network works along the batch,`;
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
 * The first `count` values of rows as the network takes them, to the same places of `target`: those of f32 rounded, others in new units. Place
 * of the first that float32 does not hold then; −1 if it holds all.
 */
export function changeRows(affine: Affine | undefined, stage: Stage, count: number, target: Float32Array): number {
  if (affine === undefined) target.set(stage.subarray(0, count));
  else {
    const width = affine.shift.length;
    for (let first = 0; first < count; first += width) {
      for (let column = 0; column < width; column++) {
        target[first + column] = transformed(affine, column, stage[first + column] ?? 0);
      }
    }
  }
  return firstNotFinite(target, count);
}

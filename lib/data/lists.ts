// Rows that are lists of integers: how they may be given, and their values checked one by one. Data in memory, the items of a stream
// and calls go through the same functions, so that all are equally strict.
import { fail } from "../errors.js";
import { checkKeys } from "../options.js";
import { isFloats, isInts } from "../tensor/arrays.js";
import { areMembers } from "../tensor/copied.js";
import { isDetached } from "../tensor/detached.js";
import type { Lists } from "./dataset.js";
import { failItem, type Place } from "./member.js";

/** Rows of an input that are lists. */
export interface ListMember {
  readonly where: string;
  readonly place: Place;
  readonly rows: number;
  /** Integers of a list at most. */
  readonly longest: number;
  /** rows + 1: list i is ids[offsets[i] … offsets[i + 1]). */
  readonly offsets: Int32Array;
  readonly ids: ArrayLike<unknown>;
  readonly weights: ArrayLike<unknown> | undefined;
}

/** Whether rows are lists. */
export function areLists(member: object): member is ListMember {
  return "offsets" in member;
}

const KEYS = ["offsets", "ids", "weights"];

/** Whether `value` has the form of `{ offsets, ids, weights? }`, and is no record of inputs by name, wherever it stands. */
export function isLists(value: unknown): value is Lists {
  if (!areMembers(value) || !isInts(value.offsets) || value.ids === undefined) return false;
  return Object.keys(value).every((key) => KEYS.includes(key));
}

/** Which lists an input takes, besides those of a set. */
export interface ListForm {
  readonly longest: number;
  /** Whether a list may stand by itself: an array of integers, or `{ ids, weights }`. */
  readonly alone: boolean;
}

/**
 * The lists of `value`. What is none is `ERR_DTYPE`; offsets that are not those of the ids, and weights that are not one an id,
 * `ERR_DATA`. The lists themselves are looked at as they are read.
 */
export function listMember(where: string, value: unknown, { longest, alone }: ListForm, place: Place): ListMember {
  const expected = alone ? "{ offsets, ids }, or one list of integers" : "{ offsets, ids }";
  if (alone && isOneList(value)) return oneList(where, value, undefined, longest, place);
  if (!areMembers(value)) return failItem("ERR_DTYPE", where, expected, place, value);
  checkKeys(where, value, KEYS);
  const { offsets, ids, weights } = value;
  if (alone && offsets === undefined && isOneList(ids)) return oneList(where, ids, weights, longest, place);
  if (offsets === undefined || ids === undefined) return failItem("ERR_DATA", where, expected, place, value);
  if (!isInts(offsets)) return failItem("ERR_DTYPE", `${where}.offsets`, "an Int32Array", place, offsets);
  if (!isInts(ids)) return failItem("ERR_DTYPE", `${where}.ids`, "an Int32Array", place, ids);
  expectAttached(`${where}.offsets`, offsets);
  expectAttached(`${where}.ids`, ids);
  const rows = offsets.length - 1;
  if (rows < 1) failItem("ERR_DATA", `${where}.offsets`, "an offset more than there are lists", place, offsets);
  if (offsets[0] !== 0) failOffset(where, place, "0 as the offset", 0, offsets[0]);
  if (offsets[rows] !== ids.length) {
    failOffset(where, place, `${ids.length}, the number of ids, as the end`, rows - 1, offsets[rows]);
  }
  return { where, place, rows, longest, offsets, ids, weights: weightsOf(where, weights, ids.length, place) };
}

/** The weights of ids, one each. */
function weightsOf(where: string, weights: unknown, count: number, place: Place): Float32Array | undefined {
  if (weights === undefined) return undefined;
  if (!isFloats(weights)) return failItem("ERR_DTYPE", `${where}.weights`, "a Float32Array", place, weights);
  expectAttached(`${where}.weights`, weights);
  if (weights.length === count) return weights;
  return failItem("ERR_DATA", `${where}.weights`, `${count} weights, one an id,`, place, weights);
}

function isOneList(value: unknown): value is ArrayLike<unknown> {
  return isInts(value) || Array.isArray(value);
}

function oneList(where: string, ids: ArrayLike<unknown>, weights: unknown, longest: number, place: Place): ListMember {
  const given = Array.isArray(weights) ? weights : weightsOf(where, weights, ids.length, place);
  if (given !== undefined && given.length !== ids.length)
    failItem("ERR_DATA", `${where}.weights`, `${ids.length} weights, one an id,`, place, given);
  return { where, place, rows: 1, longest, offsets: Int32Array.of(0, ids.length), ids, weights: given };
}

function expectAttached(where: string, array: Int32Array | Float32Array): void {
  if (isDetached(array)) fail("ERR_DETACHED", where, "elements", array);
}

function failOffset(where: string, { noun, first }: Place, expected: string, row: number, value: unknown): never {
  return fail("ERR_DATA", `${where}.offsets`, `${expected} of ${noun} ${first + row}`, value);
}

/** Where the list of a row begins among the ids. */
export function beginOf({ offsets }: ListMember, row: number): number {
  return offsets[row] ?? 0;
}

/** Integers of the list of a row; `ERR_DATA` where offsets fall, or there are more than an input takes. */
export function lengthOf({ where, place, offsets, ids, longest }: ListMember, row: number): number {
  const begin = offsets[row] ?? 0;
  const end = offsets[row + 1] ?? 0;
  if (end < begin || end > ids.length) {
    failOffset(where, place, `an offset of ${begin} or more, up to the ${ids.length} ids, as the end`, row, end);
  }
  const length = end - begin;
  if (length <= longest) return length;
  return fail("ERR_DATA", where, `at most ${longest} ids in ${place.noun} ${place.first + row}`, length);
}

/** Writes the ids of a row from element `to` on; what is no integer of 32 bits from 0 on is `ERR_DATA` with its row and column. */
export function writeIds(member: ListMember, row: number, target: Int32Array, to: number): number {
  const { ids } = member;
  const length = lengthOf(member, row);
  const begin = beginOf(member, row);
  for (let column = 0; column < length; column++) {
    const id: unknown = ids[begin + column];
    if (typeof id !== "number") failId(member, row, column, id);
    target[to + column] = id;
    if (target[to + column] !== id || id < 0) failId(member, row, column, id);
  }
  return length;
}

/** `ERR_DATA` for an integer below 0 in the list of a row, with its row and column. */
export function checkIds(member: ListMember, ids: Int32Array, row: number): void {
  const begin = beginOf(member, row);
  const end = beginOf(member, row + 1);
  for (let at = begin; at < end; at++) {
    const id = ids[at] ?? 0;
    if (id < 0) failId(member, row, at - begin, id);
  }
}

function failId({ where, place: { noun, first } }: ListMember, row: number, column: number, value: unknown): never {
  return fail("ERR_DATA", where, `an id, an integer from 0 on, in ${noun} ${first + row}, column ${column}`, value);
}

/** Writes the weights of the ids of a row from element `to` on, 1 where there are none; `ERR_DATA` for what is no finite float32. */
export function writeIdWeights(member: ListMember, row: number, target: Float32Array, to: number): void {
  const { weights } = member;
  const length = lengthOf(member, row);
  const begin = beginOf(member, row);
  if (weights === undefined) {
    target.fill(1, to, to + length);
    return;
  }
  for (let column = 0; column < length; column++) {
    const weight: unknown = weights[begin + column];
    const stored = typeof weight === "number" ? Math.fround(weight) : Number.NaN;
    if (stored - stored !== 0) {
      const { where, place } = member;
      const name = `${place.noun} ${place.first + row}, column ${column}`;
      fail("ERR_DATA", `${where}.weights`, `a finite float32 in ${name}`, weight);
    }
    target[to + column] = stored;
  }
}

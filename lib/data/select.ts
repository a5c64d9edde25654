// What can be divided into rows, and rows taken out of it.
import { countOf } from "../counts.js";
import { fail } from "../errors.js";
import { checkKeys, checkNumber } from "../options.js";
import { type NumberArray, zerosLike } from "../tensor/arrays.js";
import { areMembers, isTypedArray, type Members, type TypedArray } from "../tensor/copied.js";
import { EXAMPLE_KEYS, MEANT } from "./block.js";
import { isCarried, refuseDivision } from "./carry.js";
import type { AnyExamples, Lists, Weights, WeightsOf } from "./dataset.js";
import { isLists, lengthOf as lengthOfList, listMember } from "./lists.js";
import { IN_MEMORY, isTensorLike } from "./member.js";

/** The type of some rows of T: the same kind of array; a tensor becomes its shape and data. */
export type Selection<T> = T extends Float32Array
  ? Float32Array<ArrayBuffer>
  : T extends Int32Array
    ? Int32Array<ArrayBuffer>
    : T extends Uint8Array
      ? Uint8Array<ArrayBuffer>
      : T extends NumberArray | BigInt64Array | BigUint64Array
        ? T
        : T extends { readonly shape: readonly number[]; readonly data: infer D }
          ? { readonly shape: readonly number[]; readonly data: D }
          : T extends readonly (infer E)[]
            ? E[]
            : T extends Lists
              ? Lists
              : T extends Readonly<Record<string, unknown>>
                ? { readonly [K in keyof T]: Selection<T[K]> }
                : never;

/** Some rows of a set. */
export interface Part<X, Y> {
  readonly x: Selection<X>;
  readonly y: Selection<Y>;
  readonly weight?: WeightsOf<Y, Selection<Weights>> | undefined;
}

/** A set that rows can be taken out of. */
export interface Divisible {
  readonly rows: number;
  /** One element a row, of a list of rows. */
  readonly items: readonly unknown[] | undefined;
  /** Targets, by rows. */
  readonly targets: () => unknown;
  /** Some rows, in the order of `indices`: typed arrays are copied, rows that are objects of their own are the same. */
  readonly take: (indices: Uint32Array) => unknown;
}

/**
 * A list of rows, or { x, y, weight? } whose number of rows is that of the first member with rows of its own (an array of
 * arrays, a tensor), else `rows`, else that of the weights, else that of y, one value a row. Lengths that do not fit are
 * `ERR_DATA`.
 */
export function divisible(where: string, data: unknown, rows: number | undefined): Divisible {
  if (rows !== undefined) checkNumber(`${where}.rows`, rows, { min: 2, integer: true });
  const set = Array.isArray(data) ? listOf(data) : examplesOf(where, data as AnyExamples, rows);
  if (set.rows < 2) fail("ERR_DATA", `${where}.data`, "at least two rows", set.rows);
  if (rows !== undefined && rows !== set.rows)
    fail("ERR_OPTION", `${where}.rows`, `${set.rows}, as the data has,`, rows);
  return set;
}

function listOf(items: readonly unknown[]): Divisible {
  return {
    rows: items.length,
    items,
    targets: () =>
      items.map((item) => (typeof item === "object" && item !== null ? Reflect.get(item, "y") : undefined)),
    take: (indices) => Array.from(indices, (row) => items[row]),
  };
}

function examplesOf(where: string, data: AnyExamples, given: number | undefined): Divisible {
  if (typeof data !== "object" || data === null || Symbol.iterator in data || Symbol.asyncIterator in data) {
    fail("ERR_OPTION", `${where}.data`, "{ x, y } or an array of rows", data);
  }
  checkKeys(`${where}.data`, data, EXAMPLE_KEYS, MEANT);
  if (isCarried(data)) refuseDivision(where);
  const { x, y, weight } = data;
  const members = membersOf(weight === undefined ? { x, y } : { x, y, weight });
  const known = members.flatMap(({ path, value }) => (path.startsWith("weight") ? [] : [ownRows(value)]));
  const rows = known.find((own) => own !== undefined) ?? given ?? rowsOfFlat(where, members);
  if (rows < 2) fail("ERR_DATA", `${where}.data`, "at least two rows", rows);
  for (const { path, value } of members) checkRows(where, path, value, rows);
  return {
    rows,
    items: undefined,
    targets: () => y,
    take: (indices) => {
      const part = (path: string, value: unknown): unknown =>
        isLists(value)
          ? selectedLists(`${where}.data.${path}`, value, indices)
          : selected(value, lengthOf(where, path, value) / rows, indices);
      return Object.fromEntries(
        Object.entries(weight === undefined ? { x, y } : { x, y, weight }).map(([name, value]: [string, unknown]) => [
          name,
          isRecord(value) ? mapped(value, (key, one) => part(`${name}.${key}`, one)) : part(name, value),
        ]),
      );
    },
  };
}

/** Members that rows are taken out of: x, y and weight, or their members by name. */
interface DivisibleMember {
  readonly path: string;
  readonly value: unknown;
}

function membersOf(set: Readonly<Record<string, unknown>>): readonly DivisibleMember[] {
  return Object.entries(set).flatMap(([name, value]) => {
    if (!isRecord(value)) return [{ path: name, value }];
    return Object.entries(value).map(([key, one]) => ({ path: `${name}.${key}`, value: one }));
  });
}

/** Members by name, which lists are not. */
function isRecord(value: unknown): value is Members {
  return areMembers(value) && !isLists(value);
}

function mapped(record: Members, map: (key: string, value: unknown) => unknown): Members {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(key, value)]));
}

/** Rows of a set that is all flat: those of the weights, or of the first targets, one number a row. */
function rowsOfFlat(where: string, members: readonly DivisibleMember[]): number {
  const telling = (whole: string): DivisibleMember | undefined =>
    members.find(({ path }) => path === whole || path.startsWith(`${whole}.`));
  const { path, value } = telling("weight") ?? telling("y") ?? { path: "y", value: undefined };
  return lengthOf(where, path, value);
}

/** Lists; first axis of a tensor or of an array of arrays; flat data does not tell. */
function ownRows(value: unknown): number | undefined {
  if (isLists(value)) return value.offsets.length - 1;
  if (isTensorLike(value)) return value.shape[0];
  return Array.isArray(value) && typeof value[0] === "object" ? value.length : undefined;
}

function lengthOf(where: string, name: string, value: unknown): number {
  if (isTensorLike(value)) return value.data.length;
  if (Array.isArray(value) || isTypedArray(value)) return value.length;
  return fail("ERR_DTYPE", `${where}.data.${name}`, "a typed array, an array or a tensor", value);
}

function checkRows(where: string, name: string, value: unknown, rows: number): void {
  if (isLists(value)) {
    const { rows: own } = listMember(`${where}.data.${name}`, value, ANY_LISTS, IN_MEMORY);
    if (own !== rows)
      fail("ERR_DATA", `${where}.data.${name}`, `${countOf(rows, "list")}, as the other data has rows,`, own);
    return;
  }
  const columns = lengthOf(where, name, value) / rows;
  const nested = Array.isArray(value) && typeof value[0] === "object";
  const single = nested || name === "weight" || name.startsWith("weight.");
  if (Number.isInteger(columns) && columns > 0 && (columns === 1 || !single)) return;
  fail("ERR_DATA", `${where}.data.${name}`, `${countOf(rows, "row")}, as the other data has,`, value);
}

function selected(value: unknown, columns: number, indices: Uint32Array): unknown {
  if (isTensorLike(value)) {
    return { shape: [indices.length, ...value.shape.slice(1)], data: selected(value.data, columns, indices) };
  }
  if (isTypedArray(value)) return copyRows(value, columns, indices);
  const list: readonly unknown[] = Array.isArray(value) ? value : [];
  return Array.from(indices).flatMap((row) => list.slice(row * columns, (row + 1) * columns));
}

const ANY_LISTS = { longest: Number.POSITIVE_INFINITY, alone: false };

/** Lists of some rows; `ERR_DATA` where offsets fall. */
function selectedLists(where: string, lists: Lists, indices: Uint32Array): Lists {
  const member = listMember(where, lists, ANY_LISTS, IN_MEMORY);
  const offsets = new Int32Array(indices.length + 1);
  for (const [row, index] of indices.entries()) offsets[row + 1] = (offsets[row] ?? 0) + lengthOfList(member, index);
  const ids = new Int32Array(offsets.at(-1) ?? 0);
  const weights = lists.weights === undefined ? undefined : new Float32Array(ids.length);
  for (const [row, index] of indices.entries()) {
    const [begin, end, to] = [lists.offsets[index] ?? 0, lists.offsets[index + 1] ?? 0, offsets[row] ?? 0];
    ids.set(lists.ids.subarray(begin, end), to);
    if (lists.weights !== undefined) weights?.set(lists.weights.subarray(begin, end), to);
  }
  return weights === undefined ? { offsets, ids } : { offsets, ids, weights };
}

function copyRows(from: TypedArray, columns: number, indices: Uint32Array): TypedArray {
  const to = zerosLike(from, indices.length * columns);
  for (const [row, index] of indices.entries()) {
    for (let column = 0; column < columns; column++) {
      to[row * columns + column] = from[index * columns + column] ?? 0;
    }
  }
  return to;
}

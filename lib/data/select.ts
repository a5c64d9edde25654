// What can be divided into rows, and rows taken out of it.
import { fail } from "../errors.js";
import { checkKeys, checkNumber } from "../options.js";
import { type NumberArray, zerosLike } from "../tensor/arrays.js";
import { isTypedArray, type TypedArray } from "../tensor/copied.js";
import { EXAMPLE_KEYS, MEANT } from "./block.js";
import type { Examples, Weights } from "./dataset.js";
import { isTensorLike } from "./member.js";

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
            : never;

/** Some rows of a set. */
export interface Part<X, Y> {
  readonly x: Selection<X>;
  readonly y: Selection<Y>;
  readonly weight?: Selection<Weights> | undefined;
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
  const set = Array.isArray(data) ? listOf(data) : examplesOf(where, data as Examples, rows);
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

function examplesOf(where: string, data: Examples, given: number | undefined): Divisible {
  if (typeof data !== "object" || data === null || Symbol.iterator in data || Symbol.asyncIterator in data) {
    fail("ERR_OPTION", `${where}.data`, "{ x, y } or an array of rows", data);
  }
  checkKeys(`${where}.data`, data, EXAMPLE_KEYS, MEANT);
  const { x, y, weight } = data;
  const known = [x, y].map(ownRows).find((rows) => rows !== undefined);
  const rows = known ?? given ?? lengthOf(where, weight === undefined ? "y" : "weight", weight ?? y);
  if (rows < 2) fail("ERR_DATA", `${where}.data`, "at least two rows", rows);
  const members = Object.entries(weight === undefined ? { x, y } : { x, y, weight });
  for (const [name, value] of members) checkRows(where, name, value, rows);
  return {
    rows,
    items: undefined,
    targets: () => y,
    take: (indices) =>
      Object.fromEntries(
        members.map(([name, value]) => [name, selected(value, lengthOf(where, name, value) / rows, indices)]),
      ),
  };
}

/** First axis of a tensor or of an array of arrays; flat data does not tell. */
function ownRows(value: unknown): number | undefined {
  if (isTensorLike(value)) return value.shape[0];
  return Array.isArray(value) && typeof value[0] === "object" ? value.length : undefined;
}

function lengthOf(where: string, name: string, value: unknown): number {
  if (isTensorLike(value)) return value.data.length;
  if (Array.isArray(value) || isTypedArray(value)) return value.length;
  return fail("ERR_DTYPE", `${where}.data.${name}`, "a typed array, an array or a tensor", value);
}

function checkRows(where: string, name: string, value: unknown, rows: number): void {
  const columns = lengthOf(where, name, value) / rows;
  const nested = Array.isArray(value) && typeof value[0] === "object";
  if (Number.isInteger(columns) && columns > 0 && (columns === 1 || !(nested || name === "weight"))) return;
  fail("ERR_DATA", `${where}.data.${name}`, `${rows} rows, as the other data has,`, value);
}

function selected(value: unknown, columns: number, indices: Uint32Array): unknown {
  if (isTensorLike(value)) {
    return { shape: [indices.length, ...value.shape.slice(1)], data: selected(value.data, columns, indices) };
  }
  if (isTypedArray(value)) return copyRows(value, columns, indices);
  const list: readonly unknown[] = Array.isArray(value) ? value : [];
  return Array.from(indices).flatMap((row) => list.slice(row * columns, (row + 1) * columns));
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

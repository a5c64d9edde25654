import { fail } from "../errors.js";
import { checkKeys } from "../options.js";
import { isNumberArray, type NumberArray, zerosLike } from "../tensor/arrays.js";
import type { Examples, Features, Labels, Targets, Weights } from "./dataset.js";
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

/** Rows of a set, at least two: of the first member with rows of its own, otherwise values of y. */
export function rowsOf(where: string, data: Examples): number {
  checkKeys(`${where}.data`, data, ["x", "y", "weight"]);
  const { x, y, weight } = data;
  const known = [x, y].map(ownRows).find((rows) => rows !== undefined);
  const rows = known ?? weight?.length ?? lengthOf(where, "y", y);
  if (rows < 2) fail("ERR_DATA", `${where}.data`, "at least two rows", rows);
  return rows;
}

/** First axis of a tensor or of an array of arrays; flat data does not tell. */
function ownRows(value: unknown): number | undefined {
  if (isTensorLike(value)) return value.shape[0];
  return Array.isArray(value) && typeof value[0] === "object" ? value.length : undefined;
}

function lengthOf(where: string, name: string, value: unknown): number {
  if (Array.isArray(value) || isNumberArray(value)) return value.length;
  return fail("ERR_DTYPE", `${where}.data.${name}`, "a typed array, an array or a tensor", value);
}

/** The rows `indices` of all members, copied. */
export function partOf<X extends Features, Y extends Labels | Targets>(
  where: string,
  data: Examples<X, Y>,
  rows: number,
  indices: Uint32Array,
): Part<X, Y> {
  const x = select(where, "x", data.x, rows, indices);
  const y = select(where, "y", data.y, rows, indices);
  return data.weight === undefined ? { x, y } : { x, y, weight: select(where, "weight", data.weight, rows, indices) };
}

/** Rows of any data, in the order of `indices`, as a copy. */
function select<T>(where: string, name: string, value: T, rows: number, indices: Uint32Array): Selection<T> {
  const length = isTensorLike(value) ? value.data.length : lengthOf(where, name, value);
  const columns = length / rows;
  const nested = Array.isArray(value) && typeof value[0] === "object";
  if (!Number.isInteger(columns) || columns === 0 || (nested && columns !== 1)) {
    fail("ERR_DATA", `${where}.data.${name}`, `${rows} rows, as the other data has,`, value);
  }
  return selected(value, columns, indices) as Selection<T>;
}

function selected(value: unknown, columns: number, indices: Uint32Array): unknown {
  if (isTensorLike(value)) {
    return { shape: [indices.length, ...value.shape.slice(1)], data: selected(value.data, columns, indices) };
  }
  if (isNumberArray(value)) return copyRows(value, zerosLike(value, indices.length * columns), indices);
  const list: readonly unknown[] = Array.isArray(value) ? value : [];
  return Array.from(indices).flatMap((row) => list.slice(row * columns, (row + 1) * columns));
}

function copyRows<A extends NumberArray>(from: A, to: A, indices: Uint32Array): A {
  const columns = to.length / indices.length;
  for (const [row, index] of indices.entries()) {
    to.set(from.subarray(index * columns, (index + 1) * columns), row * columns);
  }
  return to;
}

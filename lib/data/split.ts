import { CarillonError, describe, fail } from "../errors.js";
import { checkBoolean, checkKeys, checkNumber } from "../options.js";
import { seedKey } from "../tensor/philox.js";
import { type Examples, type Features, isTensorLike, type Labels, type Targets, type Weights } from "./dataset.js";
import { permutation } from "./permutation.js";

/** Options of {@link split}. */
export interface SplitOptions {
  /** Examples to hold out: a fraction in (0, 1), rounded to the nearest count, or a count ≥ 1. */
  readonly validation: number;
  /** Gives every class its share of the validation set; needs one label a row. */
  readonly stratify?: boolean | undefined;
  /** An integer in [0, 2⁵³), 0 by default. */
  readonly seed?: number | undefined;
}

/** The type of some rows of T: the same kind of array; a tensor becomes its shape and data. */
export type Selection<T> = T extends Float32Array
  ? Float32Array<ArrayBuffer>
  : T extends Int32Array
    ? Int32Array<ArrayBuffer>
    : T extends Uint8Array
      ? Uint8Array<ArrayBuffer>
      : T extends { readonly shape: readonly number[]; readonly data: infer D }
        ? { readonly shape: readonly number[]; readonly data: D }
        : T extends readonly (infer E)[]
          ? E[]
          : never;

/** One part of a split. */
export interface Part<X, Y> {
  readonly x: Selection<X>;
  readonly y: Selection<Y>;
  readonly weight?: Selection<Weights> | undefined;
}

/** Purpose word of the random draws of a split. */
const SPLIT_PURPOSE = 5;

/**
 * Divides examples at random into a training and a validation set, the same on every machine for one seed.
 *
 * Both keep the order of the rows and the types of x and y (u8 stays u8); the data is copied. With `stratify`
 * every class gets its share of the validation set, by largest remainder, and keeps at least one row for training.
 * The rows of flat arrays are told by whichever of x, y and weight has rows of its own, otherwise y has one value a row.
 *
 * Errors: options (`ERR_OPTION`, `ERR_UNKNOWN_OPTION`), x, y and weight of different lengths (`ERR_DATA`), `stratify`
 * without one integer label a row (`ERR_LABEL`).
 */
export function split<X extends Features, Y extends Labels | Targets>(
  data: Examples<X, Y>,
  options: SplitOptions,
): { readonly train: Part<X, Y>; readonly validation: Part<X, Y> } {
  checkKeys("split.data", data, ["x", "y", "weight"]);
  checkKeys("split", options, ["validation", "stratify", "seed"]);
  const rows = rowsOf(data);
  const count = validationCount(options.validation, rows);
  const key = seedKey("split.seed", options.seed ?? 0);
  const stratify = checkBoolean("split.stratify", options.stratify ?? false);
  const order = permutation(rows, SPLIT_PURPOSE, key);
  const chosen = stratify ? stratified(order, labelsOf(data.y, rows), count) : order.subarray(0, count);
  const held = new Set(chosen);
  const part = (isIn: (row: number) => boolean): Part<X, Y> => {
    const indices = order.filter(isIn).sort();
    const x = select("x", data.x, rows, indices);
    const y = select("y", data.y, rows, indices);
    return data.weight === undefined ? { x, y } : { x, y, weight: select("weight", data.weight, rows, indices) };
  };
  return { train: part((row) => !held.has(row)), validation: part((row) => held.has(row)) };
}

/** Rows of the data set: of the first member with rows of its own, otherwise values of y. */
function rowsOf({ x, y, weight }: Examples): number {
  const known = [x, y].map(ownRows).find((rows) => rows !== undefined);
  const rows = known ?? weight?.length ?? lengthOf("y", y);
  if (rows < 2) fail("ERR_DATA", "split.data", "at least two rows", rows);
  return rows;
}

/** First axis of a tensor or of an array of arrays; flat data does not tell. */
function ownRows(value: unknown): number | undefined {
  if (isTensorLike(value)) return value.shape[0];
  return Array.isArray(value) && typeof value[0] === "object" ? value.length : undefined;
}

function lengthOf(name: string, value: unknown): number {
  if (Array.isArray(value) || isFlat(value)) return value.length;
  return fail("ERR_DTYPE", `split.data.${name}`, "a typed array, an array or a tensor", value);
}

function isFlat(value: unknown): value is Float32Array | Int32Array | Uint8Array {
  return value instanceof Float32Array || value instanceof Int32Array || value instanceof Uint8Array;
}

function validationCount(validation: number, rows: number): number {
  checkNumber("split.validation", validation, { above: 0, below: rows });
  if (validation >= 1) return checkNumber("split.validation", validation, { integer: true });
  return Math.min(Math.max(Math.round(validation * rows), 1), rows - 1);
}

/** One integer a row, or `ERR_LABEL`. */
function labelsOf(y: unknown, rows: number): readonly number[] {
  const values: readonly unknown[] = Array.from(isTensorLike(y) ? y.data : isFlat(y) || Array.isArray(y) ? y : []);
  if (values.length !== rows) fail("ERR_LABEL", "split.stratify", `one label for each of ${rows} rows`, y);
  return values.map((value, row) =>
    typeof value === "number" && Number.isInteger(value)
      ? value
      : fail("ERR_LABEL", "split.stratify", `an integer label in row ${row}`, value),
  );
}

/** The first rows of every class in `order`, `count` in all. */
function stratified(order: Uint32Array, labels: readonly number[], count: number): number[] {
  const left = shares(labels, count);
  const chosen: number[] = [];
  for (const row of order) {
    const label = labels[row] ?? 0;
    const more = left.get(label) ?? 0;
    if (more === 0) continue;
    left.set(label, more - 1);
    chosen.push(row);
  }
  return chosen;
}

/**
 * How many of `count` examples each class gives: its quota (its size · count / rows) rounded down, the rest one by
 * one to the largest remainders, smaller labels first among equals, never the last example of a class.
 */
function shares(labels: readonly number[], count: number): Map<number, number> {
  const sizes = new Map<number, number>();
  for (const label of labels) sizes.set(label, (sizes.get(label) ?? 0) + 1);
  if (count > labels.length - sizes.size) {
    throw new CarillonError(
      "ERR_OPTION",
      "split.validation",
      `expected at most ${labels.length - sizes.size} examples for 'split.validation', as each of ${sizes.size} ` +
        `classes keeps one for training, but received ${describe(count)}`,
    );
  }
  const taken = new Map<number, number>();
  for (const [label, size] of sizes) taken.set(label, Math.floor((size * count) / labels.length));
  // The remainders as integers, so that equal ones are equal.
  const classes = [...sizes].map(([label, size]) => ({ label, size, remainder: (size * count) % labels.length }));
  classes.sort((a, b) => b.remainder - a.remainder || a.label - b.label);
  let rest = count - [...taken.values()].reduce((sum, one) => sum + one, 0);
  while (rest > 0) {
    for (const { label, size } of classes) {
      const some = taken.get(label) ?? 0;
      if (rest === 0 || some >= size - 1) continue;
      taken.set(label, some + 1);
      rest -= 1;
    }
  }
  return taken;
}

/** Rows of any data, in the order of `indices`, as a copy. */
function select<T>(name: string, value: T, rows: number, indices: Uint32Array): Selection<T> {
  const length = isTensorLike(value) ? value.data.length : lengthOf(name, value);
  const columns = length / rows;
  const nested = Array.isArray(value) && typeof value[0] === "object";
  if (!Number.isInteger(columns) || columns === 0 || (nested && columns !== 1)) {
    fail("ERR_DATA", `split.data.${name}`, `${rows} rows, as the other data has,`, value);
  }
  return selected(value, columns, indices) as Selection<T>;
}

function selected(value: unknown, columns: number, indices: Uint32Array): unknown {
  if (isTensorLike(value)) {
    return { shape: [indices.length, ...value.shape.slice(1)], data: selected(value.data, columns, indices) };
  }
  if (value instanceof Float32Array) return copyRows(value, new Float32Array(indices.length * columns), indices);
  if (value instanceof Int32Array) return copyRows(value, new Int32Array(indices.length * columns), indices);
  if (value instanceof Uint8Array) return copyRows(value, new Uint8Array(indices.length * columns), indices);
  const list: readonly unknown[] = Array.isArray(value) ? value : [];
  return Array.from(indices).flatMap((row) => list.slice(row * columns, (row + 1) * columns));
}

function copyRows<A extends Float32Array | Int32Array | Uint8Array>(from: A, to: A, indices: Uint32Array): A {
  const columns = to.length / indices.length;
  for (const [row, index] of indices.entries()) {
    to.set(from.subarray(index * columns, (index + 1) * columns), row * columns);
  }
  return to;
}

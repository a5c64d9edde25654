import { isPlainObject } from "../options.js";
import type { NumberArray } from "./arrays.js";
import { isDetached } from "./detached.js";

/** Any array over a buffer. */
export type TypedArray = NumberArray | BigInt64Array | BigUint64Array;

/** Whether it is a typed array, of any realm. */
export function isTypedArray(value: unknown): value is TypedArray {
  return ArrayBuffer.isView(value) && "length" in value;
}

/** The same elements in memory of their own; of a Node Buffer too, whose own `slice` shares its memory. */
export function copied<A extends TypedArray>(data: A): A {
  const copy: unknown = Reflect.apply(Uint8Array.prototype.slice, data, []);
  return copy as A; // what all typed arrays have in common gives the kind that it is called on
}

/** Members by name: a plain object that is no tensor. */
export type Members = Readonly<Record<string, unknown>>;

export function areMembers(value: unknown): value is Members {
  return isPlainObject(value) && !hasTypedData(value);
}

function hasTypedData(value: object): value is { readonly shape: readonly unknown[]; readonly data: TypedArray } {
  return "shape" in value && Array.isArray(value.shape) && "data" in value && isTypedArray(value.data);
}

/**
 * `value` with arrays, rows, typed arrays and the data of tensors that are nobody else's, and so the members of records. What is none of
 * these, or has lost its memory, stays as it is, for who checks.
 */
export function copyOf<T>(value: T): T {
  return copyMembers(value, MOST_RECORDS) as T; // of the same kind
}

function copyMembers(value: unknown, records: number): unknown {
  if (records === 0 || !areMembers(value)) return duplicate(value, depthOf(value));
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, copyMembers(member, records - 1)]));
}

/** Records in one another: inputs by name, and what their lists are made of. */
const MOST_RECORDS = 2;

/** Arrays that are nested deeper are no rows, and might hold themselves. */
const MOST_DEPTH = 16;

/**
 * The first element, by a look that does not change how V8 keeps the array: one place that reads lists of rows and rows of doubles makes
 * objects of the doubles of a row, and after it whoever reads that row, of all others.
 */
export function firstOf(value: readonly unknown[]): unknown {
  return value.at(0);
}

/** How deep arrays are nested, by their first elements. */
export function depthOf(value: unknown): number {
  let depth = 0;
  for (let first = value; Array.isArray(first) && depth < MOST_DEPTH; first = firstOf(first)) depth += 1;
  return depth;
}

function duplicate(value: unknown, depth: number): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (isTypedArray(value)) return isDetached(value) ? value : copied(value);
  if (Array.isArray(value)) {
    if (depth === 0) return value;
    const copy: unknown[] = value.slice();
    for (let index = 0; index < copy.length; index++) {
      const one = copy[index];
      if (typeof one === "object" && one !== null) copy[index] = duplicate(one, depth - 1);
    }
    return copy;
  }
  return hasTypedData(value) ? { ...value, shape: [...value.shape], data: duplicate(value.data, depth) } : value;
}

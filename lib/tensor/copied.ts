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

/**
 * `value` with arrays, rows, typed arrays and the data of tensors that are nobody else's. What is none of these, or has lost
 * its memory, stays as it is, for who checks.
 */
export function copyOf<T>(value: T): T {
  return duplicate(value, ROW_DEPTH) as T; // of the same kind
}

/** Rows lie in one array: what is nested deeper is no data, and might hold itself. */
const ROW_DEPTH = 2;

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
  if (!("shape" in value && Array.isArray(value.shape) && "data" in value && isTypedArray(value.data))) return value;
  return { ...value, shape: [...value.shape], data: duplicate(value.data, depth) };
}

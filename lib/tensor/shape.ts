import { CarillonError, describe, fail } from "../errors.js";

/** One axis: a size, or `'batch'`, which is known when a program runs. */
export type Dim = number | "batch";

/** Axes from the slowest to the fastest; only the first may be `'batch'`. `[]` is a scalar. */
export type Shape = readonly Dim[];

/** Type of the elements: 32-bit floats, what is computed with; 32-bit integers, for labels; bytes, for data. */
export type Dtype = "f32" | "i32" | "u8";

/** Most elements of one value: counts are 32-bit words in a program. */
const MAX_ELEMENTS = 2_147_483_647;

/** `[batch, 784]`; what is no size as errors render it. */
export function formatShape(shape: Shape): string {
  const sizes: readonly unknown[] = shape;
  return `[${sizes.map((size) => (size === "batch" ? size : describe(size))).join(", ")}]`;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, axis) => dim === b[axis]);
}

/** Elements of `shape`; negative where the first axis is `'batch'`: −k means k a row of the batch. */
export function extent(shape: Shape): number {
  let product = 1;
  let sign = 1;
  for (const dim of shape) {
    if (dim === "batch") sign = -1;
    else product *= dim;
  }
  return sign * product;
}

/** Elements a row of the batch, or all elements of a shape without one. */
export function elements(shape: Shape): number {
  return Math.abs(extent(shape));
}

export function isBatched(shape: Shape): boolean {
  return shape[0] === "batch";
}

/** `shape` as a matrix: all axes but the last, and the last. A vector of the batch has one column. */
export function asMatrix(shape: Shape): { readonly rows: number; readonly columns: number } {
  const last = shape.at(-1);
  if (last === undefined) return { rows: 1, columns: 1 };
  if (last === "batch") return { rows: -1, columns: 1 };
  return { rows: extent(shape.slice(0, -1)), columns: last };
}

/** Checks sizes ≥ 1 and that only the first axis is `'batch'`; else `ERR_SHAPE`. */
export function checkShape(where: string, shape: Shape): Shape {
  if (!Array.isArray(shape)) fail("ERR_SHAPE", where, "an array of sizes", shape);
  for (const [axis, dim] of shape.entries()) {
    if (dim === "batch" ? axis > 0 : !(Number.isSafeInteger(dim) && dim >= 1)) {
      throw new CarillonError(
        "ERR_SHAPE",
        where,
        `expected sizes >= 1 (only the first axis may be 'batch') for '${where}' but received ${formatShape(shape)}`,
      );
    }
  }
  return checkElements(where, shape);
}

/** `ERR_SHAPE` for more elements, or more a row of the batch, than a program can count. */
export function checkElements(where: string, shape: Shape): Shape {
  if (elements(shape) <= MAX_ELEMENTS) return shape;
  throw new CarillonError(
    "ERR_SHAPE",
    where,
    `expected fewer than 2^31 elements for '${where}' but received ${formatShape(shape)}`,
  );
}

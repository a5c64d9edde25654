import { isFloats, type NumberArray } from "../tensor/arrays.js";
import { bytesOf, floatsOf, hasBytes, memberOf } from "./member.js";
import type { Affine } from "./transform.js";

/** Anything with the shape and the data of a tensor; a `Tensor` is one. */
export interface TensorLike {
  readonly shape: readonly number[];
  readonly data: NumberArray;
}

/** Numbers by row: one array, or one typed array, an example. */
export type Rows = readonly (readonly number[])[] | readonly NumberArray[];

/** Inputs of a data set: [rows, columns], flat in typed arrays; one number a row where there is one column. */
export type Features = NumberArray | readonly number[] | Rows | TensorLike;

/** Classes: one integer a row, one name, or a row with a single 1. */
export type Labels =
  | NumberArray
  | BigInt64Array
  | BigUint64Array
  | readonly number[]
  | readonly bigint[]
  | readonly string[]
  | Rows
  | TensorLike;

/** Targets of a regression: [rows, columns]; one number a row needs no inner arrays. */
export type Targets = NumberArray | readonly number[] | Rows | TensorLike;

/** Weights of examples, one number ≥ 0 a row. */
export type Weights = NumberArray | readonly number[];

/** A data set in memory: the examples are the rows. */
export interface Examples<X = Features, Y = Labels | Targets> {
  readonly x: X;
  readonly y: Y;
  readonly weight?: Weights | undefined;
}

/** A checked matrix, row-major: `data.length` is `rows · columns`. */
export type BoundMatrix =
  | { readonly dtype: "f32"; readonly rows: number; readonly columns: number; readonly data: Float32Array }
  | { readonly dtype: "u8"; readonly rows: number; readonly columns: number; readonly data: Uint8Array };

/**
 * Inputs as a matrix of `columns` columns: bytes stay bytes, everything else is f32, in the units of `affine`. f32 without units
 * is passed on, not copied. Errors as `memberOf`, and `ERR_DATA` for a value that is not finite as float32.
 */
export function bindFeatures(where: string, x: Features, columns: number, affine?: Affine | undefined): BoundMatrix {
  const member = memberOf(where, x, columns);
  const { rows, values, nested } = member;
  if (hasBytes(member)) return { dtype: "u8", rows, columns, data: bytesOf(member, 0, rows) };
  const asIs = affine === undefined && !nested && isFloats(values);
  const scratch = new Float32Array(asIs ? 0 : rows * columns);
  return { dtype: "f32", rows, columns, data: floatsOf(member, 0, rows, affine, scratch) };
}

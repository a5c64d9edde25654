import type { NumberArray } from "../tensor/arrays.js";

/** Anything with the shape and the data of a tensor; a `Tensor` is one. */
export interface TensorLike {
  readonly shape: readonly number[];
  readonly data: NumberArray;
}

/** Numbers by row: one array, or one typed array, an example; nested where a row has several axes. */
export type Rows = readonly (readonly number[])[] | readonly NumberArray[] | readonly Rows[];

/** An input of a data set: [rows, …shape], flat in typed arrays; one number a row where there is one column. */
export type Features = NumberArray | readonly number[] | Rows | TensorLike;

/** Rows that are lists of integers, as `ragged` says: list i is `ids[offsets[i] … offsets[i + 1])`. */
export interface Lists {
  /** One more than there are rows: 0 first, then where each list ends; they never fall, and the last is the number of ids. */
  readonly offsets: Int32Array;
  readonly ids: Int32Array;
  /** What each id counts in its bag; 1 by default. */
  readonly weights?: Float32Array | undefined;
}

/** One such list by itself. */
export type OneList =
  | readonly number[]
  | Int32Array
  | { readonly ids: readonly number[] | Int32Array; readonly weights?: readonly number[] | Float32Array | undefined };

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

/** One of a kind, or several by name: of a model whose inputs, or outputs, have names. */
export type Named<T> = T | Readonly<Record<string, T>>;

/** Inputs of a data set. */
export type Inputs = Named<Features | Lists>;

/** Targets of a data set. */
export type Outputs = Named<Labels | Targets>;

/** Weights of targets Y; of several outputs those of all, or some by name, where an output that is not named weighs 1. */
export type WeightsOf<Y, W = Weights> = Y extends Labels | Targets ? W : W | Readonly<Record<string, W | undefined>>;

/** A data set in memory: the examples are the rows. */
export interface Examples<X = Features, Y = Labels | Targets> {
  readonly x: X;
  readonly y: Y;
  readonly weight?: WeightsOf<Y> | undefined;
  /**
   * 1 for each row that goes on where the one before it has ended, 0 for one that begins anew: windows of series, as `windows(…, { carry: true })` makes them. Layers that keep a state begin with the one
   * that they have left.
   */
  readonly carry?: NumberArray | readonly number[] | TensorLike | undefined;
}

/** The same of any model. */
export type AnyExamples = Examples<Inputs, Outputs>;

/** Such a set where its inputs alone are asked for. */
export type AnyInputs = Pick<AnyExamples, "x">;

import { CarillonError, fail } from "../errors.js";
import { isDetached } from "./detached.js";
import { checkShape, type Dtype, elements, formatShape, isBatched } from "./shape.js";
import { Value } from "./value.js";

/** Typed array of each dtype. */
export interface ArrayOf {
  readonly f32: Float32Array;
  readonly i32: Int32Array;
  readonly u8: Uint8Array;
}

/** Nested arrays of numbers, all rows of the same length. */
export type Nested = number | readonly Nested[];

/** What {@link tensor} accepts. */
export type TensorData = Nested | Float32Array | Int32Array | Uint8Array;

/** A value with its data: a shape over a typed array that JavaScript owns. Row-major, contiguous. */
export class Tensor<D extends Dtype = Dtype> extends Value {
  declare readonly dtype: D;
  declare readonly shape: readonly number[];
  readonly #data: ArrayOf[D];

  /** @internal */
  constructor(data: ArrayOf[D], shape: readonly number[], dtype: D) {
    super(shape, dtype, { kind: "tensor" });
    this.#data = data;
  }

  /** The elements, row-major. The array is the tensor's own: writing to it changes the tensor. */
  get data(): ArrayOf[D] {
    if (this.#data.length !== elements(this.shape)) {
      throw new CarillonError(
        "ERR_DETACHED",
        "tensor",
        `expected ${elements(this.shape)} elements for 'tensor' ${formatShape(this.shape)} but its buffer was detached`,
      );
    }
    return this.#data;
  }

  /** The only element of a tensor with one; otherwise `ERR_SHAPE`. */
  item(): number {
    const [value] = this.data;
    if (value === undefined || this.data.length !== 1) {
      throw new CarillonError("ERR_SHAPE", "item", `expected one element but received ${formatShape(this.shape)}`);
    }
    return value;
  }

  toJSON(): { readonly shape: readonly number[]; readonly dtype: D; readonly data: readonly number[] } {
    return { shape: this.shape, dtype: this.dtype, data: Array.from(this.data) };
  }
}

function shapeOf(value: Nested): number[] {
  if (!Array.isArray(value)) return [];
  const [first] = value;
  return first === undefined ? [0] : [value.length, ...shapeOf(first)];
}

function flatten(where: string, value: Nested, shape: readonly number[], axis: number, out: number[]): void {
  if (typeof value === "number") {
    if (axis !== shape.length) fail("ERR_SHAPE", where, `rows of equal depth and length ${formatShape(shape)}`, value);
    out.push(value);
    return;
  }
  if (!Array.isArray(value)) fail("ERR_DTYPE", where, "nested arrays of numbers", value);
  if (value.length !== shape[axis]) {
    fail("ERR_SHAPE", where, `rows of equal depth and length ${formatShape(shape)}`, value);
  }
  for (const part of value) flatten(where, part, shape, axis + 1, out);
}

/**
 * A tensor of `data`: a number, nested arrays (copied to f32), or a typed array (not copied: f32, i32 or u8 by its type).
 *
 * @param shape Sizes whose product is the number of elements; without it, as the data are nested.
 * Throws `ERR_SHAPE` for ragged or empty data or a shape that does not fit, `ERR_DETACHED`, `ERR_DTYPE`.
 */
export function tensor(data: Float32Array | Nested, shape?: readonly number[]): Tensor<"f32">;
export function tensor(data: Int32Array, shape?: readonly number[]): Tensor<"i32">;
export function tensor(data: Uint8Array, shape?: readonly number[]): Tensor<"u8">;
export function tensor(data: TensorData, shape?: readonly number[]): Tensor {
  if (data instanceof Float32Array) return over(data, shape, "f32");
  if (data instanceof Int32Array) return over(data, shape, "i32");
  if (data instanceof Uint8Array) return over(data, shape, "u8");
  if (typeof data !== "number" && !Array.isArray(data)) {
    fail("ERR_DTYPE", "tensor", "a number, nested arrays, Float32Array, Int32Array or Uint8Array", data);
  }
  const inferred = shapeOf(data);
  const flat: number[] = [];
  flatten("tensor", data, inferred, 0, flat);
  return over(Float32Array.from(flat), shape ?? inferred, "f32");
}

function over<D extends Dtype>(data: ArrayOf[D], given: readonly number[] | undefined, dtype: D): Tensor<D> {
  if (isDetached(data)) {
    throw new CarillonError("ERR_DETACHED", "tensor", "expected data for 'tensor' but its buffer was detached");
  }
  const shape = given ?? [data.length];
  if (!Array.isArray(shape)) fail("ERR_SHAPE", "tensor.shape", "an array of sizes", shape);
  checkShape("tensor", shape);
  if (isBatched(shape) || elements(shape) !== data.length) {
    throw new CarillonError(
      "ERR_SHAPE",
      "tensor",
      `expected ${elements(shape)} elements for 'tensor' of shape ${formatShape(shape)} but received ${data.length}`,
    );
  }
  return new Tensor(data, [...shape], dtype);
}

/** A new array of zeros. */
export function allocate<D extends Dtype>(dtype: D, length: number): ArrayOf[D];
export function allocate(dtype: Dtype, length: number): ArrayOf[Dtype] {
  if (dtype === "f32") return new Float32Array(length);
  return dtype === "i32" ? new Int32Array(length) : new Uint8Array(length);
}

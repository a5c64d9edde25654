import { CarillonError, fail, introduce } from "../errors.js";
import { checkOneOf } from "../options.js";
import { arrayClass } from "./arrays.js";
import { isDetached } from "./detached.js";
import { formatElements, formatTitled, INSPECT, type InspectOptions, style } from "./inspect.js";
import { checkShape, type Dtype, elements, formatShape, isBatched } from "./shape.js";
import { type Source, Value } from "./value.js";

/** Typed array of each dtype. */
export interface ArrayOf {
  readonly f32: Float32Array;
  readonly i32: Int32Array;
  readonly u8: Uint8Array;
}

/** Nested arrays of numbers, all rows of the same length. */
export type Nested = number | readonly Nested[];

/** Data that {@link tensor} accepts. */
export type TensorData = Nested | Float32Array | Int32Array | Uint8Array | PlainTensor;

/** A tensor without its methods: what `structuredClone`, `postMessage` and `toJSON` make of one. */
export interface PlainTensor<D extends Dtype = Dtype> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly data: ArrayOf[D] | readonly number[];
}

const SOURCE: Source = { kind: "tensor" };

/**
 * A value with its data: a shape over a typed array that JavaScript owns. Row-major, contiguous. Its own properties are
 * `dtype`, `shape` and `data`, so tensors of the same numbers are equal, and a copy by `structuredClone` is a plain object
 * of these three, which {@link tensor} takes.
 */
export class Tensor<D extends Dtype = Dtype> extends Value {
  declare readonly dtype: D;
  declare readonly shape: readonly number[];
  /** The elements, row-major. The array is the tensor's own: writing to it changes the tensor. */
  readonly data: ArrayOf[D];

  /** @internal */
  constructor(data: ArrayOf[D], shape: readonly number[], dtype: D) {
    super(shape, dtype, SOURCE);
    this.data = data;
  }

  /** {@link data} for who computes with it; `ERR_DETACHED` where its buffer was transferred or shrunk. @internal */
  get attached(): ArrayOf[D] {
    if (this.data.length === elements(this.shape)) return this.data;
    throw new CarillonError(
      "ERR_DETACHED",
      "tensor",
      `expected ${elements(this.shape)} elements for 'tensor' ${formatShape(this.shape)} but its buffer was detached`,
    );
  }

  /** The only element of a tensor with one; otherwise `ERR_SHAPE`. */
  item(): number {
    const [value] = this.attached;
    if (value === undefined || this.data.length !== 1) {
      throw new CarillonError("ERR_SHAPE", "item", `expected one element but received ${formatShape(this.shape)}`);
    }
    return value;
  }

  /** Plain numbers, which `tensor` takes back; JSON has no NaN and no infinities, which `JSON.stringify` writes as `null`. */
  toJSON(): { readonly shape: readonly number[]; readonly dtype: D; readonly data: readonly number[] } {
    return { shape: this.shape, dtype: this.dtype, data: Array.from(this.attached) };
  }

  /** @internal */
  override [INSPECT](depth: number | null = null, options: InspectOptions = {}): string {
    const title = `Tensor ${this.dtype}`;
    if (depth !== null && depth < 0) return style(options, `[${title} ${formatShape(this.shape)}]`, "special");
    const whole = this.data.length === elements(this.shape);
    return formatTitled(title, this.shape, whole ? formatElements(this.data, this.shape, options) : "detached");
  }
}
introduce(Tensor.prototype, "a tensor");

/** Axes of nested arrays: more than anybody uses, few enough that arrays which hold themselves come to an end. */
const MOST_AXES = 32;

function shapeOf(value: Nested): number[] {
  const shape: number[] = [];
  let inner: Nested | undefined = value;
  for (; Array.isArray(inner); inner = inner[0] as Nested | undefined) {
    if (shape.length === MOST_AXES) fail("ERR_SHAPE", "tensor", `arrays nested at most ${MOST_AXES} deep`, value);
    shape.push(inner.length);
  }
  return shape;
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
 * A tensor of `data`: a number, nested arrays (copied to f32), a typed array (not copied: f32, i32 or u8 by its type), or
 * what `structuredClone`, `postMessage` and JSON have made of a tensor (its numbers copied if they are a plain array).
 *
 * @param shape Sizes whose product is the number of elements; without it, as the data are nested or say.
 * Throws `ERR_SHAPE` for ragged or empty data or a shape that does not fit, `ERR_DETACHED`, `ERR_DTYPE`, `ERR_DATA` for
 * plain numbers that the dtype does not hold.
 */
export function tensor(data: Float32Array | Nested, shape?: readonly number[]): Tensor<"f32">;
export function tensor(data: Int32Array, shape?: readonly number[]): Tensor<"i32">;
export function tensor(data: Uint8Array, shape?: readonly number[]): Tensor<"u8">;
export function tensor<D extends Dtype>(data: PlainTensor<D>, shape?: readonly number[]): Tensor<D>;
export function tensor(data: TensorData, shape?: readonly number[]): Tensor {
  const dtype = dtypeOf(data);
  if (dtype !== undefined && isElements(data)) return over(data, shape, dtype);
  if (isPlainTensor(data)) return ofPlain(data, shape);
  if (typeof data !== "number" && !Array.isArray(data)) {
    fail("ERR_DTYPE", "tensor", "a number, nested arrays, Float32Array, Int32Array, Uint8Array or a tensor", data);
  }
  const inferred = shapeOf(data);
  const flat: number[] = [];
  flatten("tensor", data, inferred, 0, flat);
  return over(Float32Array.from(flat), shape ?? inferred, "f32");
}

const DTYPES = { Float32Array: "f32", Int32Array: "i32", Uint8Array: "u8" } as const;

/** The dtype of a typed array of any realm, if its elements are of one. */
function dtypeOf(value: unknown): Dtype | undefined {
  const tag = arrayClass(value);
  return tag === "Float32Array" || tag === "Int32Array" || tag === "Uint8Array" ? DTYPES[tag] : undefined;
}

function isElements(value: unknown): value is ArrayOf[Dtype] {
  return dtypeOf(value) !== undefined;
}

/** Whether `value` is a tensor without its methods, or one with them. */
export function isPlainTensor(value: unknown): value is PlainTensor {
  return typeof value === "object" && value !== null && "dtype" in value && "shape" in value && "data" in value;
}

function ofPlain({ dtype, shape, data }: PlainTensor, given: readonly number[] | undefined): Tensor {
  checkOneOf("tensor.dtype", dtype, Object.values(DTYPES));
  if (isElements(data)) {
    return dtypeOf(data) === dtype
      ? over(data, given ?? shape, dtype)
      : fail("ERR_DTYPE", "tensor.data", `elements of dtype ${dtype}`, data);
  }
  if (!Array.isArray(data)) return fail("ERR_DTYPE", "tensor.data", "a typed array or an array of numbers", data);
  const odd = data.findIndex((value) => typeof value !== "number");
  if (odd >= 0) fail("ERR_DTYPE", `tensor.data[${odd}]`, "a number", data[odd]);
  const array = allocate(dtype, data.length);
  array.set(data);
  const changed = dtype === "f32" ? -1 : data.findIndex((value, index) => value !== array[index]);
  if (changed >= 0) fail("ERR_DATA", `tensor.data[${changed}]`, `an integer that ${dtype} holds`, data[changed]);
  return over(array, given ?? shape, dtype);
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

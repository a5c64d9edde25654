import { fail } from "../errors.js";
import { isFloats, isInts, isNumberArray, type NumberArray } from "../tensor/arrays.js";
import { type Dtype, elements, isBatched, type Shape } from "../tensor/shape.js";
import { isPlainTensor, Tensor, type TensorData, tensor } from "../tensor/tensor.js";

/** A value for an input of a program: a tensor, a typed array with one row after the other, or nested arrays of numbers. */
export type ProgramInput = Tensor | TensorData | NumberArray;

/** Declared shape and elements of an input. */
interface Declared {
  readonly shape: Shape;
  readonly dtype: Dtype;
}

/** `given` as a tensor: a typed array under the input's shape if it fits, other numbers in the input's dtype. */
export function givenTensor(where: string, given: unknown, declared: Declared): Tensor {
  if (given instanceof Tensor) return given;
  if (isPlainTensor(given)) return tensor(given);
  if (isNumberArray(given)) {
    const shape = shapeOf(given.length, declared.shape);
    if (isFloats(given)) return tensor(given, shape);
    if (isInts(given)) return tensor(given, shape);
    return declared.dtype === "i32" ? tensor(integers(where, given), shape) : tensor(Float32Array.from(given), shape);
  }
  if (!isNested(given)) return fail("ERR_OPTION", where, "a tensor, a typed array or arrays of numbers", given);
  const floats = tensor(given);
  if (declared.dtype !== "i32") return floats;
  return tensor(integers(where, [given].flat(Number.POSITIVE_INFINITY)), floats.shape);
}

/** `numbers` as i32; `ERR_DTYPE` for what is none. */
function integers(where: string, numbers: ArrayLike<unknown>): Int32Array {
  const odd = Array.from(numbers).find((number) => !Number.isInteger(number) || Math.abs(Number(number)) > MAX_I32);
  if (odd !== undefined) fail("ERR_DTYPE", where, "integers of 32 bits", odd);
  return Int32Array.from(numbers, Number);
}

const MAX_I32 = 2_147_483_647;

function isNested(value: unknown): value is number | readonly number[] {
  return typeof value === "number" || Array.isArray(value);
}

/** The declared shape with as many rows as `count` elements make; as a list where they make none. */
function shapeOf(count: number, shape: Shape): readonly number[] {
  const columns = elements(shape);
  const rows = count / columns;
  const fits = isBatched(shape) ? rows >= 1 && Number.isInteger(rows) : rows === 1;
  return fits ? shape.map((dim) => (dim === "batch" ? rows : dim)) : [count];
}

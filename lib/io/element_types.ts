import { extent } from "../tensor/shape.js";

/** The typed array of each element type of a file; of f16 and bf16, which JavaScript has none for, the bits. */
export interface StoredArrays {
  readonly f64: Float64Array;
  readonly i64: BigInt64Array;
  readonly u64: BigUint64Array;
  readonly f32: Float32Array;
  readonly i32: Int32Array;
  readonly u32: Uint32Array;
  readonly f16: Uint16Array;
  readonly bf16: Uint16Array;
  readonly i16: Int16Array;
  readonly u16: Uint16Array;
  readonly i8: Int8Array;
  readonly u8: Uint8Array;
}

export type StoredDtype = keyof StoredArrays;

/** A tensor of a file: `data` holds the product of `shape` elements, row-major. */
export type StoredTensor = {
  readonly [D in StoredDtype]: {
    readonly dtype: D;
    readonly shape: readonly number[];
    readonly data: StoredArrays[D];
  };
}[StoredDtype];

/** Bytes of an element. */
export const ELEMENT_BYTES: Readonly<Record<StoredDtype, number>> = {
  f64: 8,
  i64: 8,
  u64: 8,
  f32: 4,
  i32: 4,
  u32: 4,
  f16: 2,
  bf16: 2,
  i16: 2,
  u16: 2,
  i8: 1,
  u8: 1,
};

/** The type whose name a file has, such as `F32`. */
export function dtypeOf(stored: unknown): StoredDtype | undefined {
  if (typeof stored !== "string" || stored !== stored.toUpperCase()) return undefined;
  const dtype = stored.toLowerCase();
  return isDtype(dtype) ? dtype : undefined;
}

function isDtype(value: string): value is StoredDtype {
  return Object.hasOwn(ELEMENT_BYTES, value);
}

/** The names that a file has for the types. */
const STORED_NAMES: readonly string[] = Object.keys(ELEMENT_BYTES).map((dtype) => dtype.toUpperCase());

/** Element types that a reader of headers takes. */
export interface ElementTypes<D extends string> {
  /** Bytes of an element of each. */
  readonly bytes: Readonly<Record<D, number>>;
  /** The type whose name a file has, such as `F32`. */
  of(stored: unknown): D | undefined;
  /** Names that a file has for them, for errors. */
  readonly names: readonly string[];
}

/** These types, for readers of headers. */
export const STORED_TYPES: ElementTypes<StoredDtype> = { bytes: ELEMENT_BYTES, of: dtypeOf, names: STORED_NAMES };

/** A tensor over the first of these bytes. */
export function storedTensor(dtype: StoredDtype, shape: readonly number[], bytes: ArrayBuffer): StoredTensor {
  const count = extent(shape);
  switch (dtype) {
    case "f64":
      return { dtype, shape, data: new Float64Array(bytes, 0, count) };
    case "i64":
      return { dtype, shape, data: new BigInt64Array(bytes, 0, count) };
    case "u64":
      return { dtype, shape, data: new BigUint64Array(bytes, 0, count) };
    case "f32":
      return { dtype, shape, data: new Float32Array(bytes, 0, count) };
    case "i32":
      return { dtype, shape, data: new Int32Array(bytes, 0, count) };
    case "u32":
      return { dtype, shape, data: new Uint32Array(bytes, 0, count) };
    case "f16":
    case "bf16":
    case "u16":
      return { dtype, shape, data: new Uint16Array(bytes, 0, count) };
    case "i16":
      return { dtype, shape, data: new Int16Array(bytes, 0, count) };
    case "i8":
      return { dtype, shape, data: new Int8Array(bytes, 0, count) };
    case "u8":
      return { dtype, shape, data: new Uint8Array(bytes, 0, count) };
  }
}

/** Whether elements are floating-point numbers. */
export function isFloating(dtype: StoredDtype): boolean {
  return dtype === "f32" || dtype === "f64" || dtype === "f16" || dtype === "bf16";
}

/**
 * The elements of a tensor of floats as f32: those of f64 are rounded to the nearest, ties to even (too large ones to
 * infinity); f16 and bf16 are exact, and f32 is given as it is. `undefined` for integers.
 */
export function asFloat32(tensor: StoredTensor): Float32Array | undefined {
  switch (tensor.dtype) {
    case "f32":
      return tensor.data;
    case "f64":
      return new Float32Array(tensor.data);
    case "f16":
      return fromHalf(tensor.data);
    case "bf16": // the upper half of an f32
      return new Float32Array(new Uint32Array(tensor.data).map((bits) => bits << 16).buffer);
    default:
      return undefined;
  }
}

/** The unit of f16 below its normal numbers: 2⁻²⁴. */
const HALF_UNIT = 1 / 16_777_216;

/** IEEE binary16: sign, 5 bits of exponent with bias 15, 10 of mantissa. */
function fromHalf(halves: Uint16Array): Float32Array {
  const floats = new Float32Array(halves.length);
  const words = new Uint32Array(floats.buffer);
  for (let index = 0; index < halves.length; index++) {
    const half = halves[index] ?? 0;
    const sign = (half & 0x8000) << 16;
    const exponent = (half >> 10) & 0x1f;
    const mantissa = half & 0x3ff;
    if (exponent === 0) {
      floats[index] = mantissa * (sign === 0 ? HALF_UNIT : -HALF_UNIT);
      continue;
    }
    const widened = exponent === 0x1f ? 0xff : exponent - 15 + 127;
    words[index] = sign | (widened << 23) | (mantissa << 13);
  }
  return floats;
}

/** Typed arrays of numbers that data may lie in. What is not f32 already is rounded to it once, where it becomes f32. */
export type NumberArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint8ClampedArray
  | Uint16Array
  | Uint32Array;

/** Makers of {@link NumberArray}s by the names of their classes. */
const MAKERS: ReadonlyMap<string, (length: number) => NumberArray> = new Map(
  [
    Float32Array,
    Float64Array,
    Int8Array,
    Int16Array,
    Int32Array,
    Uint8Array,
    Uint8ClampedArray,
    Uint16Array,
    Uint32Array,
  ].map((made) => [made.name, (length: number): NumberArray => new made(length)]),
);

/** Reads the slot that says what kind of typed array an object is: the same in every realm, and not to be forged. */
const readTag = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)?.get;

/** Class of a typed array of any realm, such as `Float32Array`; `undefined` for everything else, a `DataView` too. */
export function arrayClass(value: unknown): string | undefined {
  return readTag?.call(value);
}

/** A typed array of numbers, of any realm; a Node.js `Buffer` is one of bytes. Those of BigInts are not. */
export function isNumberArray(value: unknown): value is NumberArray {
  const name = arrayClass(value);
  return name !== undefined && MAKERS.has(name);
}

/** A `Uint8Array` of any realm, as the bytes of a file are. */
export function isUint8Array(value: unknown): value is Uint8Array {
  return arrayClass(value) === "Uint8Array";
}

/** A `Float32Array` of any realm. */
export function isFloats(value: unknown): value is Float32Array {
  return arrayClass(value) === "Float32Array";
}

/** A `Float64Array` of any realm. */
export function isDoubles(value: unknown): value is Float64Array {
  return arrayClass(value) === "Float64Array";
}

/** An `Int32Array` of any realm. */
export function isInts(value: unknown): value is Int32Array {
  return arrayClass(value) === "Int32Array";
}

/** Bytes that stay bytes: a `Uint8Array` or a `Uint8ClampedArray` of any realm. */
export function isBytes(value: unknown): value is Uint8Array | Uint8ClampedArray {
  const name = arrayClass(value);
  return name === "Uint8Array" || name === "Uint8ClampedArray";
}

/** `BigInt64Array` or `BigUint64Array`: integers that are no JavaScript numbers. */
export function isBigInts(value: unknown): value is BigInt64Array | BigUint64Array {
  const name = arrayClass(value);
  return name === "BigInt64Array" || name === "BigUint64Array";
}

/** Zeros in an array of the class of `like`, of this realm; of a `Buffer`, a `Uint8Array`. */
export function zerosLike(like: NumberArray | BigInt64Array | BigUint64Array, length: number): typeof like {
  const name = arrayClass(like) ?? "";
  if (name === "BigInt64Array") return new BigInt64Array(length);
  return name === "BigUint64Array" ? new BigUint64Array(length) : (MAKERS.get(name)?.(length) ?? like);
}

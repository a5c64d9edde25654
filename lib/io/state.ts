import { CarillonError, describe } from "../errors.js";
import { arrayClass } from "../tensor/arrays.js";
import { Tensor } from "../tensor/tensor.js";
import { type StoredDtype, type StoredTensor, storedTensor } from "./element_types.js";
import { placeOf } from "./part.js";
import { readTensor, type StoredFile } from "./safetensors.js";

/**
 * Data that a checkpoint can keep and gives back as it was, to the bit: primitive values, plain objects and arrays of them, `Map`,
 * `Set`, `Date`, typed arrays, buffers and tensors, also where one object stands in several places or in itself. Anything
 * else is refused when the checkpoint is made.
 */
export type State =
  | null
  | undefined
  | boolean
  | number
  | bigint
  | string
  | Date
  | ArrayBuffer
  | ArrayBufferView
  | Tensor
  | ReadonlyMap<State, State>
  | ReadonlySet<State>
  | readonly State[]
  | { readonly [key: string]: State };

/** Keys of the text that begin with this are ours; such a key of a state has one more of it. */
export const MARK = "$";

/** The elements of an array lie in a tensor of this name and a number. */
export const PREFIX = "arrays/";

/** Objects in one another, at most: what recursion bears. */
export const DEEPEST = 500;

/** How the elements of an array of each class are stored. */
const STORED_AS: Readonly<Record<string, StoredDtype>> = {
  Float64Array: "f64",
  BigInt64Array: "i64",
  BigUint64Array: "u64",
  Float32Array: "f32",
  Int32Array: "i32",
  Uint32Array: "u32",
  Int16Array: "i16",
  Uint16Array: "u16",
  Int8Array: "i8",
  Uint8Array: "u8",
};

/** Bytes that are no Uint8Array, made of one. */
export const OF_BYTES = {
  Uint8ClampedArray: (bytes: ArrayBuffer) => new Uint8ClampedArray(bytes),
  Buffer: (bytes: ArrayBuffer) => Buffer.from(bytes),
  DataView: (bytes: ArrayBuffer) => new DataView(bytes),
  ArrayBuffer: (bytes: ArrayBuffer) => bytes,
} as const;

export function isOfBytes(name: unknown): name is keyof typeof OF_BYTES {
  return typeof name === "string" && Object.hasOwn(OF_BYTES, name);
}

const types = () => process.getBuiltinModule("node:util").types;

/** Whether a tensor of this name is an array of a state. */
export function isArrayOfState(name: string): boolean {
  return name.startsWith(PREFIX);
}

/** How many of these tensors are arrays of a state. */
export function countArrays(tensors: ReadonlyMap<string, unknown>): number {
  return [...tensors.keys()].filter(isArrayOfState).length;
}

/** The arrays of a state that stand in a file. */
export async function readArrays(file: StoredFile): Promise<ReadonlyMap<string, StoredTensor>> {
  const arrays = new Map<string, StoredTensor>();
  for (const [name, entry] of file.entries) if (isArrayOfState(name)) arrays.set(name, await readTensor(file, entry));
  return arrays;
}

/**
 * `value` as JSON text; what its arrays hold is copied to `tensors`. `decodeState` gives back the same. `ERR_STATE`
 * names a part, by its path from `where` on, that would not come back as it is.
 */
export function encodeState(value: unknown, tensors: Map<string, StoredTensor>, where = "state"): string {
  return JSON.stringify(new Encoder(tensors).encode(value, where, 0));
}

class Encoder {
  readonly #tensors: Map<string, StoredTensor>;
  /** Objects, numbered as they are met. */
  readonly #met = new Map<object, number>();
  /** Bytes of each buffer that are used. */
  readonly #used = new Map<ArrayBufferLike, (readonly [begin: number, end: number])[]>();
  #arrays = 0;

  constructor(tensors: Map<string, StoredTensor>) {
    this.#tensors = tensors;
  }

  encode(value: unknown, path: string, depth: number): unknown {
    switch (typeof value) {
      case "string":
      case "boolean":
        return value;
      case "number":
        if (Number.isFinite(value) && !Object.is(value, -0)) return value;
        return { $number: Object.is(value, -0) ? "-0" : String(value) };
      case "bigint":
        return { $bigint: String(value) };
      case "undefined":
        return { $undefined: true };
      case "object":
        return value === null ? null : this.#object(value, path, depth + 1);
      default:
        return refuse(path, describe(value));
    }
  }

  #object(value: object, path: string, depth: number): unknown {
    const known = this.#met.get(value);
    if (known !== undefined) return { $same: known };
    this.#met.set(value, this.#met.size);
    if (depth > DEEPEST) return refuse(path, `more than ${DEEPEST} objects in one another`);
    if (value instanceof Tensor)
      return { $tensor: this.#store(value.dtype, value.shape, bytesOf(path, value.attached)) };
    const { isMap, isSet, isDate, isArrayBuffer } = types();
    if (isArrayBuffer(value) || ArrayBuffer.isView(value)) return this.#bytes(value, path);
    const ancestors = countAncestors(value);
    if (Array.isArray(value) && ancestors === 2) return this.#list(value, path, depth);
    const isBare = ancestors === 2 && Reflect.ownKeys(value).length === 0;
    if (isDate(value) && isBare) return { $date: this.encode(value.getTime(), path, depth) };
    if (isMap(value) && isBare) {
      const pairs = [...value].map(([key, one]) => {
        const place = `${path}.get(${describe(key)})`;
        return [this.encode(key, place, depth), this.encode(one, place, depth)];
      });
      return { $map: pairs };
    }
    if (isSet(value) && isBare) {
      return { $set: [...value].map((one) => this.encode(one, `${path} of ${describe(one)}`, depth)) };
    }
    if (ancestors === 1) return this.#plain(value, path, depth);
    if (ancestors === 0) return { $bare: this.#plain(value, path, depth) };
    return refuse(path, describe(value));
  }

  /** A buffer or a view of one. A view of its own class would come back without it. */
  #bytes(value: ArrayBuffer | ArrayBufferView, path: string): unknown {
    const isView = ArrayBuffer.isView(value);
    const name = isView ? (Buffer.isBuffer(value) ? "Buffer" : (arrayClass(value) ?? "DataView")) : "ArrayBuffer";
    const dtype = isOfBytes(name) ? "u8" : STORED_AS[name];
    const usual = name === "Buffer" ? 4 : name === "DataView" || name === "ArrayBuffer" ? 2 : 3;
    if (dtype === undefined || countAncestors(value) !== usual) return refuse(path, describe(value));
    const bytes = bytesOf(path, isView ? value : { buffer: value, byteOffset: 0, byteLength: value.byteLength });
    if (types().isSharedArrayBuffer(bytes.buffer)) return refuse(path, "memory that threads share");
    this.#claim(bytes, path);
    const elements = isView && "length" in value ? Number(value.length) : bytes.length;
    const stored = this.#store(dtype, [elements], bytes);
    return isOfBytes(name) ? { $array: stored, as: name } : { $array: stored };
  }

  /** Two views of the same bytes would come back as two arrays. */
  #claim({ buffer, byteOffset: begin, length }: Uint8Array, path: string): void {
    const used = this.#used.get(buffer) ?? [];
    if (used.some(([from, to]) => from < begin + length && begin < to))
      refuse(path, "memory that another view has too");
    if (length > 0) this.#used.set(buffer, [...used, [begin, begin + length]]);
  }

  #list(list: readonly unknown[], path: string, depth: number): unknown {
    const keys = Object.keys(list);
    const extra = Reflect.ownKeys(list).find((key) => typeof key === "symbol" || !(isIndex(key) || key === "length"));
    if (extra !== undefined) return refuse(path, `an array with the key ${String(extra)}`);
    const parts = keys.map((key) => this.encode(list[Number(key)], `${path}[${key}]`, depth));
    if (keys.length === list.length) return parts;
    return { $sparse: [list.length, ...parts.flatMap((part, index) => [Number(keys[index]), part])] };
  }

  #plain(object: object, path: string, depth: number): object {
    return Object.fromEntries(
      Reflect.ownKeys(object).map((key) => {
        const place = placeOf(path, key);
        const property = Reflect.getOwnPropertyDescriptor(object, key);
        if (typeof key === "symbol") return refuse(place, "a key that is a symbol");
        if (property?.enumerable !== true) return refuse(place, "a property that is not enumerable");
        if (!("value" in property)) return refuse(place, "a property with a getter");
        return [key.startsWith(MARK) ? `${MARK}${key}` : key, this.encode(property.value, place, depth)];
      }),
    );
  }

  /** The name of the tensor with a copy of these bytes. */
  #store(dtype: StoredDtype, shape: readonly number[], bytes: Uint8Array): string {
    const name = `${PREFIX}${this.#arrays}`;
    this.#arrays += 1;
    this.#tensors.set(name, storedTensor(dtype, shape, new Uint8Array(bytes).buffer));
    return name;
  }
}

const KEPT =
  "plain objects, arrays, Map, Set, Date, typed arrays, tensors and primitive values, which come back as they were,";

function refuse(path: string, received: string): never {
  throw new CarillonError("ERR_STATE", path, `expected ${KEPT} for '${path}' but received ${received}`);
}

/** Prototypes up to `null`: 1 of a plain object, 2 of an array or a Map, 3 of a typed array, of any realm. */
function countAncestors(value: object): number {
  let count = 0;
  for (let at: unknown = Object.getPrototypeOf(value); at !== null; at = Object.getPrototypeOf(at)) count += 1;
  return count;
}

function bytesOf(path: string, { buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  try {
    return new Uint8Array(buffer, byteOffset, byteLength);
  } catch {
    throw new CarillonError("ERR_DETACHED", path, `expected data for '${path}' but its memory was transferred away`);
  }
}

/** Whether a key of an array is one of an element. */
function isIndex(key: string): boolean {
  return String(Number(key) >>> 0) === key;
}

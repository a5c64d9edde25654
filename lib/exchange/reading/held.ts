// Tensors in memory, as a file has them.
import { CarillonError, describe, tagOf } from "../../errors.js";
import { isPlainObject } from "../../options.js";
import { isBytes, isFloats, isInts } from "../../tensor/arrays.js";
import { extent } from "../../tensor/shape.js";
import type { ReadTensor } from "./elements.js";
import { checkSizes, entryOf, type TensorFile } from "./tensor_file.js";

/** Tensors by name, of a map or an object: `ERR_OPTION` for what are none. */
export function heldTensors(where: string, given: unknown): TensorFile {
  const entries = new Map(
    [...pairsOf(where, given)].map(([name, value]) => [name, tensorFrom(`${where}.${name}`, value)]),
  );
  return {
    ...{ where, format: "tensors in memory", entries, facts: {} },
    read: async (name) => copyOf(entryOf(where, entries, name)),
    close: async () => undefined,
  };
}

/** Whoever asks for a tensor may keep it. */
const copyOf = (found: ReadTensor): ReadTensor => ({ ...found, data: found.data.slice() });

function pairsOf(where: string, given: unknown): Iterable<readonly [string, unknown]> {
  if (tagOf(given) === "Map")
    return [...(given as ReadonlyMap<unknown, unknown>)].map(([name, value]) => [String(name), value]);
  if (isPlainObject(given)) return Object.entries(given);
  throw new CarillonError(
    "ERR_OPTION",
    where,
    `expected a path, the bytes of a file or tensors by name for '${where}' but received ${describe(given)}`,
  );
}

function tensorFrom(where: string, value: unknown): ReadTensor {
  const shape: unknown = Reflect.get(Object(value), "shape");
  const data: unknown = Reflect.get(Object(value), "data");
  if (!Array.isArray(shape))
    throw new CarillonError("ERR_OPTION", where, `expected a tensor for '${where}' but received ${describe(value)}`);
  const sizes = checkSizes(where, shape);
  const typed = typedOf(where, data);
  if (typed.data.length === extent(sizes)) return { ...typed, shape: sizes };
  throw new CarillonError(
    "ERR_SHAPE",
    where,
    `expected ${extent(sizes)} elements for '${where}' but received ${typed.data.length}`,
  );
}

function typedOf(where: string, data: unknown): Omit<ReadTensor, "shape"> {
  if (isFloats(data)) return { dtype: "f32", data, stored: "f32" };
  if (isInts(data)) return { dtype: "i32", data, stored: "i32" };
  if (isBytes(data)) return { dtype: "u8", data: Uint8Array.from(data), stored: "u8" };
  const isNumbers =
    (Array.isArray(data) || ArrayBuffer.isView(data)) &&
    Array.from(data as ArrayLike<unknown>).every((one) => typeof one === "number");
  if (isNumbers) return { dtype: "f32", data: Float32Array.from(data as ArrayLike<number>), stored: "f32" };
  throw new CarillonError("ERR_OPTION", where, `expected numbers for '${where}' but received ${describe(data)}`);
}

import type { StoredTensor } from "./safetensors.js";

/** What a checkpoint can keep: JSON, any number, and typed arrays, which become tensors of the file. */
export type State =
  | null
  | boolean
  | number
  | string
  | Float32Array
  | Int32Array
  | Uint8Array
  | readonly State[]
  | { readonly [key: string]: State };

/** JSON has no NaN, no infinities, no −0 and no arrays of bytes: objects with one of these keys stand for them. */
const NUMBER = "$number";
const ARRAY = "$array";

/** Keys that begin with this have one more of it in the text, so that none is taken for one of ours. */
const MARK = "$";

/** Tensors of arrays have names that begin with this. */
const PREFIX = "arrays/";

function stored(data: Float32Array | Int32Array | Uint8Array): StoredTensor {
  const shape = [data.length];
  if (data instanceof Float32Array) return { dtype: "f32", shape, data };
  return data instanceof Int32Array ? { dtype: "i32", shape, data } : { dtype: "u8", shape, data };
}

/** Whether {@link NUMBER} has to stand for a number: what JSON would make of it is another. */
function isSpecial(value: number): boolean {
  return !Number.isFinite(value) || Object.is(value, -0);
}

/** The object with other keys where any begins with a mark. */
function withKeys(object: object, rename: (key: string) => string): object {
  if (!Object.keys(object).some((key) => key.startsWith(MARK))) return object;
  return Object.fromEntries(
    Object.entries(object).map(([key, part]: [string, unknown]) => [key.startsWith(MARK) ? rename(key) : key, part]),
  );
}

/** `value` as JSON text; its typed arrays are added to `tensors`. {@link decodeState} gives it back to the bit. */
export function encodeState(value: unknown, tensors: Map<string, StoredTensor>): string {
  let arrays = 0;
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === "number" && isSpecial(part)) return { [NUMBER]: Object.is(part, -0) ? "-0" : String(part) };
    if (typeof part !== "object" || part === null || Array.isArray(part)) return part;
    if (!(part instanceof Float32Array || part instanceof Int32Array || part instanceof Uint8Array)) {
      return withKeys(part, (key) => `${MARK}${key}`);
    }
    const name = `${PREFIX}${arrays}`;
    arrays += 1;
    tensors.set(name, stored(part));
    return { [ARRAY]: name };
  });
}

/** How many of these tensors are arrays of a state. */
export function countArrays(tensors: ReadonlyMap<string, StoredTensor>): number {
  return [...tensors.keys()].filter((name) => name.startsWith(PREFIX)).length;
}

/** What {@link encodeState} was given; `undefined` if the text is no JSON, or an array is missing or left over. */
export function decodeState(text: string, tensors: ReadonlyMap<string, StoredTensor>): unknown {
  const used = new Set<string>();
  let missing = false;
  const revive = (_key: string, part: unknown): unknown => {
    if (typeof part !== "object" || part === null) return part;
    if (NUMBER in part) return Number(part[NUMBER]);
    if (!(ARRAY in part)) return withKeys(part, (key) => key.slice(MARK.length));
    const name = String(part[ARRAY]);
    const tensor = name.startsWith(PREFIX) ? tensors.get(name) : undefined;
    used.add(name);
    missing ||= tensor === undefined;
    return tensor?.data;
  };
  try {
    const value: unknown = JSON.parse(text, revive);
    return missing || used.size !== countArrays(tensors) ? undefined : value;
  } catch {
    return undefined;
  }
}

// States as a file has them: text that encodeState can have written, or refused by the place at which it is not.
import { describe, messageOf, shortened } from "../errors.js";
import { isWithin } from "../options.js";
import { formatShape } from "../tensor/shape.js";
import { type Tensor, tensor } from "../tensor/tensor.js";
import type { StoredTensor } from "./element_types.js";
import { exceeds, nestingOf, repeatedKey } from "./json.js";
import { Part, placeOf, refusePart } from "./part.js";
import { countArrays, DEEPEST, encodeState, isOfBytes, MARK, OF_BYTES, PREFIX } from "./state.js";

/** Of text that holds no arrays. */
const NO_ARRAYS: ReadonlyMap<string, StoredTensor> = new Map();

/**
 * The state that `encodeState` was given. Otherwise `ERR_FILE` names the place, from `path` on, that it does not write, or an array that is
 * missing or left over. Text of earlier versions, which knew fewer kinds, reads the same.
 */
export function decodeState(
  text: string | undefined,
  file: string,
  path: string,
  tensors: ReadonlyMap<string, StoredTensor> = NO_ARRAYS,
): unknown {
  const { part, expectAll } = readState(text, file, path, tensors);
  expectAll();
  return part.value;
}

/** The same for whoever looks at the value first: `expectAll` refuses arrays that are left over. */
export function readState(
  text: string | undefined,
  file: string,
  path: string,
  tensors: ReadonlyMap<string, StoredTensor>,
): { readonly part: Part; readonly expectAll: () => void } {
  const decoder = new Decoder(tensors, file);
  const part = new Part(file, path, decoder.decode(parseJson(text, file, path), path, 0));
  const arrays = countArrays(tensors);
  const expectAll = (): void => {
    if (decoder.used !== arrays) refusePart(file, path, `${arrays} arrays`, `${decoder.used}`);
  };
  return { part, expectAll };
}

/**
 * Plain data as JSON text, as deep as states may be; `ERR_FILE` for other text, or a key that an object has twice.
 *
 * @param most Commas, colons and opening brackets that it may have; they are counted first, as a value takes many times the memory of its text.
 */
export function parsePlain(
  text: string | undefined,
  file: string,
  path: string,
  most = Number.POSITIVE_INFINITY,
): Part {
  if (text !== undefined && exceeds(text, most)) refusePart(file, path, `at most ${most} commas and brackets`, "more");
  const value = parseJson(text, file, path);
  const nesting = nestingOf(text ?? "");
  if (nesting > DEEPEST) refusePart(file, path, `at most ${DEEPEST} objects in one another`, `${nesting}`);
  return new Part(file, path, value);
}

function parseJson(text: string | undefined, file: string, path: string): unknown {
  if (text === undefined) return refusePart(file, path, "text", "none");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    return refusePart(file, path, "JSON", shortened(messageOf(cause), LONGEST_REASON));
  }
  const repeated = repeatedKey(text);
  return repeated === undefined ? value : refusePart(file, path, "every key once", `${describe(repeated)} twice`);
}

/** Characters of what JSON.parse says. */
const LONGEST_REASON = 100;

/** The same as `value`, of objects of its own. `ERR_STATE` as for `encodeState`. */
export function copyState<T>(value: T, where = "state"): T {
  const tensors = new Map<string, StoredTensor>();
  const text = encodeState(value, tensors, where);
  return new Decoder(tensors, where).decode(JSON.parse(text), where, 0) as T; // what is encoded comes back as it was
}

/** Numbers that JSON does not have. */
const NUMBERS: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  "-Infinity": Number.NEGATIVE_INFINITY,
  "-0": -0,
};

/** The largest time of a Date, in ms. */
const LAST_DATE = 8.64e15;

class Decoder {
  readonly #tensors: ReadonlyMap<string, StoredTensor>;
  readonly #file: string;
  /** Objects in the order of the encoder. */
  readonly #made: object[] = [];
  /** Arrays that the text has named. */
  used = 0;

  constructor(tensors: ReadonlyMap<string, StoredTensor>, file: string) {
    this.#tensors = tensors;
    this.#file = file;
  }

  decode(part: unknown, path: string, depth: number): unknown {
    if (typeof part === "number" && !Number.isFinite(part)) return this.#refuse(path, "a finite number", part);
    if (typeof part !== "object" || part === null) return part;
    if (depth > DEEPEST) return refusePart(this.#file, path, `at most ${DEEPEST} objects in one another`, "more");
    if (Array.isArray(part)) return this.#fillList(this.#make<unknown[]>([]), part, path, depth + 1);
    const [key = "", ...others] = Object.keys(part);
    const isMarked = key.startsWith(MARK) && !key.startsWith(MARK + MARK);
    if (!isMarked) return this.#fill(this.#make({}), part, path, depth + 1);
    const given: unknown = Reflect.get(part, key);
    if (key === "$array") return this.#array(given, part, others, path);
    if (others.length > 0) return refusePart(this.#file, path, `nothing beside ${key}`, describe(others[0]));
    return this.#marked(key, new Part(this.#file, placeOf(path, key), given), path, depth + 1);
  }

  #marked(key: string, given: Part, path: string, depth: number): unknown {
    switch (key) {
      case "$number":
        return NUMBERS[given.oneOf(Object.keys(NUMBERS))];
      case "$bigint":
        return this.#bigint(given);
      case "$undefined":
        given.equal(true);
        return undefined;
      case "$same":
        return this.#made[given.count()] ?? given.refuse("the number of an object before it");
      case "$date":
        return this.#date(given, path, depth);
      case "$bare":
        given.members();
        return this.#fill(this.#make(Object.create(null) as object), given.value as object, path, depth);
      case "$tensor":
        return this.#make(tensorOf(given, this.#stored(given)));
      case "$map":
        return this.#fillMap(this.#make(new Map<unknown, unknown>()), given, depth);
      case "$set":
        return this.#fillSet(this.#make(new Set<unknown>()), given, depth);
      case "$sparse":
        return this.#fillSparse(this.#make<unknown[]>([]), given, path, depth);
      default:
        return refusePart(this.#file, path, "a kind of value that states have", describe(key));
    }
  }

  #refuse(path: string, expected: string, received: unknown): never {
    return refusePart(this.#file, path, expected, describe(received));
  }

  /** Numbers an object before its parts. */
  #make<T extends object>(object: T): T {
    this.#made.push(object);
    return object;
  }

  #bigint(given: Part): bigint {
    const text = given.text();
    return /^(?:0|-?[1-9]\d*)$/.test(text) ? BigInt(text) : given.refuse("an integer as text");
  }

  #date(given: Part, path: string, depth: number): Date {
    const made = this.#make(new Date());
    const time = new Part(this.#file, path, this.decode(given.value, given.path, depth));
    const isTime = Number.isNaN(time.value) || isWithin(time.value, { min: -LAST_DATE, max: LAST_DATE, integer: true });
    time.expect(isTime, "the time of a date");
    made.setTime(Number(time.value));
    return made;
  }

  #fillList(list: unknown[], parts: readonly unknown[], path: string, depth: number): unknown[] {
    for (const [index, part] of parts.entries()) list.push(this.decode(part, `${path}[${index}]`, depth));
    return list;
  }

  /** The length, then index and value of each element, by rising index. */
  #fillSparse(list: unknown[], given: Part, path: string, depth: number): unknown[] {
    const [size = given, ...parts] = given.list();
    const length = size.count(0, LONGEST);
    if (parts.length % 2 === 1) return given.refuse("an index and a value of each element");
    for (let at = 0; at < parts.length; at += 2) {
      const index = parts[at]?.count(list.length, length - 1) ?? 0;
      list[index] = this.decode(parts[at + 1]?.value, `${path}[${index}]`, depth);
    }
    list.length = length;
    return list;
  }

  #fillMap(map: Map<unknown, unknown>, given: Part, depth: number): Map<unknown, unknown> {
    for (const pair of given.list()) {
      const [key, value] = pair.list(2).map((one) => this.decode(one.value, one.path, depth));
      pair.expect(!map.has(key), "a key that stands once");
      map.set(key, value);
    }
    return map;
  }

  #fillSet(set: Set<unknown>, given: Part, depth: number): Set<unknown> {
    for (const part of given.list()) {
      const value = this.decode(part.value, part.path, depth);
      part.expect(!set.has(value), "a value that stands once");
      set.add(value);
    }
    return set;
  }

  /** Defined, as an assignment to `__proto__` would be something else. */
  #fill(object: object, parts: object, path: string, depth: number): object {
    for (const [key, part] of Object.entries(parts) as [string, unknown][]) {
      const name = key.startsWith(MARK) ? key.slice(MARK.length) : key;
      if (key.startsWith(MARK) && !name.startsWith(MARK)) this.#refuse(placeOf(path, key), "a key of a state", key);
      const value = this.decode(part, placeOf(path, name), depth);
      Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
    }
    return object;
  }

  #array(given: unknown, part: object, others: readonly string[], path: string): object {
    const stray = others.find((key) => key !== "as");
    if (stray !== undefined) refusePart(this.#file, path, "nothing beside $array but as", describe(stray));
    const name = new Part(this.#file, placeOf(path, "$array"), given);
    const { data, shape } = this.#stored(name);
    if (shape.length !== 1) name.refuse("a tensor of one dimension", formatShape(shape));
    if (others.length === 0) return this.#make(data);
    const as: unknown = Reflect.get(part, "as");
    if (isOfBytes(as) && data.BYTES_PER_ELEMENT === 1) return this.#make(OF_BYTES[as](bufferOf(data)));
    return this.#refuse(placeOf(path, "as"), `one of ${Object.keys(OF_BYTES).join(", ")}, of bytes`, as);
  }

  /** Arrays stand in the text in the order of their numbers. */
  #stored(name: Part): StoredTensor {
    const key = `${PREFIX}${this.used}`;
    const found = this.#tensors.get(key);
    if (name.value !== key || found === undefined) return name.refuse(`${key}, a tensor of the file`);
    this.used += 1;
    return found;
  }
}

/** Elements of an array at most. */
const LONGEST = 0xffff_ffff;

/** Memory of its own, which the tensors of a file have. */
function bufferOf({ buffer, byteOffset, byteLength }: ArrayBufferView): ArrayBuffer {
  const own = new Uint8Array(byteLength);
  own.set(new Uint8Array(buffer, byteOffset, byteLength));
  return own.buffer;
}

function tensorOf(given: Part, { dtype, shape, data }: StoredTensor): Tensor {
  if (dtype === "f32") return tensor(data, shape);
  if (dtype === "i32") return tensor(data, shape);
  return dtype === "u8" ? tensor(data, shape) : given.refuse("a tensor of f32, i32 or u8", dtype);
}

// Elements of the tensors of a file, where they lie, if they can be used there.
import { asFloat32, ELEMENT_BYTES, type StoredDtype, storedTensor } from "../../io/element_types.js";
import { refuseFile } from "../../io/refusal.js";
import { isFloats } from "../../tensor/arrays.js";
import { fileBeside } from "../reading/beside.js";
import { type OpenFile, open } from "../reading/file.js";
import { ELEMENTS, elementName, type OnnxTensor } from "./format.js";
import type { Wire } from "./wire.js";

/** What the elements that are read are called in other files. */
const TYPES: Readonly<Record<number, StoredDtype>> = {
  [ELEMENTS.float]: "f32",
  [ELEMENTS.uint8]: "u8",
  [ELEMENTS.int8]: "i8",
  [ELEMENTS.uint16]: "u16",
  [ELEMENTS.int16]: "i16",
  [ELEMENTS.int32]: "i32",
  [ELEMENTS.int64]: "i64",
  [ELEMENTS.bool]: "u8",
  [ELEMENTS.float16]: "f16",
  [ELEMENTS.double]: "f64",
  [ELEMENTS.uint32]: "u32",
  [ELEMENTS.uint64]: "u64",
  [ELEMENTS.bfloat16]: "bf16",
};

/** Most elements of a tensor: counts are 32-bit words in a program. */
const MOST = 2_147_483_647;

/** Tensors of a file, and of those beside it, which stay open until {@link close}. */
export class Tensors {
  readonly #wire: Wire;
  readonly #where: string;
  /** `undefined` of bytes, which have no files beside them. */
  readonly #path: string | undefined;
  readonly #beside = new Map<string, OpenFile>();
  /** Bytes of what lies beside, and floats of what was asked for. */
  readonly #external = new Map<OnnxTensor, Uint8Array>();
  readonly #floats = new WeakMap<OnnxTensor, Float32Array>();

  constructor(wire: Wire, where: string, path: string | undefined) {
    this.#wire = wire;
    this.#where = where;
    this.#path = path;
  }

  #refuse({ name }: OnnxTensor, expected: string, received: string): never {
    return refuseFile(`${this.#where}: tensor '${name}'`, expected, received);
  }

  /** Elements, as many as its sizes say. */
  count(tensor: OnnxTensor): number {
    const count = tensor.dims.reduce((product, size) => product * size, 1);
    return count <= MOST ? count : this.#refuse(tensor, "fewer than 2^31 elements", `[${tensor.dims.join(", ")}]`);
  }

  #typeOf(tensor: OnnxTensor): StoredDtype {
    return TYPES[tensor.elements] ?? this.#refuse(tensor, "numbers", elementName(tensor.elements));
  }

  #bytesOf(tensor: OnnxTensor): number {
    return ELEMENT_BYTES[this.#typeOf(tensor)] * this.count(tensor);
  }

  /** Reads what lies in files beside the model: each no longer than its sizes say. */
  async open(all: Iterable<OnnxTensor>): Promise<void> {
    for (const tensor of all) {
      if (tensor.stored.kind !== "external" || this.#external.has(tensor)) continue;
      const { location, offset, length } = tensor.stored;
      const bytes = this.#bytesOf(tensor);
      if (length !== undefined && length !== bytes)
        this.#refuse(tensor, `${bytes} bytes, as its sizes say,`, `${length}`);
      const file = await this.#fileAt(location);
      if (offset + bytes > file.size)
        this.#refuse(tensor, `bytes ${offset} to ${offset + bytes} of '${location}'`, `a file of ${file.size}`);
      this.#external.set(tensor, await file.bytes(offset, bytes));
    }
  }

  async #fileAt(location: string): Promise<OpenFile> {
    const known = this.#beside.get(location);
    if (known !== undefined) return known;
    if (this.#path === undefined)
      return refuseFile(this.#where, "a path of a model whose weights lie beside it", "bytes of one");
    const absent = `external data in '${location}' beside it`;
    const file = await open(this.#where, await fileBeside(this.#path, location, absent));
    this.#beside.set(location, file);
    return file;
  }

  async close(): Promise<void> {
    for (const file of this.#beside.values()) await file.close();
    this.#beside.clear();
  }

  /** The bytes of a tensor of as many as its sizes say. */
  #raw(tensor: OnnxTensor): Uint8Array | undefined {
    const { stored } = tensor;
    const bytes = this.#external.get(tensor) ?? (stored.kind === "raw" ? stored.bytes : undefined);
    const expected = this.#bytesOf(tensor);
    if (bytes === undefined || bytes.length === expected) return bytes;
    return this.#refuse(tensor, `${expected} bytes, as its sizes say,`, `${bytes.length}`);
  }

  /** Its elements as floats, rounded where they have more bits; the same array at every call. */
  floats(tensor: OnnxTensor): Float32Array {
    const known = this.#floats.get(tensor);
    if (known !== undefined) return known;
    const isFloat = tensor.elements === ELEMENTS.float;
    const raw = isFloat ? this.#raw(tensor) : undefined;
    const floats = raw === undefined ? this.#rounded(tensor) : inPlace(raw);
    this.#floats.set(tensor, floats);
    return floats;
  }

  #rounded(tensor: OnnxTensor): Float32Array {
    const numbers = this.numbers(tensor);
    return isFloats(numbers) ? numbers : new Float32Array(numbers);
  }

  /** Its elements as numbers, each of which a double holds. */
  numbers(tensor: OnnxTensor): Float32Array | Float64Array {
    const { stored } = tensor;
    const type = this.#typeOf(tensor);
    const count = this.count(tensor);
    if (stored.kind === "packed" || stored.kind === "numbers") {
      const numbers = stored.kind === "numbers" ? stored.numbers : this.#unpacked(tensor, stored.bytes, count);
      if (numbers.length !== count) this.#refuse(tensor, `${count} elements, as its sizes say,`, `${numbers.length}`);
      // Sixteen bits stand there as integers.
      const halves = type === "f16" || type === "bf16" ? Uint16Array.from(numbers) : undefined;
      return halves === undefined ? Float64Array.from(numbers) : numbersOf(type, count, halves.buffer);
    }
    const raw = this.#raw(tensor);
    return raw === undefined ? this.#refuse(tensor, "elements", "none") : numbersOf(type, count, raw.slice().buffer);
  }

  /** Integers side by side, no more than so many. */
  #unpacked(tensor: OnnxTensor, bytes: Uint8Array, count: number): Float64Array {
    if (bytes.length < count)
      this.#refuse(tensor, `${count} elements, as its sizes say,`, `${bytes.length} bytes of them`);
    const numbers = new Float64Array(count);
    const reader = this.#wire.reader(bytes);
    let found = 0;
    for (; reader.pos < reader.len; found++) {
      if (found >= count) this.#refuse(tensor, `${count} elements, as its sizes say,`, "more");
      numbers[found] = Number(reader.int64());
    }
    if (found < count) this.#refuse(tensor, `${count} elements, as its sizes say,`, `${found}`);
    return numbers;
  }
}

/** So many elements of these bytes, which are theirs alone. */
function numbersOf(type: StoredDtype, count: number, bytes: ArrayBuffer): Float32Array | Float64Array {
  const stored = storedTensor(type, [count], bytes);
  if (stored.dtype === "f64") return stored.data;
  const floats = asFloat32(stored);
  if (floats !== undefined) return floats;
  const numbers = new Float64Array(count);
  for (let at = 0; at < count; at++) numbers[at] = Number(stored.data[at]);
  return numbers;
}

/**
 * Floats where their bytes lie. An array of floats begins at a multiple of 4, and bytes of a message do not: they are moved to the one before them, over
 * what says how many they are, which was read.
 */
function inPlace(bytes: Uint8Array): Float32Array {
  const { buffer, byteOffset, length } = bytes;
  const begin = byteOffset - (byteOffset % Float32Array.BYTES_PER_ELEMENT);
  if (begin !== byteOffset) new Uint8Array(buffer).copyWithin(begin, byteOffset, byteOffset + length);
  return new Float32Array(buffer, begin, length / Float32Array.BYTES_PER_ELEMENT);
}

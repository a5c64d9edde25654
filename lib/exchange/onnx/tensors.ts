// Elements of the tensors of a file, where they lie, if they can be used there.
import { refuseFile } from "../../io/refusal.js";
import { fileBeside, type OpenFile, openWhole } from "./files.js";
import { ELEMENTS, elementName, type OnnxTensor } from "./format.js";
import type { Wire } from "./wire.js";

/** Bytes of an element, of those that are read. */
const BYTES: Readonly<Record<number, number>> = {
  [ELEMENTS.float]: 4,
  [ELEMENTS.uint8]: 1,
  [ELEMENTS.int8]: 1,
  [ELEMENTS.uint16]: 2,
  [ELEMENTS.int16]: 2,
  [ELEMENTS.int32]: 4,
  [ELEMENTS.int64]: 8,
  [ELEMENTS.bool]: 1,
  [ELEMENTS.float16]: 2,
  [ELEMENTS.double]: 8,
  [ELEMENTS.uint32]: 4,
  [ELEMENTS.uint64]: 8,
  [ELEMENTS.bfloat16]: 2,
};

/** Most elements of a tensor: counts are 32-bit words in a program. */
const MOST = 2_147_483_647;

/** The number that 16 bits are as a half: 1 of sign, 5 of exponent, 10 of mantissa. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 0) return sign * mantissa * SMALLEST_HALF;
  if (exponent === 0x1f) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  const power = exponent >= 25 ? 1 << (exponent - 25) : 1 / (1 << (25 - exponent));
  return sign * (1024 + mantissa) * power;
}

/** 2⁻²⁴ */
const SMALLEST_HALF = 1 / 16_777_216;

/** The number that 16 bits are as the upper half of a float. */
export function upperToNumber(bits: number): number {
  FLOAT_BITS[0] = bits << 16;
  return FLOATS[0] ?? 0;
}

const FLOAT_BITS = new Int32Array(1);
const FLOATS = new Float32Array(FLOAT_BITS.buffer);

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

  #bytesOf(tensor: OnnxTensor): number {
    const each = BYTES[tensor.elements];
    if (each === undefined) return this.#refuse(tensor, "numbers", elementName(tensor.elements));
    return each * this.count(tensor);
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
      this.#external.set(tensor, await file.read(offset, bytes));
    }
  }

  async #fileAt(location: string): Promise<OpenFile> {
    const known = this.#beside.get(location);
    if (known !== undefined) return known;
    if (this.#path === undefined)
      return refuseFile(this.#where, "a path of a model whose weights lie beside it", "bytes of one");
    const file = await openWhole(await fileBeside(this.#path, location));
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
    const read = this.#reader(tensor); // which finds out whether there are as many
    const count = this.count(tensor);
    const floats = new Float32Array(count);
    for (let at = 0; at < count; at++) floats[at] = read(at);
    return floats;
  }

  /** Its elements as numbers, each of which a double holds. */
  numbers(tensor: OnnxTensor): Float32Array | Float64Array {
    const read = this.#reader(tensor);
    const count = this.count(tensor);
    const numbers = new Float64Array(count);
    for (let at = 0; at < count; at++) numbers[at] = read(at);
    return numbers;
  }

  /** The element at each place. */
  #reader(tensor: OnnxTensor): (at: number) => number {
    const { stored, elements } = tensor;
    const count = this.count(tensor);
    const enough = (received: number): void => {
      if (received !== count) this.#refuse(tensor, `${count} elements, as its sizes say,`, `${received}`);
    };
    if (stored.kind === "packed" || stored.kind === "numbers") {
      const numbers = stored.kind === "numbers" ? stored.numbers : this.#unpacked(tensor, stored.bytes, count);
      enough(numbers.length);
      const isBits = elements === ELEMENTS.float16 || elements === ELEMENTS.bfloat16;
      const from = elements === ELEMENTS.float16 ? halfToNumber : upperToNumber;
      return (at) => (isBits ? from(numbers[at] ?? 0) : (numbers[at] ?? 0));
    }
    const raw = this.#raw(tensor);
    if (raw === undefined) return this.#refuse(tensor, "elements", "none");
    const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
    return READERS[elements]?.(view) ?? this.#refuse(tensor, "numbers", elementName(elements));
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

const READERS: Readonly<Record<number, (view: DataView) => (at: number) => number>> = {
  [ELEMENTS.float]: (view) => (at) => view.getFloat32(4 * at, true),
  [ELEMENTS.double]: (view) => (at) => view.getFloat64(8 * at, true),
  [ELEMENTS.float16]: (view) => (at) => halfToNumber(view.getUint16(2 * at, true)),
  [ELEMENTS.bfloat16]: (view) => (at) => upperToNumber(view.getUint16(2 * at, true)),
  [ELEMENTS.uint8]: (view) => (at) => view.getUint8(at),
  [ELEMENTS.bool]: (view) => (at) => view.getUint8(at),
  [ELEMENTS.int8]: (view) => (at) => view.getInt8(at),
  [ELEMENTS.uint16]: (view) => (at) => view.getUint16(2 * at, true),
  [ELEMENTS.int16]: (view) => (at) => view.getInt16(2 * at, true),
  [ELEMENTS.uint32]: (view) => (at) => view.getUint32(4 * at, true),
  [ELEMENTS.int32]: (view) => (at) => view.getInt32(4 * at, true),
  [ELEMENTS.int64]: (view) => (at) => Number(view.getBigInt64(8 * at, true)),
  [ELEMENTS.uint64]: (view) => (at) => Number(view.getBigUint64(8 * at, true)),
};

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

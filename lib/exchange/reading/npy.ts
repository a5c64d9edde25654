// NumPy's arrays: a file with one, or an archive of several.
import { describe, shortened } from "../../errors.js";
import { broken } from "../../io/refusal.js";
import { extent } from "../../tensor/shape.js";
import { FOREIGN_BYTES, type ForeignDtype, type ReadTensor, tensorOf } from "./elements.js";
import type { OpenFile } from "./file.js";
import {
  type CheckedExchangeLimits,
  checkSizes,
  entryOf,
  expectWithin,
  type TensorEntry,
  type TensorFile,
} from "./tensor_file.js";
import { type Archive, openZip, type Packed } from "./zip.js";

/** Types of elements by the letters that NumPy has for them. */
const TYPES: Readonly<Record<string, ForeignDtype>> = {
  ...{ f8: "f64", f4: "f32", f2: "f16", i8: "i64", i4: "i32", i2: "i16", i1: "i8" },
  ...{ u8: "u64", u4: "u32", u2: "u16", u1: "u8", b1: "bool" },
};

/** Bytes of a header. */
const LONGEST_HEADER = 65_536;

/** What a header says, and where the elements begin. */
interface Header extends TensorEntry {
  readonly columnsFirst: boolean;
  readonly bigEndian: boolean;
  readonly begin: number;
}

/** The bytes of a header's prefix and text, by the first 12 bytes. */
function headerBytes(where: string, first: Uint8Array): readonly [begin: number, length: number] {
  const isArray = first.length >= 10 && first[0] === 0x93 && String.fromCharCode(...first.subarray(1, 6)) === "NUMPY";
  if (!isArray) throw broken(where, "an array of NumPy", "other bytes");
  const version = first[6] ?? 0;
  if (version < 1 || version > 3) throw broken(where, "an array of version 1, 2 or 3", `version ${version}`);
  const view = new DataView(first.buffer, first.byteOffset, first.byteLength);
  if (version > 1 && first.length < 12) throw broken(where, "a whole header", "one that is cut");
  const [begin, length] = version === 1 ? [10, view.getUint16(8, true)] : [12, view.getUint32(8, true)];
  if (length > LONGEST_HEADER) throw broken(where, `a header of at most ${LONGEST_HEADER} bytes`, `${length}`);
  return [begin, length];
}

/** A literal of Python, as NumPy writes it: the three keys, in any order. */
function parseHeader(where: string, text: string, begin: number): Header {
  const literal = text.trim();
  const found = (key: string, value: string): string | undefined =>
    new RegExp(`[{,]\\s*['"]${key}['"]\\s*:\\s*${value}\\s*[,}]`).exec(literal)?.[1];
  const descr = found("descr", `['"]([^'"]*)['"]`);
  const order = found("fortran_order", "(True|False)");
  const sizes = found("shape", "\\(([\\d\\s,L]*)\\)");
  if (
    !(literal.startsWith("{") && literal.endsWith("}")) ||
    descr === undefined ||
    order === undefined ||
    sizes === undefined
  )
    throw broken(where, "the header of an array of one type", shortened(literal, 100));
  const [, endian = "", letters = ""] = /^([<>|=])(\w+)$/.exec(descr) ?? [];
  const dtype = Object.hasOwn(TYPES, letters) ? TYPES[letters] : undefined;
  if (dtype === undefined)
    throw broken(where, "elements that are numbers or truth values", `the type ${describe(descr)}`);
  const shape = checkSizes(
    where,
    sizes
      .split(",")
      .map((size) => size.trim().replace(/L$/, ""))
      .filter((size) => size !== "")
      .map(Number),
  );
  return { dtype, shape, columnsFirst: order === "True", bigEndian: endian === ">" && FOREIGN_BYTES[dtype] > 1, begin };
}

/** The tensor of the bytes behind a header. */
function arrayOf(
  where: string,
  { dtype, shape, columnsFirst, bigEndian }: Header,
  bytes: Uint8Array<ArrayBuffer>,
): ReadTensor {
  const size = FOREIGN_BYTES[dtype];
  if (bigEndian) for (let at = 0; at < bytes.length; at += size) bytes.subarray(at, at + size).reverse();
  const isTurned = columnsFirst && shape.filter((one) => one > 1).length > 1;
  return tensorOf(where, dtype, shape, isTurned ? rowsFirst(bytes, shape, size) : bytes);
}

/** Elements whose first axis runs fastest, in the order in which the last one does. */
function rowsFirst(bytes: Uint8Array, shape: readonly number[], size: number): Uint8Array<ArrayBuffer> {
  const turned = new Uint8Array(bytes.length);
  const strides = shape.map((_, axis) => extent(shape.slice(0, axis)) * size);
  let to = 0;
  const go = (axis: number, from: number): void => {
    const [count = 0, stride = 0] = [shape[axis], strides[axis]];
    for (let place = 0; place < count; place++) {
      const begin = from + place * stride;
      if (axis < shape.length - 1) {
        go(axis + 1, begin);
        continue;
      }
      for (let byte = 0; byte < size; byte++) turned[to++] = bytes[begin + byte] ?? 0;
    }
  };
  go(0, 0);
  return turned;
}

/** The name of the one array of a `.npy`. */
export const ONLY = "array";

/** A file with one array, which is called `array`. */
export async function openNpy(file: OpenFile, limits: CheckedExchangeLimits): Promise<TensorFile> {
  const { where, size } = file;
  const [begin, length] = headerBytes(where, await file.bytes(0, Math.min(12, size)));
  const header = parseHeader(where, new TextDecoder("latin1").decode(await file.bytes(begin, length)), begin + length);
  const bytes = extent(header.shape) * FOREIGN_BYTES[header.dtype];
  if (header.begin + bytes !== size) throw broken(where, `${bytes} bytes of elements`, `${size - header.begin}`);
  expectWithin(where, [header], limits);
  return {
    ...{ where, format: "NumPy array", entries: new Map([[ONLY, header]]), facts: {} },
    read: async () => arrayOf(where, header, await file.bytes(header.begin, bytes)),
    close: () => file.close(),
  };
}

/** Pieces of a file of an archive as bytes that are asked for in turn. */
class Taker {
  readonly #pieces: AsyncGenerator<Uint8Array>;
  #left = new Uint8Array(0);

  constructor(pieces: AsyncGenerator<Uint8Array>) {
    this.#pieces = pieces;
  }

  /** Fills `target`; less where the pieces end. */
  async take(target: Uint8Array): Promise<number> {
    let done = 0;
    while (done < target.length) {
      if (this.#left.length === 0) {
        const next = await this.#pieces.next();
        if (next.done === true) break;
        this.#left = Uint8Array.from(next.value);
        continue;
      }
      const part = this.#left.subarray(0, target.length - done);
      target.set(part, done);
      done += part.length;
      this.#left = this.#left.subarray(part.length);
    }
    return done;
  }

  async end(): Promise<void> {
    await this.#pieces.return(undefined);
  }
}

async function headerIn(archive: Archive, packed: Packed): Promise<Header> {
  const place = placeIn(archive, packed.name);
  const taker = new Taker(archive.pieces(packed, "length"));
  const first = new Uint8Array(12);
  const count = await taker.take(first);
  const [begin, length] = headerBytes(place, first.subarray(0, count));
  const text = new Uint8Array(length);
  text.set(first.subarray(begin, begin + length));
  const rest = text.subarray(Math.max(0, 12 - begin));
  const missing = rest.length - (await taker.take(rest));
  await taker.end();
  if (missing > 0) throw broken(place, `a header of ${length} bytes`, `${length - missing}`);
  const header = parseHeader(place, new TextDecoder("latin1").decode(text), begin + length);
  const bytes = extent(header.shape) * FOREIGN_BYTES[header.dtype];
  if (header.begin + bytes !== packed.size)
    throw broken(place, `${bytes} bytes of elements`, `${packed.size - header.begin}`);
  return header;
}

const placeIn = ({ where }: Archive, name: string): string => `${where}: ${shortened(name, 100)}`;

/** An archive of arrays, by the names of its files without `.npy`. */
export async function openNpz(file: OpenFile, limits: CheckedExchangeLimits): Promise<TensorFile> {
  const { where } = file;
  const archive = await openZip(file);
  if (archive.files.size > limits.tensors)
    throw broken(where, `at most ${limits.tensors} tensors (limits.tensors)`, `${archive.files.size}`);
  const entries = new Map<string, Header & { readonly packed: Packed }>();
  for (const packed of archive.files.values()) {
    if (!packed.name.endsWith(".npy")) throw broken(where, "an archive of arrays (.npy)", describe(packed.name));
    entries.set(packed.name.slice(0, -4), { ...(await headerIn(archive, packed)), packed });
  }
  expectWithin(where, entries.values(), limits);
  return {
    ...{ where, format: "NumPy archive", entries, facts: {} },
    async read(name) {
      const { packed, ...header } = entryOf(where, entries, name);
      const bytes = new Uint8Array(packed.size - header.begin);
      const taker = new Taker(archive.pieces(packed));
      await taker.take(new Uint8Array(header.begin));
      await taker.take(bytes);
      await taker.take(new Uint8Array(1)); // what follows the last element: its end, and the checksum
      return arrayOf(placeIn(archive, packed.name), header, bytes);
    },
    close: () => file.close(),
  };
}

// NumPy's files: an array, or an archive of several, stored as they are.
import { CarillonError } from "../errors.js";
import { bytesOf, type WrittenTensor } from "./writing.js";

const TYPES = { f32: "<f4", i32: "<i4", u8: "|u1", i64: "<i8" } as const;

/** What the data of an array begins at a multiple of, in its file. */
const ALIGNED = 64;

/** What stands in front of the elements, of version 1.0. */
function headerOf({ dtype, shape }: WrittenTensor): Uint8Array {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const text = `{'descr': '${TYPES[dtype]}', 'fortran_order': False, 'shape': (${sizes}), }`;
  const length = Math.ceil((10 + text.length + 1) / ALIGNED) * ALIGNED;
  const header = new Uint8Array(length).fill(0x20);
  header.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
  new DataView(header.buffer).setUint16(8, length - 10, true);
  header.set(new TextEncoder().encode(text), 10);
  header[length - 1] = 0x0a;
  return header;
}

/** A file with one array. */
export function* npyPieces(tensor: WrittenTensor): Generator<Uint8Array> {
  yield headerOf(tensor);
  yield bytesOf(tensor.data);
}

/** Bytes that a number of 32 bits counts, and files that one of 16 bits does. */
const [LONGEST, MOST] = [0xfffffffe, 0xfffe] as const;

/** A file of an archive: its parts, and what the directory says of it. */
interface Stored {
  readonly name: Uint8Array;
  readonly parts: readonly Uint8Array[];
  readonly size: number;
  readonly crc: number;
}

/** Fields that a file's own header and the directory share: version 2.0, names in UTF-8, stored, 1 January 1980. */
function fields(view: DataView, at: number, { name, size, crc }: Stored): void {
  view.setUint16(at, 20, true);
  view.setUint16(at + 2, 0x0800, true);
  view.setUint16(at + 8, 0x21, true);
  view.setUint32(at + 10, crc, true);
  view.setUint32(at + 14, size, true);
  view.setUint32(at + 18, size, true);
  view.setUint16(at + 22, name.length, true);
}

/** An archive of files that are stored as they are; `ERR_STATE` for more than 4 GB. */
export function* zipPieces(files: ReadonlyMap<string, readonly Uint8Array[]>): Generator<Uint8Array> {
  const { crc32 } = process.getBuiltinModule("node:zlib");
  const entries: { readonly file: Stored; readonly at: number }[] = [];
  let at = 0;
  const tooLong = (): never => {
    throw new CarillonError(
      "ERR_STATE",
      "archive",
      `expected at most 4 GB and ${MOST} files for an archive: safetensors has no such bound`,
    );
  };
  if (files.size > MOST) tooLong();
  for (const [called, parts] of files) {
    const name = new TextEncoder().encode(called);
    const size = parts.reduce((sum, part) => sum + part.length, 0);
    const file = { name, parts, size, crc: parts.reduce((sum, part) => crc32(part, sum), 0) };
    const header = new Uint8Array(30 + name.length);
    const view = new DataView(header.buffer);
    view.setUint32(0, 0x04034b50, true);
    fields(view, 4, file);
    header.set(name, 30);
    entries.push({ file, at });
    at += header.length + size;
    if (at > LONGEST) tooLong();
    yield header;
    yield* parts;
  }
  const begin = at;
  for (const { file, at: place } of entries) {
    const entry = new Uint8Array(46 + file.name.length);
    const view = new DataView(entry.buffer);
    view.setUint32(0, 0x02014b50, true);
    view.setUint16(4, 20, true);
    fields(view, 6, file);
    view.setUint32(42, place, true);
    entry.set(file.name, 46);
    at += entry.length;
    yield entry;
  }
  if (at > LONGEST) tooLong();
  const end = new Uint8Array(22);
  const view = new DataView(end.buffer);
  view.setUint32(0, 0x06054b50, true);
  view.setUint16(8, entries.length, true);
  view.setUint16(10, entries.length, true);
  view.setUint32(12, at - begin, true);
  view.setUint32(16, begin, true);
  yield end;
}

/** An archive of arrays by name. */
export function npzPieces(tensors: ReadonlyMap<string, WrittenTensor>): Iterable<Uint8Array> {
  return zipPieces(
    new Map([...tensors].map(([name, tensor]) => [`${name}.npy`, [headerOf(tensor), bytesOf(tensor.data)]])),
  );
}

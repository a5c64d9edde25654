// Archives: what their directory says is verified before anything is unpacked, and what is unpacked is counted as it comes.
import { CarillonError, describe, messageOf, shortened } from "../../errors.js";
import { PIECE_BYTES } from "../../io/open_file.js";
import { broken } from "../../io/refusal.js";
import type { OpenFile } from "./file.js";

const [END, END_64, LOCATOR_64, ENTRY, LOCAL] = [0x06054b50, 0x06064b50, 0x07064b50, 0x02014b50, 0x04034b50] as const;

/** Stands where a number needs 64 bits. */
const WIDE = 0xffffffff;

const STORED = 0;
const DEFLATED = 8;

/** DEFLATE makes no more of a byte than that. */
const MOST_INFLATED = 1032;

/** Bytes behind which the record at the end may begin: its own 22, and a comment. */
const END_BYTES = 22 + 0xffff;

/** Files of an archive, and bytes of its directory. */
const MOST_FILES = 200_000;
const LONGEST_DIRECTORY = 100_000_000;

/** A file of an archive. */
export interface Packed {
  readonly name: string;
  readonly size: number;
  readonly packed: number;
  readonly method: number;
  readonly crc: number;
  /** Where its own header begins. */
  readonly at: number;
}

/** An archive that is open. */
export interface Archive {
  readonly where: string;
  readonly files: ReadonlyMap<string, Packed>;
  /** The bytes of a file, piece by piece, as many as it says; `ERR_FILE` where they are others. */
  pieces(file: Packed, check?: "crc" | "length"): AsyncGenerator<Uint8Array>;
  /** The first byte of a file that is stored as it is; `undefined` of one that is compressed. */
  stored(file: Packed): Promise<number | undefined>;
}

const wideAt = (view: DataView, at: number): number => Number(view.getBigUint64(at, true));

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Sizes and place of an entry, of which those that are {@link WIDE} stand behind its name. */
function widened(where: string, extra: DataView, given: readonly number[]): readonly number[] {
  if (!given.includes(WIDE)) return given;
  for (let at = 0; at + 4 <= extra.byteLength; at += 4 + extra.getUint16(at + 2, true)) {
    if (extra.getUint16(at, true) !== 1) continue;
    let from = at + 4;
    return given.map((value) => {
      if (value !== WIDE) return value;
      from += 8;
      return from <= extra.byteLength ? wideAt(extra, from - 8) : noZip(where, "a size of 64 bits that is cut");
    });
  }
  return given;
}

function noZip(where: string, received: string): never {
  throw broken(where, "a whole zip archive", received);
}

/** Begin, length and files of the directory. */
async function findDirectory(file: OpenFile): Promise<readonly [at: number, bytes: number, count: number]> {
  const { where, size } = file;
  const last = await file.bytes(Math.max(0, size - END_BYTES), Math.min(size, END_BYTES));
  const view = viewOf(last);
  for (let at = last.length - 22; at >= 0; at--) {
    if (view.getUint32(at, true) !== END) continue;
    const small = [
      view.getUint32(at + 16, true),
      view.getUint32(at + 12, true),
      view.getUint16(at + 10, true),
    ] as const;
    if (small[0] !== WIDE && small[1] !== WIDE && small[2] !== 0xffff) return small;
    if (at < 20 || view.getUint32(at - 20, true) !== LOCATOR_64) return small;
    const wide = viewOf(await file.bytes(wideAt(view, at - 12), 56));
    if (wide.getUint32(0, true) !== END_64) return noZip(where, "one without its directory");
    return [wideAt(wide, 48), wideAt(wide, 40), wideAt(wide, 32)];
  }
  return noZip(where, "one without its directory");
}

/** What the directory has of the file at a place of it, and the place behind. */
function entryAt(where: string, bytes: Uint8Array, at: number): readonly [Packed, number] {
  const view = viewOf(bytes);
  if (at + 46 > bytes.length || view.getUint32(at, true) !== ENTRY) return noZip(where, "a damaged directory");
  const [nameLength = 0, extra = 0, comment = 0] = [28, 30, 32].map((offset) => view.getUint16(at + offset, true));
  const behind = at + 46 + nameLength;
  const end = behind + extra + comment;
  if (end > bytes.length) return noZip(where, "a directory that is cut");
  const name = new TextDecoder().decode(bytes.subarray(at + 46, behind));
  const place = `${where}: ${shortened(name, 100)}`;
  if ((view.getUint16(at + 8, true) & 1) === 1) throw broken(place, "a file that is not encrypted", "an encrypted one");
  const given = [24, 20, 42].map((offset) => view.getUint32(at + offset, true));
  const [size = 0, packed = 0, local = 0] = widened(place, viewOf(bytes.subarray(behind, behind + extra)), given);
  const method = view.getUint16(at + 10, true);
  if (method !== STORED && method !== DEFLATED)
    throw broken(place, "a file that is stored or deflated", `method ${method}`);
  if (method === STORED ? size !== packed : size > packed * MOST_INFLATED + 64)
    throw broken(place, "a size that its bytes can have", `${size} bytes of ${packed}`);
  return [{ name, size, packed, method, crc: view.getUint32(at + 16, true), at: local }, end];
}

/** Opens an archive: `ERR_FILE` for what is none, for files that lie over each other, or stand twice. */
export async function openZip(file: OpenFile): Promise<Archive> {
  const { where, size } = file;
  const [begin, length, count] = await findDirectory(file);
  if (count > MOST_FILES || length > LONGEST_DIRECTORY || count * 46 > length)
    noZip(where, `a directory of ${count} files in ${length} bytes`);
  const bytes = await file.bytes(begin, length);
  const files = new Map<string, Packed>();
  for (let [at, index] = [0, 0]; index < count; index++) {
    const [entry, next] = entryAt(where, bytes, at);
    if (files.has(entry.name)) throw broken(where, "every file once", `${describe(entry.name)} twice`);
    files.set(entry.name, entry);
    at = next;
  }
  let free = 0;
  for (const { name, at, packed } of [...files.values()].sort((a, b) => a.at - b.at)) {
    if (at < free || at + 30 + packed > size)
      throw broken(
        `${where}: ${shortened(name, 100)}`,
        "files that lie one behind the other",
        "one that lies over another, or beyond the end",
      );
    free = at + 30 + packed;
  }
  return {
    ...{ where, files },
    pieces: (entry, check = "crc") => unpacked(file, entry, check),
    stored: async (entry) => (entry.method === STORED ? await beginOf(file, entry) : undefined),
  };
}

/** The first byte of a file's own bytes, behind its header, which has to say the same. */
async function beginOf(file: OpenFile, { name, at, method, packed }: Packed): Promise<number> {
  const place = `${file.where}: ${shortened(name, 100)}`;
  const view = viewOf(await file.bytes(at, 30));
  if (view.getUint32(0, true) !== LOCAL || view.getUint16(8, true) !== method)
    noZip(place, "a header that is not that of the directory");
  const nameLength = view.getUint16(26, true);
  const own = new TextDecoder().decode(await file.bytes(at + 30, nameLength));
  if (own !== name) noZip(place, `the name ${describe(own)} at its place`);
  const begin = at + 30 + nameLength + view.getUint16(28, true);
  if (begin + packed > file.size) noZip(place, "a file that is cut");
  return begin;
}

async function* raw(file: OpenFile, begin: number, packed: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < packed; at += PIECE_BYTES)
    yield await file.bytes(begin + at, Math.min(PIECE_BYTES, packed - at));
}

/** What the bytes of a file come to, piece by piece. */
async function* inflated(place: string, packed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const { pipeline, Readable } = process.getBuiltinModule("node:stream");
  const stream = process.getBuiltinModule("node:zlib").createInflateRaw({ chunkSize: 65_536 });
  // An error of the source destroys the stream, whose reader is told.
  pipeline(Readable.from(packed), stream, () => undefined);
  try {
    for await (const piece of stream)
      if (ArrayBuffer.isView(piece)) yield new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength);
  } catch (cause) {
    if (cause instanceof CarillonError) throw cause;
    throw broken(place, "bytes that can be inflated", messageOf(cause));
  }
}

async function* unpacked(file: OpenFile, entry: Packed, check: "crc" | "length"): AsyncGenerator<Uint8Array> {
  const { name, method, packed, size, crc } = entry;
  const place = `${file.where}: ${shortened(name, 100)}`;
  const { crc32 } = process.getBuiltinModule("node:zlib");
  const bytes = raw(file, await beginOf(file, entry), packed);
  let [count, sum] = [0, 0];
  for await (const piece of method === STORED ? bytes : inflated(place, bytes)) {
    count += piece.length;
    if (count > size) break;
    if (check === "crc") sum = crc32(piece, sum);
    yield piece;
  }
  if (count !== size) throw broken(place, `${size} bytes`, count > size ? "more" : `${count}`);
  if (check === "crc" && sum !== crc)
    throw broken(place, "bytes of the checksum in the archive", "others: the file is damaged");
}

/** A whole small file of an archive; `ERR_FILE` for one of more bytes. */
export async function smallFile(
  archive: Archive,
  entry: Packed,
  most: number,
  check?: "crc" | "length",
): Promise<Uint8Array<ArrayBuffer>> {
  if (entry.size > most)
    throw broken(`${archive.where}: ${shortened(entry.name, 100)}`, `at most ${most} bytes`, `${entry.size}`);
  const bytes = new Uint8Array(entry.size);
  let at = 0;
  for await (const piece of archive.pieces(entry, check)) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

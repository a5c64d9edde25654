// Files of a zip archive, as `.npz` is one: what the directory at its end says.
import { CarillonError, fail, isError } from "../errors.js";
import { refuseData } from "./refusal.js";

const END = 0x06054b50;
const END_64 = 0x06064b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;

/** Stands where a number needs 64 bits. */
const WIDE = 0xffffffff;

const STORED = 0;
const DEFLATED = 8;

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly size: number;
  readonly packed: number;
  readonly at: number;
}

/** Where the record at the end begins: it may have a comment behind it. */
function findEnd(where: string, view: DataView): number {
  for (let at = view.byteLength - 22; at >= 0 && at >= view.byteLength - 65_557; at--) {
    if (view.getUint32(at, true) === END) return at;
  }
  return refuseData(where, "a whole zip archive", "one without its directory");
}

const wideAt = (view: DataView, at: number): number => Number(view.getBigUint64(at, true));

/** Numbers of 64 bits of an entry, behind its name, in the place of those that are {@link WIDE}. */
function widened(view: DataView, begin: number, length: number, sizes: readonly number[]): readonly number[] {
  for (let at = begin; at + 4 <= begin + length; at += 4 + view.getUint16(at + 2, true)) {
    if (view.getUint16(at, true) !== 1) continue;
    let from = at + 4;
    return sizes.map((size) => {
      if (size !== WIDE) return size;
      from += 8;
      return wideAt(view, from - 8);
    });
  }
  return sizes;
}

function entriesOf(where: string, bytes: Uint8Array): readonly Entry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = findEnd(where, view);
  let count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  if (at === WIDE || count === 0xffff) {
    const wide = wideAt(view, end - 20 + 8);
    if (view.getUint32(wide, true) !== END_64) refuseData(where, "a whole zip archive", "one without its directory");
    count = wideAt(view, wide + 32);
    at = wideAt(view, wide + 48);
  }
  const entries: Entry[] = [];
  let left = bytes.length;
  for (let index = 0; index < count; index++) {
    if (view.getUint32(at, true) !== ENTRY) refuseData(where, "a whole zip archive", "a damaged directory");
    const [nameLength, extra, comment] = [28, 30, 32].map((offset) => view.getUint16(at + offset, true));
    const behind = at + 46 + (nameLength ?? 0);
    const given = [24, 20, 42].map((offset) => view.getUint32(at + offset, true));
    const [size = 0, packed = 0, local = 0] = widened(view, behind, extra ?? 0, given);
    // What lies in one another's place would be unpacked again and again.
    left -= packed;
    if (left < 0) refuseData(where, "files that lie one behind the other", "some that lie over each other");
    const name = new TextDecoder().decode(bytes.subarray(at + 46, behind));
    entries.push({ name, method: view.getUint16(at + 10, true), size, packed, at: local });
    at = behind + (extra ?? 0) + (comment ?? 0);
  }
  return entries;
}

/** The files of an archive by their names, unpacked; `ERR_DATA` for what is none, or is damaged. */
export function filesOfZip(where: string, bytes: Uint8Array): ReadonlyMap<string, Uint8Array> {
  const { inflateRawSync } = process.getBuiltinModule("node:zlib");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    const files = entriesOf(where, bytes).map(({ name, method, size, packed, at }) => {
      if (view.getUint32(at, true) !== LOCAL) refuseData(where, "a whole zip archive", "a damaged file");
      const begin = at + 30 + view.getUint16(at + 26, true) + view.getUint16(at + 28, true);
      const part = bytes.subarray(begin, begin + packed);
      if (method !== STORED && method !== DEFLATED)
        refuseData(where, "files that are stored or deflated", `method ${method}`);
      const file = method === STORED ? part : inflateRawSync(part, { maxOutputLength: Math.max(1, size) });
      if (file.length !== size) refuseData(where, `${size} bytes of ${name}`, `${file.length}`);
      return [name, new Uint8Array(file.buffer, file.byteOffset, file.byteLength)] as const;
    });
    return new Map(files);
  } catch (cause) {
    // Offsets that lead out of it, and what zlib says of damaged bytes.
    if (cause instanceof CarillonError || !isError(cause)) throw cause;
    return fail("ERR_DATA", where, "a whole zip archive", cause);
  }
}

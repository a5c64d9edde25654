// The one reader of files of others: by path, or bytes in memory.
import { CarillonError, describe } from "../../errors.js";
import { type ByteSource, openFile, PIECE_BYTES } from "../../io/open_file.js";
import { broken } from "../../io/refusal.js";
import { isUint8Array } from "../../tensor/arrays.js";

/** A path, or the bytes of a file. */
export type FileSource = string | Uint8Array;

/** A file that is open, with room for what it justifies. */
export interface OpenFile extends ByteSource {
  /** The bytes [begin, begin + count), in a new array; `ERR_FILE` where the file ends before. */
  bytes(begin: number, count: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** Opens a file, or takes bytes, which must stay as they are. `called` is the name of bytes in errors. */
export async function open(where: string, source: FileSource, called = "bytes"): Promise<OpenFile> {
  if (typeof source === "string" && source !== "") return withBytes(await openFile(source));
  if (isUint8Array(source)) return withBytes(memory(source, called));
  throw new CarillonError(
    "ERR_OPTION",
    where,
    `expected a path or the bytes of a file for '${where}' but received ${describe(source)}`,
  );
}

/** All bytes of a file, of at most so many, in a new array: those that are given are copied before anything is waited for. */
export async function readWhole(where: string, source: FileSource, most: number): Promise<Uint8Array<ArrayBuffer>> {
  const refuse = (name: string, size: number): never => {
    throw broken(name, `a file of at most ${most} bytes`, `${size} bytes`);
  };
  if (isUint8Array(source)) return source.length > most ? refuse(where, source.length) : new Uint8Array(source);
  const file = await open(where, source, where);
  try {
    return file.size > most ? refuse(file.where, file.size) : await file.bytes(0, file.size);
  } finally {
    await file.close();
  }
}

/** Bytes in memory. */
function memory(bytes: Uint8Array, where: string): ByteSource {
  return {
    where,
    size: bytes.length,
    read: async (target, at) => target.set(bytes.subarray(at, at + target.length)),
    close: async () => undefined,
  };
}

function withBytes(source: ByteSource): OpenFile {
  const { where, size } = source;
  return {
    ...source,
    async bytes(begin, count) {
      const fits =
        Number.isSafeInteger(begin) && Number.isSafeInteger(count) && begin >= 0 && count >= 0 && begin + count <= size;
      if (!fits)
        throw broken(
          where,
          `${count} bytes from byte ${begin} on`,
          `a file of ${size}: it was cut, or says something false of itself`,
        );
      const found = new Uint8Array(count);
      for (let at = 0; at < count; at += PIECE_BYTES)
        await source.read(found.subarray(at, at + PIECE_BYTES), begin + at);
      return found;
    },
  };
}

// Files that are read piece by piece, so that they may be larger than an array. Without native code, so that what is a bundle of its own may have it.
import { resolve } from "node:path";
import { CarillonError } from "../errors.js";
import { fileError, fileSystem, readingFlags } from "./file_system.js";
import type { FileHandle } from "./replaced_file.js";

/** Bytes that are read, hashed or written at once: below a millisecond. */
export const PIECE_BYTES = 512 * 1024;

/** So many bytes, or the error where no array can be so long. */
export function bytesFor(size: number, tooLong: (cause: unknown) => CarillonError): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(size);
  } catch (cause) {
    throw tooLong(cause);
  }
}

/** Room for a file in memory; `ERR_STATE` where no array can be so long. */
export function makeBytes(where: string, size: number): Uint8Array<ArrayBuffer> {
  return bytesFor(size, (cause) => {
    const problem = `expected a file that fits an array for '${where}' but received ${size} bytes: write it to a path`;
    return new CarillonError("ERR_STATE", where, problem, { cause });
  });
}

/** Bytes that somebody has, at any place of which they can be read. */
export interface ByteSource {
  /** Its name in errors. */
  readonly where: string;
  readonly size: number;
  /** Fills `target`, of at most {@link PIECE_BYTES}, with the bytes from `at` on; `ERR_FILE` if there are none. */
  read(target: Uint8Array, at: number): Promise<void>;
  close(): Promise<void>;
}

/** Opens a file; `ERR_FILE` with the cause if it cannot be read. Its reader keeps a piece, so that small parts in order cost little. */
export async function openFile(path: string): Promise<ByteSource> {
  const refuse = (cause: unknown): never => {
    throw fileError(path, "a file that can be read", cause);
  };
  // The system opens it on another thread: the working directory may be another by then.
  const file = await fileSystem().open(resolve(path), readingFlags()).catch(refuse);
  const size = await fileSize(file).catch(async (cause: unknown) => {
    await file.close();
    return refuse(cause);
  });
  const fill = async (target: Uint8Array, at: number): Promise<void> => {
    for (let done = 0; done < target.length; ) {
      const { bytesRead } = await file.read(target, done, target.length - done, at + done);
      if (bytesRead === 0) throw new Error("the file was cut while it was read");
      done += bytesRead;
    }
  };
  const kept = new Uint8Array(Math.min(size, PIECE_BYTES));
  let [begin, end] = [0, 0];
  const read = async (target: Uint8Array, at: number): Promise<void> => {
    if (at + target.length > size) throw new Error("the file was cut while it was read");
    if (target.length >= kept.length) return await fill(target, at);
    if (at < begin || at + target.length > end) {
      end = 0; // a reading that fails leaves nothing
      const length = Math.min(kept.length, size - at);
      await fill(kept.subarray(0, length), at);
      [begin, end] = [at, at + length];
    }
    target.set(kept.subarray(at - begin, at - begin + target.length));
  };
  return {
    where: path,
    size,
    read: (target, at) => read(target, at).catch(refuse),
    close: () => file.close(),
  };
}

/** Bytes of what is open; throws unless it is a file. */
async function fileSize(file: FileHandle): Promise<number> {
  const found = await file.stat();
  if (!found.isFile()) throw new Error(found.isDirectory() ? "a folder" : "a device, a pipe or a socket");
  return found.size;
}

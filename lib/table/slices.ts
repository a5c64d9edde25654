// Bytes at any place of a file, or of memory.
import { fileError, fileSystem } from "../io/file.js";

/** Bytes of which only what is wanted is read. */
export interface Slices {
  readonly byteLength: number;
  /** The bytes [begin, end), to the end by default. */
  slice(begin: number, end?: number): ArrayBuffer | Promise<ArrayBuffer>;
  close(): Promise<void>;
}

/** A file. */
export async function openSlices(path: string): Promise<Slices> {
  const refuse = (cause: unknown): never => {
    throw fileError(path, "a file that can be read", cause);
  };
  const file = await fileSystem().open(path, "r").catch(refuse);
  const { size } = await file.stat().catch(refuse);
  const slice = async (begin: number, end = size): Promise<ArrayBuffer> => {
    const bytes = new Uint8Array(end - begin);
    for (let done = 0; done < bytes.length; ) {
      const { bytesRead } = await file.read(bytes, done, bytes.length - done, begin + done).catch(refuse);
      if (bytesRead === 0) refuse(new Error("the file was cut while it was read"));
      done += bytesRead;
    }
    return bytes.buffer;
  };
  return { byteLength: size, slice, close: () => file.close() };
}

/** Bytes in memory. */
export function heldSlices(bytes: Uint8Array): Slices {
  const slice = (begin: number, end: number = bytes.length): ArrayBuffer =>
    new Uint8Array(bytes.subarray(begin, end)).buffer;
  return { byteLength: bytes.length, slice, close: () => Promise.resolve() };
}

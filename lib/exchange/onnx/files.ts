// Files of ONNX: the model, and tensors in files beside it.
import { basename, dirname, join, resolve, sep } from "node:path";
import { CarillonError } from "../../errors.js";
import { fileError, fileSystem } from "../../io/file_system.js";
import { broken } from "../../io/refusal.js";
import { type Pieces, replaceFile } from "../../io/replaced_file.js";

/** What a file waits for, on Windows alone, is another program that has the one before it open. */
const pause = async (milliseconds: number): Promise<void> =>
  await (await import("../../binding/clock.js")).wait(milliseconds);

/** Writes a file that has its name when all of it is on the disk, as `save` of a model does. */
export async function writePieces(path: string, pieces: Pieces): Promise<void> {
  await replaceFile(resolve(path), pieces, pause);
}

/** A file that is read at places. */
export interface OpenFile {
  readonly size: number;
  read(at: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  close(): Promise<void>;
}

/** Opens a file; `ERR_FILE` with the cause where that cannot be read. */
export async function openWhole(path: string): Promise<OpenFile> {
  const refuse = (cause: unknown): never => {
    throw cause instanceof CarillonError ? cause : fileError(path, "a file that can be read", cause);
  };
  const { O_NONBLOCK = 0, O_RDONLY } = process.getBuiltinModule("node:fs").constants;
  // Nobody waits for who writes into a pipe.
  const file = await fileSystem()
    .open(resolve(path), O_RDONLY | O_NONBLOCK)
    .catch(refuse);
  const close = async (): Promise<void> => await file.close();
  try {
    const found = await file.stat();
    if (!found.isFile()) throw new Error(found.isDirectory() ? "a folder" : "a device, a pipe or a socket");
    const { size } = found;
    const read = async (at: number, length: number): Promise<Uint8Array<ArrayBuffer>> => {
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const { bytesRead } = await file.read(bytes, done, length - done, at + done);
        if (bytesRead === 0) throw new Error("the file was cut while it was read");
        done += bytesRead;
      }
      return bytes;
    };
    return { size, close, read: (at, length) => read(at, length).catch(refuse) };
  } catch (cause) {
    await close();
    return refuse(cause);
  }
}

/** All bytes of a file, of at most so many. */
export async function readWhole(path: string, most: number): Promise<Uint8Array<ArrayBuffer>> {
  const file = await openWhole(path);
  try {
    if (file.size > most) throw broken(path, `a file of at most ${most} bytes`, `${file.size} bytes`);
    return await file.read(0, file.size);
  } finally {
    await file.close();
  }
}

/**
 * The file beside a model that it calls by `location`: within the model's folder, where that really is, and no link, so that a model cannot ask for what it
 * was not given with. `ERR_FILE`.
 */
export async function fileBeside(model: string, location: string): Promise<string> {
  const folder = await fileSystem()
    .realpath(dirname(resolve(model)))
    .catch((cause: unknown) => {
      throw fileError(model, "a file in a folder that can be read", cause);
    });
  const refuse = (received: string): never => {
    throw broken(model, "external data in files of its own folder", `'${basename(location)}', ${received}`);
  };
  if (location === "" || location.includes("\0") || /^(?:[\\/]|[A-Za-z]:)/.test(location)) refuse("no path within it");
  const path = resolve(folder, location);
  if (!path.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`)) refuse("which lies outside");
  const real = await fileSystem()
    .realpath(path)
    .catch((cause: unknown) => {
      throw fileError(model, `external data in '${location}' beside it`, cause);
    });
  if (real !== join(folder, ...path.slice(folder.length).split(sep))) refuse("a link");
  return real;
}

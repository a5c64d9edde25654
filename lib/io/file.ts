import { basename, dirname, join, resolve } from "node:path";
import { wait as pause } from "../binding/clock.js";
import type { CarillonError } from "../errors.js";
import { fileError, fileSystem } from "./file_system.js";
import { nameBeforeMark } from "./owner.js";
import { type Pieces, replaceFile } from "./replaced_file.js";

export { fileError, fileSystem, readingFlags } from "./file_system.js";
export type { FileHandle, Pieces } from "./replaced_file.js";

/** The last writing of each path that is not done yet; it does not reject. */
const unfinished = new Map<string, Promise<void>>();

/**
 * Writes a file that is, after a crash at any moment, either the old one or the new one in full. Several at once to one path are
 * done in the order of the calls, so that the last one stays.
 *
 * The bytes, whole or piece by piece, go to a temporary folder beside the target, are forced to the disk, and take the target's name;
 * then the folder is forced to the disk. Missing parent folders are made. Of a symbolic link the file that it leads to is
 * replaced, or made, and the link stays; a file that is replaced hands on its permissions, and its owner and group as far as this
 * process may give them. A relative path is that of the call. Any failure is `ERR_FILE` with the cause; the temporary folder is
 * removed and the old file stays. What killed processes of this host have left in the folder is removed. Where `bytes` is a promise that
 * rejects, its reason is told, and nothing is touched.
 */
export async function writeFileAtomic(path: string, bytes: Pieces | Promise<Pieces>): Promise<void> {
  const name = resolve(path);
  const before = unfinished.get(name);
  const writing =
    before === undefined ? replaceFile(name, bytes, pause) : before.then(() => replaceFile(name, bytes, pause));
  const over = writing.catch(() => undefined);
  unfinished.set(name, over);
  try {
    await writing;
  } finally {
    if (unfinished.get(name) === over) unfinished.delete(name);
  }
}

/**
 * The one name of a folder that may not be there yet: links are followed in the part of its path that exists. Two paths
 * of one folder have the same.
 */
export function realFolder(dir: string): string {
  const missing: string[] = [];
  for (let at = resolve(dir); ; at = dirname(at)) {
    const real = realPath(at);
    if (real !== undefined) return join(real, ...missing);
    if (at === dirname(at)) return resolve(dir); // not even the root can be looked at
    missing.unshift(basename(at));
  }
}

function realPath(path: string): string | undefined {
  try {
    return process.getBuiltinModule("node:fs").realpathSync(path);
  } catch {
    return undefined;
  }
}

/**
 * Removes what {@link writeFileAtomic} left in a folder that this run has alone when a process was killed: files on their way to such
 * names.
 */
export async function removeUnfinished(folder: string, names: RegExp): Promise<void> {
  try {
    for (const name of await fileSystem().readdir(folder)) {
      const target = name.startsWith(".") ? nameBeforeMark(name.slice(1)) : undefined;
      if (target !== undefined && names.test(target))
        await fileSystem().rm(join(folder, name), { recursive: true, force: true });
    }
  } catch (cause) {
    throw folderError(folder, cause);
  }
}

/** `ERR_FILE` for a folder that cannot be used as one that is written into. */
export function folderError(folder: string, cause: unknown): CarillonError {
  return fileError(folder, "a folder that can be read and written", cause);
}

import { mkdir, mkdtemp, open, readFile, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { CarillonError } from "../errors.js";

/**
 * Writes a file that is, after a crash at any moment, either the old one or the new one in full.
 *
 * The bytes go to a temporary folder beside the target, are forced to the disk, and take the target's name; then the
 * folder is forced to the disk. Missing parent folders are made. A symbolic link is replaced, not followed.
 * Any failure is `ERR_FILE` with the cause; the temporary folder is removed and the old file stays.
 */
export async function writeFileAtomic(path: string, bytes: Uint8Array): Promise<void> {
  const target = resolve(path);
  const folder = dirname(target);
  try {
    await mkdir(folder, { recursive: true });
    const temporary = await mkdtemp(join(folder, `.${basename(target)}-`));
    try {
      const written = join(temporary, basename(target));
      await writeForced(written, bytes);
      await rename(written, target);
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
    await forceFolder(folder);
  } catch (cause) {
    throw fileError(path, "a file that can be written", cause);
  }
}

/** All bytes of a file; `ERR_FILE` with the cause if it cannot be read. */
export async function readFileChecked(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw fileError(path, "a file that can be read", cause);
  }
}

async function writeForced(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, "wx");
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Forces a renaming to the disk. Windows has no such call for folders. */
async function forceFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const opened = await open(folder, "r");
  try {
    await opened.sync();
  } finally {
    await opened.close();
  }
}

function fileError(path: string, expected: string, cause: unknown): CarillonError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new CarillonError("ERR_FILE", path, `expected ${expected} for '${path}' but received ${reason}`, { cause });
}

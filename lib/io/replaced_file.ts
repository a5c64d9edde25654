// How a file takes the place of another. Without native code, so that a command can write what needs none.
import { basename, dirname, join, resolve } from "node:path";
import { codeOf } from "../errors.js";
import { isUint8Array } from "../tensor/arrays.js";
import { removeAbandoned } from "./abandoned.js";
import { fileError, fileSystem } from "./file_system.js";
import { ownMark } from "./owner.js";

/** Contents of a file to write, whole or piece by piece; the next piece is asked for when one is written. */
export type Pieces = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** An open file. */
export type FileHandle = Awaited<ReturnType<ReturnType<typeof fileSystem>["open"]>>;

/**
 * Writes a file that is, after a crash at any moment, either the old one or the new one in full: {@link writeFileAtomic} says how. `pause` waits for so many
 * milliseconds.
 */
export async function replaceFile(
  path: string,
  bytes: Pieces | Promise<Pieces>,
  pause: (milliseconds: number) => Promise<void>,
): Promise<void> {
  const pieces = await bytes;
  try {
    const target = await followLinks(path);
    const folder = dirname(target);
    const rights = await replaceable(target);
    await fileSystem().mkdir(folder, { recursive: true });
    const temporary = await fileSystem().mkdtemp(join(folder, temporaryPrefix(basename(target))));
    try {
      const written = join(temporary, basename(target));
      await writeForced(written, pieces, rights);
      await takeName(written, target, pause);
      await removeAbandoned(folder, ".", temporary);
    } finally {
      await fileSystem().rm(temporary, { recursive: true, force: true });
    }
    await forceFolder(folder);
  } catch (cause) {
    throw fileError(path, "a file that can be written", cause);
  }
}

/** Symbolic links that one may lead to in turn; Linux follows as many. */
const MOST_LINKS = 40;

/** Where a file of this name lies, or would lie: the end of a symbolic link, and of links to links, whether it is there or not. */
async function followLinks(path: string): Promise<string> {
  let target = resolve(path);
  for (let links = 0; links < MOST_LINKS; links++) {
    const next = await fileSystem().readlink(target).catch(ignoreError);
    if (next === undefined) return target;
    target = resolve(await fileSystem().realpath(dirname(target)), next); // a relative link starts at its real folder
  }
  throw new Error(`ELOOP: more than ${MOST_LINKS} symbolic links`);
}

/** Who may do what with a file. */
interface Rights {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** The rights of the file that is there, if one is. A renaming would put a file in the place of a device or a pipe. */
async function replaceable(target: string): Promise<Rights | undefined> {
  const found = await fileSystem().stat(target).catch(ignoreError);
  if (found === undefined) return undefined;
  const { mode, uid, gid } = found;
  if (found.isFile()) return { mode: mode & PERMISSIONS, uid, gid };
  throw new Error(found.isDirectory() ? "a folder" : "a device, a pipe or a socket");
}

const PERMISSIONS = 0o777;

const ignoreError = (): undefined => undefined;

/** Bytes of a name that a temporary one begins with: it must not be longer than a name may be, 255. */
const MOST_OF_NAME = 100;

/** `.NAME-`, who writes it, `-`, to which six characters are added that no other has. */
function temporaryPrefix(name: string): string {
  return `.${Buffer.from(name).subarray(0, MOST_OF_NAME).toString()}-${ownMark()}-`;
}

/** Who does not force to the disk what was written: some file systems, and Node.js under its permission model. */
const UNFORCED: readonly unknown[] = ["EINVAL", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "ERR_ACCESS_DENIED"];

/** Who does not let a folder be opened for that: its mode, or the system. */
const UNOPENED: readonly unknown[] = [...UNFORCED, "EACCES", "EISDIR", "EPERM"];

function ignoring(codes: readonly unknown[]): (error: unknown) => void {
  return (error) => {
    if (!codes.includes(codeOf(error))) throw error;
  };
}

/** Not FileHandle.sync, which the files of Yarn's plug'n'play do not have. */
async function force(file: number): Promise<void> {
  const forced = new Promise<void>((done, failed) => {
    process.getBuiltinModule("node:fs").fsync(file, (error) => (error === null ? done() : failed(error)));
  });
  await forced.catch(ignoring(UNFORCED));
}

/** For a new file; written through to the disk piece by piece where Node.js's permission model will not have it forced there. */
function newFileFlags(): number {
  const { O_CREAT, O_EXCL, O_SYNC, O_WRONLY } = process.getBuiltinModule("node:fs").constants;
  return O_CREAT | O_EXCL | O_WRONLY | ("permission" in process ? O_SYNC : 0);
}

/** @param rights Permissions, never wider meanwhile; by default those that new files get. */
async function writeForced(path: string, bytes: Pieces, rights: Rights | undefined): Promise<void> {
  const file = await fileSystem().open(path, newFileFlags(), rights?.mode);
  try {
    if (rights !== undefined) await handOn(file, rights);
    for await (const piece of isUint8Array(bytes) ? [bytes] : bytes) await file.writeFile(piece);
    await force(file.fd);
  } finally {
    await file.close();
  }
}

/** Owners are given away by the superuser alone, groups by their members; what may not be given stays this process's. */
async function handOn(file: FileHandle, { mode, uid, gid }: Rights): Promise<void> {
  const own = await file.stat().catch(ignoreError);
  if (own !== undefined && own.gid !== gid) await file.chown(own.uid, gid).catch(ignoreError);
  if (own !== undefined && own.uid !== uid) await file.chown(uid, gid).catch(ignoreError);
  await file.chmod(mode).catch(ignoreError); // wider than the process gives new files
}

/** Of files on Windows. */
const IN_USE: readonly unknown[] = ["EACCES", "EBUSY", "EPERM"];

/**
 * Renames a file over another. Windows refuses while anyone has the other open, be it a reader, a second writer or a virus
 * scanner, who are soon done: there it is tried again for a second.
 */
async function takeName(
  written: string,
  target: string,
  pause: (milliseconds: number) => Promise<void>,
): Promise<void> {
  for (let wait = 1; process.platform === "win32" && wait < 1000; wait *= 2) {
    try {
      return await fileSystem().rename(written, target);
    } catch (cause) {
      if (!IN_USE.includes(codeOf(cause))) throw cause;
      await pause(wait);
    }
  }
  await fileSystem().rename(written, target);
}

/** Forces a renaming to the disk, where a folder can be. Windows has no such call for folders. */
async function forceFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const opened = await fileSystem().open(folder, "r").catch(ignoring(UNOPENED));
  if (opened === undefined) return;
  try {
    await force(opened.fd);
  } finally {
    await opened.close();
  }
}

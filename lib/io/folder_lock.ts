import { join, toNamespacedPath } from "node:path";
import { wait as pause } from "../binding/clock.js";
import { native } from "../binding/native.js";
import { CarillonError, codeOf } from "../errors.js";
import { fileSystem, folderError, readingFlags } from "./file.js";
import { describeOwner, lifeOf, type Owner, ownMark, parseOwner, thisProcess } from "./owner.js";

/** Locked by who has the folder; its text says who that is, or was last. It stays: who waits for it must find the same file. */
const LOCK = ".carillon.lock";

/** There while somebody has the folder, where the file system has no locks. */
const OWNER = ".carillon.owner";

/** How a folder is asked for. */
export interface FolderClaim {
  /** The option that names it, for errors. */
  readonly where: string;
  /** The folder as it was given. */
  readonly called: string;
  /** Takes it from a process that nobody here can ask about: of another host, on a file system without locks. */
  readonly takeOver: boolean;
}

const files = () => process.getBuiltinModule("node:fs");

/** More is not read of a file that may be anybody's. */
const MOST_BYTES = 4096;

/** The beginning of a file's text; `undefined` if it cannot be read. */
function textOf(path: string): string | undefined {
  const { closeSync, openSync, readSync } = files();
  let file: number | undefined;
  try {
    file = openSync(path, readingFlags());
    const bytes = new Uint8Array(MOST_BYTES);
    return new TextDecoder().decode(bytes.subarray(0, readSync(file, bytes, 0, MOST_BYTES, 0)));
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Which file stands under a name; a link or a folder is none of ours. `undefined`: nothing does. */
async function identity(path: string): Promise<string | undefined> {
  const found = await fileSystem()
    .lstat(path, { bigint: true })
    .catch((cause: unknown) => {
      if (hasCode(cause, "ENOENT")) return undefined;
      throw cause;
    });
  if (found === undefined) return undefined;
  if (!found.isFile()) throw new Error(`'${path}' is no file`);
  return `${found.dev}:${found.ino}`;
}

function hasCode(error: unknown, code: string): boolean {
  return codeOf(error) === code;
}

/**
 * A folder that one owner has, among all threads, processes, copies of this package and paths of the folder: by a lock in it, which
 * ends with its owner. Where the file system has no locks, by a file that says whose it is: that of a dead process of
 * this host is taken over, that of another host only if `takeOver` says so.
 */
export class FolderLock {
  readonly #folder: string;
  readonly #claim: FolderClaim;
  #held: { readonly number: number; readonly path: string; readonly file: string | undefined } | undefined;

  /** @param folder Its real path. */
  constructor(folder: string, claim: FolderClaim) {
    this.#folder = folder;
    this.#claim = claim;
  }

  get held(): boolean {
    return this.#held !== undefined;
  }

  /** Takes the folder if there is a file in it that can be locked; nothing is changed. `ERR_BUSY` with who has it. */
  async takeIfMarked(): Promise<void> {
    await this.#checked(async () => {
      const marks = await Promise.all([LOCK, OWNER].map((name) => identity(join(this.#folder, name))));
      if (marks.some((mark) => mark !== undefined)) await this.#take(this.#claim.takeOver);
    });
  }

  /** Takes the folder, which is there; `ERR_BUSY` with who has it, `ERR_FILE` if nothing can be written there. */
  async take(): Promise<void> {
    if (this.#held === undefined) await this.#checked(() => this.#take(this.#claim.takeOver));
    await this.#tell();
  }

  /** Writes into the locked file who has it. Another member of a group may have the lock but not the right to say so. */
  async #tell(): Promise<void> {
    const text = JSON.stringify(thisProcess());
    await fileSystem()
      .writeFile(join(this.#folder, LOCK), text)
      .catch(() => undefined);
  }

  /**
   * Makes sure that the folder is still had: whoever removes the file, or takes it over, has taken the folder away. Then it is
   * taken once more, if nobody else has it.
   */
  async keep(): Promise<void> {
    const held = this.#held;
    if (held === undefined) return;
    await this.#checked(async () => {
      if (held.file !== undefined && (await identity(held.path)) === held.file) return;
      this.release();
      await fileSystem().mkdir(this.#folder, { recursive: true });
      await this.#take(false);
      await this.#tell();
    });
  }

  release(): void {
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) native.lockRelease(held.number);
  }

  async #checked(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (cause) {
      if (cause instanceof CarillonError && cause.code === "ERR_BUSY") throw cause;
      throw folderError(this.#claim.called, cause);
    }
  }

  async #take(takeOver: boolean): Promise<void> {
    const path = join(this.#folder, LOCK);
    const owner = join(this.#folder, OWNER);
    await this.#permit(path);
    const before = await identity(path);
    const number = native.lockTake(toNamespacedPath(path), null);
    if (number === "held") throw this.#busy(await ownerIn(path));
    if (number === "unsupported") {
      await this.#makeOwner(owner, takeOver);
      return;
    }
    this.#held = { number, path, file: before };
    try {
      await this.#displaceOwner(owner, takeOver);
      if ((await identity(path)) !== before) throw this.#busy(undefined); // another file than the one that is locked
    } catch (cause) {
      this.release();
      throw cause;
    }
  }

  /** Makes the file that is to be locked if it is missing. So Node.js, which knows what is permitted, opens each path before native code. */
  async #permit(path: string): Promise<void> {
    const { O_CREAT, O_EXCL, O_WRONLY } = files().constants;
    const made = await fileSystem()
      .open(path, O_CREAT | O_EXCL | O_WRONLY, 0o666)
      .catch((cause: unknown) => {
        if (hasCode(cause, "EEXIST")) return undefined;
        throw cause;
      });
    await made?.close();
    await (await fileSystem().open(path, readingFlags())).close();
  }

  async #makeOwner(path: string, takeOver: boolean): Promise<void> {
    const text = JSON.stringify(thisProcess());
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      const number = native.lockTake(toNamespacedPath(path), text);
      if (typeof number === "number") {
        const file = await identity(path).catch((cause: unknown) => {
          native.lockRelease(number);
          throw cause;
        });
        this.#held = { number, path, file };
        return;
      }
      await this.#displaceOwner(path, takeOver);
    }
    throw this.#busy(await ownerIn(path));
  }

  /** Removes the file of an owner who is dead, or given up; `ERR_BUSY` with who has the folder. */
  async #displaceOwner(path: string, takeOver: boolean): Promise<void> {
    if ((await identity(path)) === undefined) return;
    const text = textOf(path);
    const owner = parseOwner(text ?? "");
    const life = owner === undefined ? "unknown" : lifeOf(owner);
    if (life === "alive" || (life === "unknown" && !takeOver)) throw this.#busy(owner, life === "unknown");
    const folder = await fileSystem().mkdtemp(`${path}-${ownMark()}-`);
    const aside = join(folder, OWNER);
    try {
      // Somebody else may have displaced it meanwhile, and have the folder: without a turn between look and renaming nearly never after it.
      if (textOf(path) !== text) return;
      files().renameSync(path, aside);
      if (textOf(aside) !== text) files().renameSync(aside, path); // that of somebody who was quicker
    } catch (cause) {
      if (!hasCode(cause, "ENOENT")) throw cause; // somebody else has displaced it
    } finally {
      await fileSystem().rm(folder, { recursive: true, force: true });
    }
  }

  #busy(owner: Owner | undefined, unknown = false): CarillonError {
    const { called, where } = this.#claim;
    const advice = unknown
      ? ": of another host nobody here can say whether it is still at work; if it is not, checkpoint: { takeOver: true } takes the folder"
      : "";
    const message = `expected a folder of its own but another run has '${called}': ${describeOwner(owner)}${advice}`;
    return new CarillonError("ERR_BUSY", where, message);
  }
}

const MOST_ATTEMPTS = 5;

/** Who has the lock as the file says it, if that may be: an owner writes it when the lock is taken. */
async function ownerIn(path: string): Promise<Owner | undefined> {
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const owner = parseOwner(textOf(path) ?? "");
    if (owner !== undefined && lifeOf(owner) !== "dead") return owner;
    await pause(READ_AGAIN);
  }
  return undefined;
}

/** Milliseconds. */
const READ_AGAIN = 5;

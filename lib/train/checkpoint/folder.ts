import { dirname, join } from "node:path";
import { CarillonError, codeOf } from "../../errors.js";
import { fileSystem, folderError, realFolder, removeUnfinished } from "../../io/file.js";
import { FolderLock } from "../../io/folder_lock.js";
import type { CheckedCheckpoint } from "./options.js";

/** A checkpoint's file. */
export interface CheckpointFile {
  readonly step: number;
  readonly path: string;
}

const WHERE = "fit.checkpoint.dir";
const NAME = /^step-(\d+)\.safetensors$/;
const DIGITS = 9;

/** The checkpoints in a folder, newest first; none where there is no folder. */
async function listCheckpoints(dir: string): Promise<readonly CheckpointFile[]> {
  const names = await fileSystem()
    .readdir(dir)
    .catch((cause: unknown) => {
      if (codeOf(cause) === "ENOENT") return [];
      throw folderError(dir, cause);
    });
  const files = names.flatMap((name) => {
    const step = NAME.exec(name)?.[1];
    return step === undefined ? [] : [{ step: Number(step), path: join(dir, name) }];
  });
  return files.sort((a, b) => b.step - a.step);
}

const namesOf = (files: readonly CheckpointFile[]): string => files.map(({ path }) => path).join("\n");

/** Folders that a run of this environment has, from its call on, by their real paths. */
const taken = new Set<string>();

/**
 * The folder of one run. It is the run's in this environment from the call on; for all others from the moment at which it has the
 * lock: where the folder has a file for it before anything is read, otherwise before anything is written, and then nothing may have been
 * written in between. Until {@link open} nothing is changed.
 */
export class CheckpointFolder {
  /** As it was given. */
  readonly dir: string;
  /** Where files are written, whatever becomes of links and of the working directory. */
  readonly #real: string;
  readonly #lock: FolderLock;
  /** The listing of the folder as it was when nobody had the lock. */
  #seen: string | undefined;

  /** Takes the folder; `ERR_BUSY` if another run of this environment has it, be it under another path. */
  constructor({ dir, takeOver }: CheckedCheckpoint) {
    this.dir = dir;
    this.#real = realFolder(dir);
    if (taken.has(this.#real)) {
      throw new CarillonError("ERR_BUSY", WHERE, `expected a folder of its own but another run has '${dir}'`);
    }
    this.#lock = new FolderLock(this.#real, { where: WHERE, called: dir, takeOver });
    taken.add(this.#real);
  }

  /** Before anything is prepared: `ERR_FILE` if nothing can be written there, `ERR_BUSY` if another run has the folder. */
  async inspect(): Promise<void> {
    await expectWritable(this.#real).catch((cause: unknown) => {
      throw folderError(this.dir, cause);
    });
    await this.#lock.takeIfMarked();
    this.#seen = this.#lock.held ? undefined : namesOf(await this.list());
  }

  /** Its checkpoints, newest first. */
  async list(): Promise<readonly CheckpointFile[]> {
    return await listCheckpoints(this.#real);
  }

  pathOf(step: number): string {
    return join(this.#real, `step-${String(step).padStart(DIGITS, "0")}.safetensors`);
  }

  /**
   * The files that belong to a run: those up to the step at which it begins. A run that is not continued needs a folder without any, so
   * that two runs are never mixed; otherwise `ERR_STATE`.
   *
   * @param passedOver Files that are known to be of no use; they stay where they are.
   */
  async filesUntil(step: number, passedOver: readonly string[]): Promise<readonly CheckpointFile[]> {
    const files = (await this.list()).filter(({ path }) => !passedOver.includes(path));
    const [newest] = files;
    if (newest !== undefined && newest.step > step) {
      throw new CarillonError(
        "ERR_STATE",
        WHERE,
        `expected no checkpoint after step ${step} in '${this.dir}' but received ${newest.path}: resume: 'auto' continues it; ` +
          "for another run take another folder",
      );
    }
    return files;
  }

  /** The start is sure: makes the folder, takes it, and removes what a killed process has left unfinished. */
  async open(): Promise<void> {
    try {
      await fileSystem().mkdir(this.#real, { recursive: true });
    } catch (cause) {
      throw folderError(this.dir, cause);
    }
    await this.#lock.take();
    const files = await this.list();
    if (this.#seen !== undefined && this.#seen !== namesOf(files)) {
      throw new CarillonError(
        "ERR_BUSY",
        WHERE,
        `expected '${this.dir}' as it was when this run began but another run has written there: start again`,
      );
    }
    this.#seen = undefined;
    await removeUnfinished(this.#real, NAME);
  }

  /** Before each file: makes sure that the folder is still this run's. */
  async keep(): Promise<void> {
    await this.#lock.keep();
  }

  leave(): void {
    this.#lock.release();
    taken.delete(this.#real);
  }
}

/**
 * Throws if a folder, or the one that it would be made in, cannot be written into, as far as that shows without writing. Node.js's
 * permission model may hide the folders around one that it grants.
 */
async function expectWritable(folder: string): Promise<void> {
  const { access, stat } = fileSystem();
  const { R_OK, W_OK, X_OK } = process.getBuiltinModule("node:fs").constants;
  if ("permission" in process && process.permission?.has("fs.write", join(folder, "file")) === false) {
    throw new Error("no permission to write there (--allow-fs-write)");
  }
  for (let at = folder; ; at = dirname(at)) {
    const found = await stat(at).catch((cause: unknown) => {
      const code = codeOf(cause);
      if (at !== dirname(at) && (code === "ENOENT" || (at !== folder && code === "ERR_ACCESS_DENIED")))
        return undefined;
      throw cause;
    });
    if (found === undefined) continue;
    if (!found.isDirectory()) throw new Error(`'${at}', which is no folder`);
    return await access(at, at === folder ? R_OK | W_OK | X_OK : W_OK | X_OK);
  }
}

import { join } from "node:path";
import { CarillonError } from "../errors.js";
import { fileSystem, realFolder, removeUnfinished, writeFileAtomic } from "../io/file.js";
import type { BestCheckpoint, Contents } from "./checkpoint.js";
import type { CheckedCheckpoint } from "./checkpoint_options.js";
import type { Snapshot } from "./snapshot.js";

/** A checkpoint's file. */
export interface CheckpointFile {
  readonly step: number;
  readonly path: string;
}

const NAME = /^step-(\d+)\.safetensors$/;
const DIGITS = 9;

function nameOf(step: number): string {
  return `step-${String(step).padStart(DIGITS, "0")}.safetensors`;
}

/** The checkpoints in a folder, newest first; none where there is no folder. */
export async function listCheckpoints(dir: string): Promise<readonly CheckpointFile[]> {
  const names = await fileSystem()
    .readdir(dir)
    .catch((cause: unknown) => {
      if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return [];
      throw fileError(dir, "a folder that can be read", cause);
    });
  const files = names.flatMap((name) => {
    const step = NAME.exec(name)?.[1];
    return step === undefined ? [] : [{ step: Number(step), path: join(dir, name) }];
  });
  return files.sort((a, b) => b.step - a.step);
}

function fileError(path: string, expected: string, cause: unknown): CarillonError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new CarillonError("ERR_FILE", path, `expected ${expected} for '${path}' but received ${reason}`, { cause });
}

/** What is told of a checkpoint once it is on the disk. */
export interface Written extends CheckpointFile {
  readonly best: boolean;
}

/** What is written besides weights and states. */
export interface Save {
  readonly step: number;
  /** The figure that is watched, if there is one yet. */
  readonly figure: number | undefined;
  /** The rest of the file, given the best checkpoint so far. */
  contents(best: BestCheckpoint | null): Contents;
}

/** Folders that a run of this process writes to, by their real paths. */
const taken = new Set<string>();

/** Takes a folder for a run; `ERR_BUSY` if another run of the process has it, be it under another path. */
export function takeFolder(dir: string): () => void {
  const folder = realFolder(dir);
  if (taken.has(folder)) {
    throw new CarillonError(
      "ERR_BUSY",
      "fit.checkpoint.dir",
      `expected a folder of its own but another run has ${dir}`,
    );
  }
  taken.add(folder);
  return () => {
    taken.delete(folder);
  };
}

/**
 * The checkpoints of one run. A file is written beside the training, one at a time; it takes its name only when it is on
 * the disk in full, and only then are older ones removed.
 */
export class CheckpointStore {
  readonly #options: CheckedCheckpoint;
  readonly #snapshot: Snapshot;
  readonly #tell: (written: Written) => void;
  /** Oldest first. */
  #kept: readonly CheckpointFile[];
  #best: BestCheckpoint | null;
  #last: number;
  #writing: Promise<void> | undefined;

  /**
   * @param kept Files of the run that is continued, and its best, which is none to a run that looks for something else.
   * @param tell Called when a file is on the disk.
   */
  constructor(
    options: CheckedCheckpoint,
    snapshot: Snapshot,
    kept: readonly CheckpointFile[],
    best: BestCheckpoint | null,
    tell: (written: Written) => void,
  ) {
    this.#options = options;
    this.#snapshot = snapshot;
    this.#kept = [...kept].sort((a, b) => a.step - b.step);
    this.#best = options.best === undefined || options.best.aim === best?.aim ? best : null;
    this.#last = this.#kept.at(-1)?.step ?? -1;
    this.#tell = tell;
  }

  /** Step of the newest one, −1 if there is none. */
  get last(): number {
    return this.#last;
  }

  get best(): BestCheckpoint | null {
    return this.#best;
  }

  /**
   * Copies everything while the run waits, and begins to write it. A file that is still being written is waited for, and
   * its failure is thrown here. A number that is not finite is `ERR_NON_FINITE`, and nothing is written.
   */
  async save({ step, figure, contents }: Save): Promise<void> {
    await this.settle();
    const bad = await this.#snapshot.takeInPieces();
    if (bad !== undefined) {
      throw new CarillonError(
        "ERR_NON_FINITE",
        bad,
        `expected finite numbers in '${bad}' after step ${step} but received one that is not: no checkpoint was written`,
      );
    }
    const monitor = this.#options.best;
    if (figure !== undefined && monitor?.isBetter(figure, this.#best?.value) === true)
      this.#best = { aim: monitor.aim, step, value: figure };
    this.#last = step;
    const path = join(this.#options.dir, nameOf(step));
    const pieces = this.#snapshot.pieces(contents(this.#best));
    const writing = this.#write({ step, path, best: this.#best?.step === step }, pieces);
    writing.catch(() => undefined); // told by settle()
    this.#writing = writing;
  }

  /** Waits for the file that is being written, and throws its failure. */
  async settle(): Promise<void> {
    const writing = this.#writing;
    this.#writing = undefined;
    await writing;
  }

  async #write(written: Written, pieces: Iterable<Uint8Array>): Promise<void> {
    const best = this.#best?.step;
    await writeFileAtomic(written.path, pieces);
    this.#tell(written);
    const all = [...this.#kept.filter(({ step }) => step !== written.step), written];
    const newest = all.slice(-this.#options.keep);
    const kept = all.filter((file) => newest.includes(file) || file.step === best);
    for (const { path } of all.filter((file) => !kept.includes(file))) {
      await fileSystem()
        .rm(path, { force: true })
        .catch((cause: unknown) => {
          throw fileError(path, "a file that can be removed", cause);
        });
    }
    this.#kept = kept;
  }
}

/**
 * The files in the folder of a run that belong to it: those up to the step at which it begins. A run that is not continued needs
 * a folder without any, so that two runs are never mixed; otherwise `ERR_STATE`. Nothing is changed.
 *
 * @param passedOver Files that are known to be of no use; they stay where they are.
 */
export async function checkFolder(
  dir: string,
  step: number,
  passedOver: readonly string[],
): Promise<readonly CheckpointFile[]> {
  const files = (await listCheckpoints(dir)).filter(({ path }) => !passedOver.includes(path));
  const [newest] = files;
  if (newest !== undefined && newest.step > step) {
    throw new CarillonError(
      "ERR_STATE",
      "fit.checkpoint.dir",
      `expected no checkpoint after step ${step} in '${dir}' but received ${newest.path}: resume: 'auto' continues it; ` +
        "for another run take another folder",
    );
  }
  return files;
}

/** Makes the folder of a run if it is missing, and removes what a killed process has left unfinished. */
export async function openFolder(dir: string): Promise<void> {
  try {
    await fileSystem().mkdir(dir, { recursive: true });
  } catch (cause) {
    throw fileError(dir, "a folder that can be written", cause);
  }
  await removeUnfinished(dir, NAME);
}

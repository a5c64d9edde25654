import { CarillonError } from "../../errors.js";
import { fileError, fileSystem, writeFileAtomic } from "../../io/file.js";
import type { Contents } from "./checkpoint.js";
import type { CheckpointFile, CheckpointFolder } from "./folder.js";
import type { CheckedCheckpoint } from "./options.js";
import type { BestCheckpoint, Progress } from "./progress.js";
import type { Snapshot } from "./snapshot.js";

/** Facts of a checkpoint that is on the disk. */
export interface Written extends CheckpointFile {
  readonly best: boolean;
}

/** A checkpoint that is to be written: its step, what is known there, and its contents besides weights and states. */
export interface Save {
  readonly step: number;
  /** The figure that is watched, if there is one yet. */
  readonly figure: number | undefined;
  /** Whether nothing is left to be decided at this step. */
  readonly isDecided: boolean;
  /** The rest of the file, given the best checkpoint so far. */
  contents(best: BestCheckpoint | null): Contents;
}

/**
 * The checkpoints of one run. A file is written beside the training, one at a time; it takes its name only when it is on
 * the disk in full, and only then are older ones removed.
 */
export class CheckpointStore {
  readonly #options: CheckedCheckpoint;
  readonly #folder: CheckpointFolder;
  readonly #snapshot: Snapshot;
  readonly #tell: (written: Written) => void;
  /** Oldest first. */
  #kept: readonly CheckpointFile[];
  #best: BestCheckpoint | null;
  #last: { readonly step: number; readonly isDecided: boolean };
  #writing: Promise<void> | undefined;

  /**
   * @param before Files of the run that is continued, and the progress that it is continued with, whose best is none to a run that
   *   looks for something else.
   * @param tell Called when a file is on the disk.
   */
  constructor(
    options: CheckedCheckpoint,
    folder: CheckpointFolder,
    snapshot: Snapshot,
    { files, progress }: { readonly files: readonly CheckpointFile[]; readonly progress: Progress | undefined },
    tell: (written: Written) => void,
  ) {
    this.#options = options;
    this.#folder = folder;
    this.#snapshot = snapshot;
    this.#kept = [...files].sort((a, b) => a.step - b.step);
    const best = progress?.best ?? null;
    this.#best = options.best === undefined || options.best.aim === best?.aim ? best : null;
    const step = this.#kept.at(-1)?.step ?? -1;
    this.#last = { step, isDecided: progress === undefined || !(progress.undecided || progress.pending.length > 0) };
    this.#tell = tell;
  }

  /** Step of the newest one, −1 if there is none, and whether nothing was left to be decided at it. */
  get last(): { readonly step: number; readonly isDecided: boolean } {
    return this.#last;
  }

  get best(): BestCheckpoint | null {
    return this.#best;
  }

  /**
   * Copies everything while the run waits, and begins to write it. A file that is still being written is waited for, and
   * its failure is thrown here. A number that is not finite is `ERR_NON_FINITE`, and nothing is written.
   */
  async save({ step, figure, isDecided, contents }: Save): Promise<void> {
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
    const path = this.#folder.pathOf(step);
    this.#last = { step, isDecided };
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
    await this.#folder.keep();
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

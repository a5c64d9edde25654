import type { Model } from "../nn/model.js";
import type { Minimizer } from "../optim/minimizer.js";
import { type BestCheckpoint, type Contents, contentsOf, type Progress, stretchesOf } from "./checkpoint.js";
import { type CheckpointFile, CheckpointStore, type Written } from "./checkpoint_store.js";
import { figureOf, type Watched } from "./monitor.js";
import type { CheckedOptions } from "./options.js";
import { type Settings, settingsOf } from "./settings.js";
import { Snapshot } from "./snapshot.js";

/** What the run itself puts into a checkpoint. */
export type RunProgress = Omit<Progress, "best">;

/** Makes the checkpoints of a run: bytes for who asks, files in its folder if it has one. */
export class CheckpointMaker {
  readonly #model: Model;
  readonly #minimizer: Minimizer;
  readonly #options: CheckedOptions;
  readonly #store: CheckpointStore | undefined;
  /** For bytes: a file that is being written has a copy of its own. */
  #snapshot: Snapshot | undefined;
  #settings: Settings | undefined;

  /**
   * @param files Those of the run that is continued, and its best.
   * @param tell Called when a file is on the disk.
   */
  constructor(
    model: Model,
    minimizer: Minimizer,
    options: CheckedOptions,
    files: readonly CheckpointFile[],
    best: BestCheckpoint | null,
    tell: (written: Written) => void,
  ) {
    this.#model = model;
    this.#minimizer = minimizer;
    this.#options = options;
    if (options.checkpoint === undefined) return;
    const snapshot = new Snapshot(stretchesOf(model, minimizer));
    this.#store = new CheckpointStore(options.checkpoint, snapshot, files, best, tell);
  }

  /** Whether the best file is known by a figure, which has to be measured before {@link save}. */
  get watches(): boolean {
    return this.#options.checkpoint?.best !== undefined;
  }

  /** Whether there is a folder without a file of this step. */
  isMissing(step: number): boolean {
    return this.#store !== undefined && this.#store.last !== step;
  }

  bytes(progress: RunProgress): Uint8Array {
    this.#snapshot ??= new Snapshot(stretchesOf(this.#model, this.#minimizer));
    this.#snapshot.take();
    return this.#snapshot.bytes(this.#contents(progress, this.#store?.best ?? null));
  }

  /** Takes a checkpoint of a step and begins to write it into the folder. */
  async save(step: number, watched: Watched, progress: () => RunProgress): Promise<void> {
    const best = this.#options.checkpoint?.best;
    await this.#store?.save({
      step,
      figure: best === undefined ? undefined : figureOf(best.name, watched),
      contents: (kept) => this.#contents(progress(), kept),
    });
  }

  /** Waits for the file that is being written, and throws its failure. */
  async settle(): Promise<void> {
    await this.#store?.settle();
  }

  #contents(progress: RunProgress, best: BestCheckpoint | null): Contents {
    this.#settings ??= settingsOf(this.#model, this.#minimizer, this.#options);
    return contentsOf(this.#model, this.#minimizer, this.#settings, { ...progress, best });
  }
}

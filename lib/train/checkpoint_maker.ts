import type { Model } from "../nn/model.js";
import type { Minimizer } from "../optim/minimizer.js";
import { type BestCheckpoint, type Contents, contentsOf, type RunProgress, stretchesOf } from "./checkpoint.js";
import type { CheckedCheckpoint } from "./checkpoint_options.js";
import { type CheckpointFile, CheckpointStore, openFolder, type Written } from "./checkpoint_store.js";
import { type Settings, type SettingsSource, settingsOf } from "./settings.js";
import { Snapshot } from "./snapshot.js";

/** Makes the checkpoints of a run: bytes for who asks, files in its folder if it has one. */
export class CheckpointMaker {
  readonly #model: Model;
  readonly #minimizer: Minimizer;
  readonly #source: SettingsSource;
  readonly #folder: CheckedCheckpoint | undefined;
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
    {
      loss,
      regularizer,
      biasRegularizer,
      clip,
      accumulate,
      checkpoint,
    }: SettingsSource & {
      readonly checkpoint: CheckedCheckpoint | undefined;
    },
    files: readonly CheckpointFile[],
    best: BestCheckpoint | null,
    tell: (written: Written) => void,
  ) {
    this.#model = model;
    this.#minimizer = minimizer;
    this.#source = { loss, regularizer, biasRegularizer, clip, accumulate };
    this.#folder = checkpoint;
    if (checkpoint === undefined) return;
    const snapshot = new Snapshot(stretchesOf(model, minimizer));
    this.#store = new CheckpointStore(checkpoint, snapshot, files, best, tell);
  }

  /** Makes the folder, if there is to be one. */
  async open(): Promise<void> {
    if (this.#folder !== undefined) await openFolder(this.#folder.dir);
  }

  /** Whether a checkpoint with this figure would be the best one so far. */
  isBest(figure: number | undefined): boolean {
    return figure !== undefined && this.#folder?.best?.isBetter(figure, this.#store?.best?.value) === true;
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

  /**
   * The same, for when somebody asks: of the weights as they are then, and this progress. What is given holds on to nothing
   * else of the run.
   */
  later(progress: RunProgress): () => Uint8Array {
    const [model, minimizer, source, best] = [this.#model, this.#minimizer, this.#source, this.#store?.best ?? null];
    return () => {
      const snapshot = new Snapshot(stretchesOf(model, minimizer));
      snapshot.take();
      const settings = settingsOf(model, minimizer, source);
      return snapshot.bytes(contentsOf(model, minimizer, settings, { ...progress, best }));
    };
  }

  /**
   * Takes a checkpoint of a step and begins to write it into the folder.
   *
   * @param figure The one that is watched, if it was measured at this step.
   */
  async save(step: number, figure: number | undefined, progress: () => RunProgress): Promise<void> {
    await this.#store?.save({ step, figure, contents: (kept) => this.#contents(progress(), kept) });
  }

  /** Waits for the file that is being written, and throws its failure. */
  async settle(): Promise<void> {
    await this.#store?.settle();
  }

  #contents(progress: RunProgress, best: BestCheckpoint | null): Contents {
    this.#settings ??= settingsOf(this.#model, this.#minimizer, this.#source);
    return contentsOf(this.#model, this.#minimizer, this.#settings, { ...progress, best });
  }
}

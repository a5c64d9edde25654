import type { AnyModel } from "../../nn/model/model.js";
import type { Minimizer } from "../../optim/minimizer.js";
import type { Parts } from "../parts.js";
import { type Contents, contentsOf, stretchesOf } from "./checkpoint.js";
import type { CheckpointFolder } from "./folder.js";
import type { CheckedCheckpoint } from "./options.js";
import type { BestCheckpoint, RunProgress } from "./progress.js";
import type { ToldSettings } from "./settings.js";
import { Snapshot } from "./snapshot.js";
import { CheckpointStore, type Save, type Written } from "./store.js";

/** Makes the checkpoints of a run: bytes for who asks, files in its folder if it has one. */
export class CheckpointMaker {
  readonly #model: AnyModel;
  readonly #minimizer: Minimizer;
  readonly #settings: ToldSettings;
  readonly #options: CheckedCheckpoint | undefined;
  readonly #folder: CheckpointFolder | undefined;
  readonly #store: CheckpointStore | undefined;
  /** For bytes: a file that is being written has a copy of its own. */
  #snapshot: Snapshot | undefined;

  /** @param tell Called when a file is on the disk. */
  constructor(
    model: AnyModel,
    { minimizer, settings, files, resumed }: Pick<Parts, "minimizer" | "settings" | "files" | "resumed">,
    options: CheckedCheckpoint | undefined,
    folder: CheckpointFolder | undefined,
    tell: (written: Written) => void,
  ) {
    this.#model = model;
    this.#minimizer = minimizer;
    this.#settings = settings;
    this.#options = options;
    this.#folder = folder;
    if (options === undefined || folder === undefined) return;
    const snapshot = new Snapshot(stretchesOf(model, minimizer));
    this.#store = new CheckpointStore(
      options,
      folder,
      snapshot,
      { files, progress: resumed.checkpoint?.progress },
      tell,
    );
  }

  /** Makes the folder, if there is to be one. */
  async open(): Promise<void> {
    await this.#folder?.open();
  }

  /** Whether a checkpoint with this figure would be the best one so far. */
  isBest(figure: number | undefined): boolean {
    return figure !== undefined && this.#options?.best?.isBetter(figure, this.#store?.best?.value) === true;
  }

  /**
   * Whether there is a folder without a file of this step.
   *
   * @param isDecided Whether nothing is left to be decided at it; a file in which something was does not count then.
   */
  isMissing(step: number, isDecided: boolean): boolean {
    if (this.#store === undefined) return false;
    const { last } = this.#store;
    return last.step !== step || (isDecided && !last.isDecided);
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
  later(progress: () => RunProgress): () => Uint8Array {
    const [model, minimizer, settings, best] = [
      this.#model,
      this.#minimizer,
      this.#settings,
      this.#store?.best ?? null,
    ];
    return () => {
      const snapshot = new Snapshot(stretchesOf(model, minimizer));
      snapshot.take();
      return snapshot.bytes(contentsOf(model, minimizer, settings("descriptions"), { ...progress(), best }));
    };
  }

  /**
   * Takes a checkpoint of a step and begins to write it into the folder.
   *
   * @param save Its step, the figure that is watched, if it was measured there, and whether nothing is left to be decided.
   */
  async save(save: Omit<Save, "contents">, progress: () => RunProgress): Promise<void> {
    await this.#store?.save({ ...save, contents: (kept) => this.#contents(progress(), kept) });
  }

  /** Waits for the file that is being written, and throws its failure. */
  async settle(): Promise<void> {
    await this.#store?.settle();
  }

  #contents(progress: RunProgress, best: BestCheckpoint | null): Contents {
    const settings = this.#settings("descriptions");
    return contentsOf(this.#model, this.#minimizer, settings, { ...progress, best });
  }
}

import { join, resolve } from "node:path";
import { histogramOf } from "../../data/histogram.js";
import { madeBy } from "../../described.js";
import { checkBoolean, checkKeys, checkString } from "../../options.js";
import { describedBy } from "../../tensor/inspect.js";
import type { Callback, CallbackHooks, Decision } from "../callbacks/callback.js";
import { checkEvery } from "../checkpoint/options.js";
import { EventFile } from "./event_file.js";
import { type LogOptions, trainingFigures, validationFigures } from "./figures.js";
import type { TaggedHistogram } from "./tensor_board_file.js";

/** Options of {@link tensorBoard}. */
export interface TensorBoardOptions extends LogOptions {
  /** The folder; it is made if it is missing. TensorBoard is told of it, or of one above: `tensorboard --logdir runs`. */
  readonly dir: string;
  /** Whether histograms of the weights are written, too, one a parameter; false by default. */
  readonly histograms?: boolean | undefined;
}

/** Buckets of a histogram. */
const BUCKETS = 64;

/** Weights by parameter; those that validation measures. */
async function histogramsOf(at: Decision): Promise<readonly TaggedHistogram[]> {
  const found: TaggedHistogram[] = [];
  for (const [name, values] of at.weights()) {
    if (values.length > 0) found.push([`weights/${name}`, await histogramOf(values, BUCKETS), values.length]);
  }
  return found;
}

/**
 * Writes the figures of a run as TensorBoard's events: those of the training examples under `dir/train`, those of the validation set, where it was
 * measured, under `dir/validation`, by the same names, so that they share charts; with `histograms` the weights of each parameter, in 64 buckets of equal width. A run that is resumed begins new files, which tell
 * TensorBoard to forget the steps that are done again. `ERR_FILE` ends the run where they cannot be written. `ERR_OPTION`, `ERR_UNKNOWN_OPTION`.
 *
 * @example tensorBoard({ dir: 'runs/churn/events' })
 */
export function tensorBoard(options: TensorBoardOptions): Callback {
  checkKeys("tensorBoard", options, ["dir", "every", "histograms", "name"]);
  const dir = checkString("tensorBoard.dir", options.dir);
  const every = options.every === undefined ? undefined : checkEvery("tensorBoard.every", options.every);
  const histograms = checkBoolean("tensorBoard.histograms", options.histograms ?? false);
  const name = checkString("tensorBoard.name", options.name ?? "tensorBoard");
  const begin = (): CallbackHooks => {
    const folder = resolve(dir);
    const filesOf = (resumed: boolean) =>
      ["train", "validation"].map((set) => new EventFile(join(folder, set), resumed));
    let files = filesOf(false);
    return {
      start({ step }) {
        files = filesOf(step > 0);
      },
      async decide(at) {
        const [training, validation] = files;
        await training?.add(at.step, trainingFigures(at), histograms ? await histogramsOf(at) : []);
        await validation?.add(at.step, validationFigures(at));
      },
    };
  };
  const callback = Object.assign(begin(), { name, every, begin });
  return madeBy(
    "tensorBoard",
    { dir, every, histograms: histograms || undefined, name },
    describedBy(callback, () => ({ title: `Callback ${name}`, fields: { dir } })),
  );
}

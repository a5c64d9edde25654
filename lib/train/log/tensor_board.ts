import { join, resolve } from "node:path";
import { madeBy } from "../../described.js";
import { checkKeys, checkString } from "../../options.js";
import { describedBy } from "../../tensor/inspect.js";
import type { Callback, CallbackHooks } from "../callbacks/callback.js";
import { checkEvery } from "../checkpoint/options.js";
import { EventFile } from "./event_file.js";
import { type LogOptions, trainingFigures, validationFigures } from "./figures.js";

/** Options of {@link tensorBoard}. */
export interface TensorBoardOptions extends LogOptions {
  /** The folder; it is made if it is missing. TensorBoard is told of it, or of one above: `tensorboard --logdir runs`. */
  readonly dir: string;
}

/**
 * Writes the figures of a run as TensorBoard's events: those of the training examples under `dir/train`, those of the validation set, where it was
 * measured, under `dir/validation`, by the same names, so that they share charts. A run that is resumed begins new files, which tell
 * TensorBoard to forget the steps that are done again. `ERR_FILE` ends the run where they cannot be written. `ERR_OPTION`, `ERR_UNKNOWN_OPTION`.
 *
 * @example tensorBoard({ dir: 'runs/churn/events' })
 */
export function tensorBoard(options: TensorBoardOptions): Callback {
  checkKeys("tensorBoard", options, ["dir", "every", "name"]);
  const dir = checkString("tensorBoard.dir", options.dir);
  const every = options.every === undefined ? undefined : checkEvery("tensorBoard.every", options.every);
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
        await training?.add(at.step, trainingFigures(at));
        await validation?.add(at.step, validationFigures(at));
      },
    };
  };
  const callback = Object.assign(begin(), { name, every, begin });
  return madeBy(
    "tensorBoard",
    { ...options, name },
    describedBy(callback, () => ({ title: `Callback ${name}`, fields: { dir } })),
  );
}

import { join, resolve } from "node:path";
import { madeBy } from "../../described.js";
import { fileError, fileSystem } from "../../io/file.js";
import { checkKeys, checkString } from "../../options.js";
import { describedBy } from "../../tensor/inspect.js";
import type { Callback, CallbackHooks } from "../callbacks/callback.js";
import { checkEvery } from "../checkpoint/options.js";
import { type LogOptions, today, trainingFigures, validationFigures } from "./figures.js";
import { beginningRecords, type Scalar, scalarsRecord } from "./tensor_board_file.js";

/** Options of {@link tensorBoard}. */
export interface TensorBoardOptions extends LogOptions {
  /** The folder; it is made if it is missing. TensorBoard is told of it, or of one above: `tensorboard --logdir runs`. */
  readonly dir: string;
}

/** Files that this process has begun: a part of their names. */
let begun = 0;

/** A file of events that is begun with its first numbers. */
class EventFile {
  readonly #folder: string;
  readonly #resumed: boolean;
  #path: string | undefined;

  constructor(folder: string, resumed: boolean) {
    this.#folder = folder;
    this.#resumed = resumed;
  }

  async add(step: number, scalars: readonly Scalar[]): Promise<void> {
    if (scalars.length === 0) return;
    const seconds = today().getTime() / 1000;
    const beginning = this.#path === undefined ? beginningRecords(seconds, this.#resumed ? step : undefined) : [];
    const path = this.#path ?? join(this.#folder, nameOf(seconds));
    this.#path = path;
    try {
      if (beginning.length > 0) await fileSystem().mkdir(this.#folder, { recursive: true });
      await fileSystem().appendFile(path, Buffer.concat([...beginning, scalarsRecord(seconds, step, scalars)]));
    } catch (cause) {
      throw fileError(path, "a file that can be written", cause);
    }
  }
}

/** As TensorBoard knows its files by, and in their order. */
function nameOf(seconds: number): string {
  const host = process.getBuiltinModule("node:os").hostname();
  begun += 1;
  return `events.out.tfevents.${String(Math.floor(seconds)).padStart(10, "0")}.${host}.${process.pid}.${begun}`;
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

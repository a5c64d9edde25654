import { join } from "node:path";
import { fileError, fileSystem } from "../../io/file_system.js";
import { today } from "./figures.js";
import { beginningRecords, type Scalar, summaryRecord, type TaggedHistogram } from "./tensor_board_file.js";

/** Files that this process has begun: a part of their names. */
let begun = 0;

/** As TensorBoard knows its files by, and in their order. */
function nameOf(seconds: number): string {
  const host = process.getBuiltinModule("node:os").hostname();
  begun += 1;
  return `events.out.tfevents.${String(Math.floor(seconds)).padStart(10, "0")}.${host}.${process.pid}.${begun}`;
}

/** A file of TensorBoard's events, which is begun with its first numbers. */
export class EventFile {
  readonly #folder: string;
  readonly #resumed: boolean;
  #path: string | undefined;

  /** @param resumed Whether there are files of a run that is gone on with: readers forget what they have from the first step on. */
  constructor(folder: string, resumed: boolean) {
    this.#folder = folder;
    this.#resumed = resumed;
  }

  async add(step: number, scalars: readonly Scalar[], histograms: readonly TaggedHistogram[] = []): Promise<void> {
    if (scalars.length === 0 && histograms.length === 0) return;
    const seconds = today().getTime() / 1000;
    const beginning = this.#path === undefined ? beginningRecords(seconds, this.#resumed ? step : undefined) : [];
    const path = this.#path ?? join(this.#folder, nameOf(seconds));
    this.#path = path;
    try {
      if (beginning.length > 0) await fileSystem().mkdir(this.#folder, { recursive: true });
      await fileSystem().appendFile(
        path,
        Buffer.concat([...beginning, summaryRecord(seconds, step, scalars, histograms)]),
      );
    } catch (cause) {
      throw fileError(path, "a file that can be written", cause);
    }
  }
}

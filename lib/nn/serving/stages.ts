import { isDoubles } from "../../tensor/arrays.js";
import type { CallInput, Stage } from "./rows.js";

/** Elements of a batch's memory that are always made: of wide rows only about as many are made as come, as making memory takes its time. */
const LITTLE = 65_536;

/** Elements of memory for `rows` rows of a width, or for more, as more may come: for `most` rows at most. */
export function roomFor(rows: number, width: number, most: number): number {
  return Math.max(rows, Math.min(most, Math.max(2 * rows, Math.floor(LITTLE / width)))) * width;
}

/** Memory of an input of batches, kept for the next ones: two are enough, one that is filled and one that is computed. */
export class Stages {
  readonly #width: number;
  readonly #most: number;
  readonly #dtype: CallInput["dtype"];
  readonly #plain: Stage[] = [];
  readonly #doubles: Stage[] = [];

  /** @param most Rows of a batch. */
  constructor({ columns, dtype }: CallInput, most: number) {
    this.#width = columns;
    this.#most = most;
    this.#dtype = dtype;
  }

  /** For `rows` rows, or more. */
  take(rows: number, precise: boolean): Stage {
    const kept = precise ? this.#doubles.pop() : this.#plain.pop();
    if (kept !== undefined && kept.length >= rows * this.#width) return kept;
    const room = roomFor(rows, this.#width, this.#most);
    if (precise) return new Float64Array(room);
    return this.#dtype === "i32" ? new Int32Array(room) : new Float32Array(room);
  }

  give(stage: Stage): void {
    const kept = isDoubles(stage) ? this.#doubles : this.#plain;
    if (stage.length > 0 && kept.length < 2) kept.push(stage);
  }
}

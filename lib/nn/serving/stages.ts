import { isFloats } from "../../tensor/arrays.js";
import type { Stage } from "./rows.js";

/** Elements of a batch's memory that are always made: of wide rows only about as many are made as come, as making memory takes its time. */
const LITTLE = 65_536;

/** Elements of memory for `rows` rows of a width, or for more, as more may come: for `most` rows at most. */
export function roomFor(rows: number, width: number, most: number): number {
  return Math.max(rows, Math.min(most, Math.max(2 * rows, Math.floor(LITTLE / width)))) * width;
}

/** Memory of batches, kept for the next ones: two are enough, one that is filled and one that is computed. */
export class Stages {
  readonly #width: number;
  readonly #most: number;
  readonly #floats: Float32Array[] = [];
  readonly #doubles: Float64Array[] = [];

  /**
   * @param width Elements of a row.
   * @param most Rows of a batch.
   */
  constructor(width: number, most: number) {
    this.#width = width;
    this.#most = most;
  }

  /** For `rows` rows, or more. */
  take(rows: number, precise: boolean): Stage {
    const kept = precise ? this.#doubles.pop() : this.#floats.pop();
    if (kept !== undefined && kept.length >= rows * this.#width) return kept;
    const room = roomFor(rows, this.#width, this.#most);
    return precise ? new Float64Array(room) : new Float32Array(room);
  }

  give(stage: Stage): void {
    const kept: Stage[] = isFloats(stage) ? this.#floats : this.#doubles;
    if (stage.length > 0 && kept.length < 2) kept.push(stage);
  }
}

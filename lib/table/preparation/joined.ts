// Inputs of many rows, which are encoded block by block.
import { isFloats } from "../../tensor/arrays.js";
import { extent } from "../../tensor/shape.js";
import type { Encoded, EncodedInput } from "./encode.js";

/** Rows that are encoded between two turns of the event loop: about 10 ms of a hundred columns. */
export const TURN_ROWS = 2048;

/** Inputs of blocks of rows, one behind the other, and their unseen categories together. */
export class JoinedInputs implements Encoded {
  readonly x: Record<string, EncodedInput> = {};
  readonly unseen: Record<string, number> = {};
  readonly #rows: number;

  /** Memory is taken with the first block. */
  constructor(rows: number) {
    this.#rows = rows;
  }

  /** A block of the rows from `begin` on. */
  put(begin: number, { x, unseen }: Encoded): void {
    for (const [name, { shape, data }] of Object.entries(x)) {
      const rest = shape.slice(1);
      const length = this.#rows * extent(rest);
      this.x[name] ??= {
        shape: [this.#rows, ...rest],
        data: isFloats(data) ? new Float32Array(length) : new Int32Array(length),
      };
      this.x[name].data.set(data, begin * extent(rest));
    }
    for (const [column, rows] of Object.entries(unseen)) this.unseen[column] = (this.unseen[column] ?? 0) + rows;
  }
}

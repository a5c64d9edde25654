import { philox } from "../tensor/philox.js";

/** Rows that are kept; of more, as many are drawn evenly. */
const MOST_ROWS = 1_000_000;

/** Rows whose memory is taken at once. */
const STRETCH = 4096;

/** Purpose of the draws, as ARCHITECTURE.md numbers them, and their seed: which rows are kept depends on how many there are, and nothing else. */
const PURPOSE = 10;
const KEY = [0, 0] as const;
const TWO_32 = 4294967296;

/**
 * Values of columns, for their quantiles: those of all rows, up to a million; from then on row r, from 0, takes the place of a row that
 * was kept before with probability 1,000,000/(r + 1) (Vitter 1985, algorithm R), so that each row is kept with the same.
 */
export class ColumnValues {
  readonly #columns: number;
  readonly #most: number;
  readonly #stretches: Float64Array[] = [];
  #rows = 0;

  constructor(columns: number, most = MOST_ROWS) {
    this.#columns = columns;
    this.#most = most;
  }

  /** Takes in the row that begins at element `offset` of `values`. */
  add(values: ArrayLike<number>, offset: number): void {
    const row = this.#rows;
    this.#rows += 1;
    const place = row < this.#most ? row : this.#placeOf(row);
    if (place >= this.#most) return;
    const stretch = this.#stretchOf(place);
    const begin = (place % STRETCH) * this.#columns;
    for (let column = 0; column < this.#columns; column++) stretch[begin + column] = values[offset + column] ?? 0;
  }

  /** Those of one column, ascending. */
  sorted(column: number): Float64Array {
    const kept = Math.min(this.#rows, this.#most);
    const values = new Float64Array(kept);
    for (let row = 0; row < kept; row++) {
      values[row] = this.#stretches[Math.floor(row / STRETCH)]?.[(row % STRETCH) * this.#columns + column] ?? 0;
    }
    return values.sort();
  }

  /** A place in [0, row]. */
  #placeOf(row: number): number {
    const [high = 0, low = 0] = philox([row % TWO_32, Math.floor(row / TWO_32), 0, PURPOSE], KEY);
    // 53 random bits as a share in [0, 1).
    const share = (high * 2097152 + (low >>> 11)) / 9007199254740992;
    return Math.floor(share * (row + 1));
  }

  #stretchOf(place: number): Float64Array {
    const index = Math.floor(place / STRETCH);
    const known = this.#stretches[index];
    if (known !== undefined) return known;
    const made = new Float64Array(STRETCH * this.#columns);
    this.#stretches[index] = made;
    return made;
  }
}

/** The quantile of ascending values: with h = (n − 1)·share, between the values at ⌊h⌋ and ⌊h⌋ + 1 on a line. */
export function quantileOf(sorted: Float64Array, share: number): number {
  const place = (sorted.length - 1) * share;
  const below = Math.floor(place);
  const low = sorted[below] ?? 0;
  const high = sorted[below + 1] ?? low;
  return low + (high - low) * (place - below);
}

// Quantiles of a column of any length.
import { drawBelow } from "../../data/permutation.js";
import { type Key, seedKey } from "../../tensor/philox.js";

/** Values of which quantiles are exact; of more a sample of as many is kept. */
export const EXACT = 1_000_000;

/** Keeps draws apart from those of other uses of a seed: ARCHITECTURE.md, Random streams. */
const PURPOSE = 9;

/**
 * Values of which all are kept, up to a number, and a uniform sample of as many afterwards (reservoir sampling, Vitter 1985): value i, from 0,
 * takes the place of one at a draw below i + 1, if that is one of those that are kept. A function of seed, column and order.
 */
export class Sample {
  #values = new Float64Array(1024);
  /** Places of those that are where sorting would put them, so that they part the others. */
  #placed: number[] = [];
  #count = 0;
  readonly #most: number;
  readonly #key: Key;
  readonly #series: number;

  constructor(seed: number, series: number, most = EXACT) {
    this.#key = seedKey("prepare.seed", seed);
    this.#series = series;
    this.#most = most;
  }

  /** Values that were added. */
  get count(): number {
    return this.#count;
  }

  /** Whether quantiles are those of all values. */
  get isExact(): boolean {
    return this.#count <= this.#most;
  }

  add(value: number): void {
    const index = this.#count;
    this.#count += 1;
    if (this.#placed.length > 0) this.#placed = [];
    if (index < this.#most) {
      if (index >= this.#values.length) {
        const values = new Float64Array(Math.min(this.#most, 2 * this.#values.length));
        values.set(this.#values);
        this.#values = values;
      }
      this.#values[index] = value;
      return;
    }
    const place = drawBelow(index + 1, index, PURPOSE, this.#key, this.#series);
    if (place < this.#most) this.#values[place] = value;
  }

  /** The values that are held, ascending. */
  sorted(): Float64Array {
    const held = this.#values.subarray(0, Math.min(this.#count, this.#most));
    return held.slice().sort();
  }

  /** Between the two nearest of n values in order, at (n − 1)·share: linear, as NumPy's default. NaN of none. */
  quantile(share: number): number {
    const held = Math.min(this.#count, this.#most);
    if (held === 0) return Number.NaN;
    const place = (held - 1) * share;
    const below = Math.floor(place);
    const values = this.#values.subarray(0, held);
    const behind = this.#placed.find((one) => one > below) ?? held;
    if (!this.#placed.includes(below)) {
      select(values, below, (this.#placed.filter((one) => one < below).at(-1) ?? -1) + 1, behind - 1);
      this.#placed = [...this.#placed, below].sort((a, b) => a - b);
    }
    const low = values[below] ?? 0;
    let high = below + 1 < held ? (values[below + 1] ?? low) : low;
    for (let at = below + 2; at < Math.min(held, behind + 1); at++)
      if ((values[at] ?? 0) < high) high = values[at] ?? 0;
    const step = place - below;
    return step === 0 || low === high ? low : step < 0.5 ? low + (high - low) * step : high - (high - low) * (1 - step);
  }
}

/** Values of which a part is sorted rather than parted once more. */
const FEW = 64;

/**
 * Moves the values [first, last] so that the one at `place` is the one that sorting would put there, none before it is larger, and none behind it smaller (Hoare 1961). A
 * range that is parted badly again and again is sorted.
 */
function select(values: Float64Array, place: number, first: number, last: number): void {
  let [begin, end] = [first, last];
  for (let tries = 64; end - begin > FEW && tries > 0; tries--) {
    const middle = (begin + end) >>> 1;
    const pivot = medianOf(values[begin] ?? 0, values[middle] ?? 0, values[end] ?? 0);
    let [low, high] = [begin, end];
    while (low <= high) {
      while ((values[low] ?? 0) < pivot) low += 1;
      while ((values[high] ?? 0) > pivot) high -= 1;
      if (low > high) break;
      const swapped = values[low] ?? 0;
      values[low] = values[high] ?? 0;
      values[high] = swapped;
      low += 1;
      high -= 1;
    }
    if (place <= high) end = high;
    else if (place >= low) begin = low;
    else return;
  }
  values.subarray(begin, end + 1).sort();
}

function medianOf(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
}

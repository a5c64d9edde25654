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
  #count = 0;
  #sorted = false;
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
    this.#sorted = false;
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
    if (!this.#sorted) held.sort();
    this.#sorted = true;
    return held;
  }

  /** Between the two nearest of n values in order, at (n − 1)·share: linear, as NumPy's default. NaN of none. */
  quantile(share: number): number {
    const held = this.sorted();
    if (held.length === 0) return Number.NaN;
    const place = (held.length - 1) * share;
    const below = Math.floor(place);
    const [low = 0, high = low] = held.subarray(below, below + 2);
    const step = place - below;
    return step === 0 || low === high ? low : step < 0.5 ? low + (high - low) * step : high - (high - low) * (1 - step);
  }
}

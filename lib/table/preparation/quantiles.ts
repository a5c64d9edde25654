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
  /** Some of many, in order. */
  #some: Float64Array | undefined;
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

  /** Adds the values of some rows but for NaN, and says how many these were. */
  add(values: Float64Array): number {
    [this.#placed, this.#some] = [[], undefined];
    this.#reserve(values.length);
    const held = this.#values;
    const before = this.#count;
    let count = before;
    for (let row = 0; row < values.length; row++) {
      const value = values[row] ?? Number.NaN;
      if (Number.isNaN(value)) continue;
      const place = count < this.#most ? count : drawBelow(count + 1, count, PURPOSE, this.#key, this.#series);
      count += 1;
      if (place < this.#most) held[place] = value;
    }
    this.#count = count;
    return values.length - (count - before);
  }

  /** Room for so many more, as far as they are kept. */
  #reserve(more: number): void {
    const wanted = Math.min(this.#most, this.#count + more);
    if (wanted <= this.#values.length) return;
    const values = new Float64Array(Math.min(this.#most, Math.max(wanted, 2 * this.#values.length)));
    values.set(this.#values);
    this.#values = values;
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
    if (held >= MANY) this.#some ??= someOf(values);
    const near = this.#some === undefined ? undefined : around(values, below, this.#some);
    if (near !== undefined) return between(near[0], near[1], place - below);
    const behind = this.#placed.find((one) => one > below) ?? held;
    if (!this.#placed.includes(below)) {
      select(values, below, (this.#placed.filter((one) => one < below).at(-1) ?? -1) + 1, behind - 1);
      this.#placed = [...this.#placed, below].sort((a, b) => a - b);
    }
    const low = values[below] ?? 0;
    const high = below + 1 < held ? leastOf(values, below + 1, Math.min(held, behind + 1)) : low;
    return between(low, high, place - below);
  }
}

function between(low: number, high: number, step: number): number {
  return step === 0 || low === high ? low : step < 0.5 ? low + (high - low) * step : high - (high - low) * (1 - step);
}

/** Values from which on some of them tell where a quantile lies, how many do, and how far beside it those stand that it lies between. */
const MANY = 65_536;
const SOME = 8192;
const BESIDE = 200;

/** Some of many values, in order. */
function someOf(values: Float64Array): Float64Array {
  return Float64Array.from({ length: SOME }, (_, at) => values[Math.floor((at * values.length) / SOME)] ?? 0).sort();
}

/**
 * The values that sorting would put at a place and behind it, by one pass over all of them: it lies between two of `some` that stand beside it, and few others
 * do (Floyd, Rivest 1975). `undefined` where that is not so.
 */
function around(values: Float64Array, place: number, some: Float64Array): readonly [number, number] | undefined {
  const { length } = values;
  const middle = Math.round((place / length) * SOME);
  const low = some[middle - BESIDE] ?? Number.NEGATIVE_INFINITY;
  const high = some[middle + BESIDE] ?? Number.POSITIVE_INFINITY;
  const within = new Float64Array(length >>> 3);
  // Without branches, which nobody could foretell; what is too much for the memory is counted.
  let [below, count] = [0, 0];
  for (let at = 0; at < length; at++) {
    const value = values[at] ?? 0;
    const isBelow = Number(value < low);
    within[count] = value;
    below += isBelow;
    count += Number(value <= high) - isBelow;
  }
  const first = place - below;
  const isLast = place + 1 === length;
  if (count > within.length || first < 0 || first + (isLast ? 0 : 1) >= count) return undefined;
  select(within, first, 0, count - 1);
  const found = within[first] ?? 0;
  return [found, isLast ? found : leastOf(within, first + 1, count)];
}

function leastOf(values: Float64Array, begin: number, end: number): number {
  let least = values[begin] ?? 0;
  for (let at = begin + 1; at < end; at++) if ((values[at] ?? 0) < least) least = values[at] ?? 0;
  return least;
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

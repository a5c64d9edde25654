// Quantiles of columns of any length.

import { drawBelow } from "../tensor/draw_below.js";
import { type Key, seedKey } from "../tensor/philox.js";

/** Values of which quantiles are exact; of more a sample of as many is kept. */
export const EXACT = 1_000_000;

/** Keeps draws apart from those of other uses of a seed: ARCHITECTURE.md, Random streams. */
const PURPOSE = 9;

/**
 * Which values are kept: all, up to a number, and a uniform sample of as many afterwards (reservoir sampling, Vitter 1985): value i, from 0,
 * takes the place of one at a draw below i + 1, if that is one of those that are kept. A function of seed, series and order.
 */
class Places {
  #count = 0;
  readonly most: number;
  readonly #key: Key;
  readonly #series: number;

  constructor(where: string, seed: number, series: number, most: number) {
    this.#key = seedKey(where, seed);
    this.#series = series;
    this.most = most;
  }

  /** Values that there were. */
  get count(): number {
    return this.#count;
  }

  /** Those that are kept. */
  get kept(): number {
    return Math.min(this.#count, this.most);
  }

  /** The place of the next value; from `most` on it has none. */
  next(): number {
    const at = this.#count;
    this.#count += 1;
    return at < this.most ? at : drawBelow(at + 1, at, PURPOSE, this.#key, this.#series);
  }
}

/** Values whose memory is taken first, 2¹⁰; then as much as there is, so that nothing is copied while they come. */
const FIRST = 1024;
const FIRST_BITS = 10;

/** Values at their places, and their quantiles. */
class Held {
  #stretches: Float64Array[] = [];
  /** All of them side by side, of which the stretches are parts, once somebody has asked. */
  #whole: Float64Array | undefined;
  /** Places of those that are where sorting would put them, so that they part the others. */
  #placed: number[] = [];
  /** Some of many, in order. */
  #some: Float64Array | undefined;

  put(place: number, value: number): void {
    const number = 32 - Math.clz32(place >>> FIRST_BITS);
    const begin = number === 0 ? 0 : (FIRST / 2) << number;
    let stretch = this.#stretches[number];
    if (stretch === undefined) {
      stretch = new Float64Array(Math.max(begin, FIRST));
      this.#stretches[number] = stretch;
      this.#whole = undefined;
    }
    stretch[place - begin] = value;
    if (this.#placed.length > 0 || this.#some !== undefined) [this.#placed, this.#some] = [[], undefined];
  }

  /** The first `count`, ascending. */
  sorted(count: number): Float64Array {
    return this.#first(count).slice().sort();
  }

  /** Between the two nearest of the first `count` in order, at (count − 1)·share: linear, as NumPy's default. NaN of none. */
  quantile(count: number, share: number): number {
    if (count === 0) return Number.NaN;
    const place = (count - 1) * share;
    const below = Math.floor(place);
    const values = this.#first(count);
    if (count >= MANY) this.#some ??= someOf(values);
    const near = this.#some === undefined ? undefined : around(values, below, this.#some);
    if (near !== undefined) return between(near[0], near[1], place - below);
    const behind = this.#placed.find((one) => one > below) ?? count;
    if (!this.#placed.includes(below)) {
      select(values, below, (this.#placed.filter((one) => one < below).at(-1) ?? -1) + 1, behind - 1);
      this.#placed = [...this.#placed, below].sort((a, b) => a - b);
    }
    const low = values[below] ?? 0;
    const high = below + 1 < count ? leastOf(values, below + 1, Math.min(count, behind + 1)) : low;
    return between(low, high, place - below);
  }

  #first(count: number): Float64Array {
    if (this.#whole === undefined) {
      const whole = new Float64Array(this.#stretches.reduce((sum, { length }) => sum + length, 0));
      let begin = 0;
      this.#stretches = this.#stretches.map((stretch) => {
        const part = whole.subarray(begin, begin + stretch.length);
        part.set(stretch);
        begin += stretch.length;
        return part;
      });
      this.#whole = whole;
    }
    return this.#whole.subarray(0, count);
  }
}

/** The values of a column but for those that are missing, or a sample of as many as are kept. */
export class Sample {
  readonly #places: Places;
  readonly #held = new Held();

  constructor(seed: number, series: number, most = EXACT) {
    this.#places = new Places("prepare.seed", seed, series, most);
  }

  /** Values that were added. */
  get count(): number {
    return this.#places.count;
  }

  /** Whether quantiles are those of all values. */
  get isExact(): boolean {
    return this.count <= this.#places.most;
  }

  /** Adds the values of some rows but for NaN, and says how many these were. */
  add(values: Float64Array): number {
    const [before, { most }] = [this.count, this.#places];
    for (let row = 0; row < values.length; row++) {
      const value = values[row] ?? Number.NaN;
      if (Number.isNaN(value)) continue;
      const place = this.#places.next();
      if (place < most) this.#held.put(place, value);
    }
    return values.length - (this.count - before);
  }

  /** The values that are held, ascending. */
  sorted(): Float64Array {
    return this.#held.sorted(this.#places.kept);
  }

  /** At (n − 1)·share of n values in order, as NumPy's default; NaN of none. */
  quantile(share: number): number {
    return this.#held.quantile(this.#places.kept, share);
  }
}

/** The values of several columns whose rows are kept, or left out, as a whole; which ones depends on nothing but how many there are. */
export class SampledRows {
  readonly #places: Places;
  readonly #columns: readonly Held[];

  constructor(columns: number, most = EXACT) {
    this.#places = new Places("rows.seed", 0, 0, most);
    this.#columns = Array.from({ length: columns }, () => new Held());
  }

  /** Takes in the row that begins at element `offset` of `values`. */
  add(values: ArrayLike<number>, offset: number): void {
    const place = this.#places.next();
    if (place >= this.#places.most) return;
    for (let column = 0; column < this.#columns.length; column++)
      this.#columns[column]?.put(place, values[offset + column] ?? 0);
  }

  /** Those of a column, ascending. */
  sorted(column: number): Float64Array {
    return this.#columns[column]?.sorted(this.#places.kept) ?? new Float64Array();
  }

  /** Of a column, at (n − 1)·share of n values in order, as NumPy's default; NaN of none. */
  quantile(column: number, share: number): number {
    return this.#columns[column]?.quantile(this.#places.kept, share) ?? Number.NaN;
  }
}

/** The same of ascending values; NaN of none. */
export function quantileOf(sorted: ArrayLike<number>, share: number): number {
  const place = (sorted.length - 1) * share;
  const below = Math.floor(place);
  const low = sorted[below] ?? Number.NaN;
  return between(low, sorted[below + 1] ?? low, place - below);
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

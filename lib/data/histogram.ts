import { turn } from "../binding/clock.js";

/** Numbers counted by bins of equal width: bin i from low + i·(high − low)/bins on, the last one with its upper end. */
export interface Histogram {
  /** The smallest and the largest number; half a unit to either side of numbers that are all the same. */
  readonly low: number;
  readonly high: number;
  readonly sum: number;
  readonly squares: number;
  readonly counts: readonly number[];
}

/** Numbers that are looked at between two turns of the event loop. */
const SLICE = 262_144;

/** The histogram of a number or more, all finite, with turns of the event loop in between. */
export async function histogramOf(values: ArrayLike<number>, bins: number): Promise<Histogram> {
  let [low, high, sum, squares] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0];
  for (let at = 0; at < values.length; at++) {
    const value = values[at] ?? 0;
    if (value < low) low = value;
    if (value > high) high = value;
    sum += value;
    squares += value * value;
    if (at % SLICE === SLICE - 1) await turn();
  }
  if (!(low < high)) [low, high] = [low - 0.5, low + 0.5];
  const counts = new Array<number>(bins).fill(0);
  for (let at = 0; at < values.length; at++) {
    const bin = Math.min(bins - 1, Math.floor((((values[at] ?? 0) - low) / (high - low)) * bins));
    counts[bin] = (counts[bin] ?? 0) + 1;
    if (at % SLICE === SLICE - 1) await turn();
  }
  return { low, high, sum, squares, counts };
}

/** Where bin `at` of a histogram begins, and the one before it ends. */
export function edgeOf({ low, high, counts }: Histogram, at: number): number {
  return low + ((high - low) * at) / counts.length;
}

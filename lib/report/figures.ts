// Figures as a report has them: numbers that people read, curves of few points, histograms, some of many rows.
import { turn } from "../binding/clock.js";
import { permutation } from "../data/permutation.js";
import { seedKey } from "../tensor/philox.js";
import type { Histogram, Points } from "./facts.js";

/** Keeps these draws apart from others of one seed (ARCHITECTURE.md, Random streams). */
const PURPOSE = 15;

/** Points of a curve, and bins of a histogram. */
const CURVE = 120;
const BINS = 24;

/** So many rows, at random, in their order. */
export function someRows(rows: Uint32Array, most: number, seed: number): Uint32Array {
  if (rows.length <= most) return rows;
  const order = permutation(rows.length, PURPOSE, seedKey("report.seed", seed));
  return Uint32Array.from(order.subarray(0, most), (place) => rows[place] ?? 0).sort();
}

/** Not more than so many points of a curve, the first and the last among them. */
export function thinned(x: ArrayLike<number>, y: ArrayLike<number>): Points {
  const count = Math.min(x.length, CURVE);
  return Array.from({ length: count }, (_, at) => {
    const place = count < 2 ? 0 : Math.round((at * (x.length - 1)) / (count - 1));
    return [round(x[place] ?? 0), round(y[place] ?? 0)] as const;
  });
}

/** A number with six digits: the JSON is read by people, too. */
export function round(value: number): number {
  return Number.isFinite(value) ? Number(value.toPrecision(6)) : value;
}

/** Values that are looked at between two turns of the event loop. */
const SLICE = 262_144;

/** Numbers by bins of equal width, with turns of the event loop in between. */
export async function histogramOf(values: Float64Array, bins = BINS): Promise<Histogram> {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let at = 0; at < values.length; at++) {
    const value = values[at] ?? 0;
    low = Math.min(low, value);
    high = Math.max(high, value);
    if (at % SLICE === SLICE - 1) await turn();
  }
  if (!(low < high)) [low, high] = [low - 0.5, low + 0.5];
  const counts = new Array<number>(bins).fill(0);
  for (let at = 0; at < values.length; at++) {
    const bin = Math.min(bins - 1, Math.floor((((values[at] ?? 0) - low) / (high - low)) * bins));
    counts[bin] = (counts[bin] ?? 0) + 1;
    if (at % SLICE === SLICE - 1) await turn();
  }
  return { edges: Array.from({ length: bins + 1 }, (_, at) => round(low + ((high - low) * at) / bins)), counts };
}

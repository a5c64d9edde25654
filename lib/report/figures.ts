// Figures as a report has them: numbers that people read, curves of few points, histograms, some of many rows.
import { histogramOf as counted, edgeOf } from "../data/histogram.js";
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

/** Numbers by bins of equal width, with turns of the event loop in between. */
export async function histogramOf(values: Float64Array, bins = BINS): Promise<Histogram> {
  const found = await counted(values, bins);
  return { edges: Array.from({ length: bins + 1 }, (_, at) => round(edgeOf(found, at))), counts: found.counts };
}

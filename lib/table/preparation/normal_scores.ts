// Numbers as quantiles of the standard normal distribution.
import { normalQuantile } from "../../tensor/exact.js";
import { type Key, philox, seedKey } from "../../tensor/philox.js";

/** Quantiles of a column at most, and at least. */
const MOST = 1000;
const LEAST = 10;

/** Rows a quantile. */
const ROWS = 30;

/** Noise before quantiles are taken: this over the deviation of the column, or 1 where that is less than this. */
const NOISE = 1e-3;

/** Purpose of the draws of noise, as ARCHITECTURE.md numbers them. */
const PURPOSE = 16;
const TWO_53 = 9007199254740992;

/** What is nearer to an end counts as the end; also the least probability that has a score, less one ulp of 1. */
const NEAR = 1e-7;
const FARTHEST = -normalQuantile(NEAR - Number.EPSILON);

/** A standard normal number of value `index` of a column. */
function noiseOf(index: number, series: number, key: Key): number {
  const [a = 0, b = 0] = philox([index, 0, series, PURPOSE], key);
  return normalQuantile((a * 2097152 + (b >>> 11) + 0.5) / TWO_53);
}

/**
 * Quantiles of ascending values at even shares, as many as a thirtieth of the values, 10 to 1,000: after noise, which parts equal values, so that
 * quantiles rise. A function of values, deviation, seed and column. Constant columns have none.
 */
export function fitNormalScores(
  sorted: Float64Array,
  deviation: number,
  seed: number,
  series: number,
): readonly number[] {
  const [least = 0, most = least] = [sorted[0], sorted.at(-1)];
  if (least === most) return [];
  const key = seedKey("prepare.seed", seed);
  const spread = NOISE / Math.max(deviation, NOISE);
  const noisy = sorted.map((value, index) => value + spread * noiseOf(index, series, key)).sort();
  const count = Math.max(Math.min(Math.floor(sorted.length / ROWS), MOST), LEAST);
  return Array.from({ length: count }, (_, at) => {
    const place = ((noisy.length - 1) * at) / (count - 1);
    const below = Math.floor(place);
    const [low = 0, high = low] = noisy.subarray(below, below + 2);
    return low + (high - low) * (place - below);
  });
}

/** The first of ascending values that is above `value`, or where `equal` says so not below it. */
function firstAbove(values: readonly number[], value: number, equal: boolean): number {
  let [from, to] = [0, values.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    const one = values[middle] ?? 0;
    if (one > value || (equal && one === value)) to = middle;
    else from = middle + 1;
  }
  return from;
}

/** The share of `value` between the quantiles before `next` and there. */
function shareAt(quantiles: readonly number[], next: number, value: number): number {
  const last = quantiles.length - 1;
  const [low = 0, high = low] = [quantiles[next - 1], quantiles[next]];
  if (next <= 0) return 0;
  if (next > last) return 1;
  return (next - 1 + (value - low) / (high - low)) / last;
}

/**
 * Φ⁻¹ of the share of training values below `value`, between two quantiles on a line, in the middle of several that are equal; within ±5.2, 0 without
 * quantiles. scikit-learn's `QuantileTransformer`, fitted with noise as in TabR and TabM (pytabkit's `quantile_tabr`).
 */
export function normalScore(quantiles: readonly number[], value: number): number {
  const [least, most] = [quantiles[0], quantiles.at(-1)];
  if (least === undefined || most === undefined) return 0;
  if (value - NEAR < least) return -FARTHEST;
  if (value + NEAR > most) return FARTHEST;
  const [below, above] = [firstAbove(quantiles, value, true), firstAbove(quantiles, value, false)];
  const share = 0.5 * (shareAt(quantiles, below, value) + shareAt(quantiles, above, value));
  return Math.min(Math.max(normalQuantile(share), -FARTHEST), FARTHEST);
}

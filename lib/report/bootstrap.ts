import { turn } from "../binding/clock.js";
import { quantileOf } from "../data/quantiles.js";
import { fail } from "../errors.js";
import { checkFunction, checkKeys, checkNumber } from "../options.js";
import { type Key, philox, seedKey } from "../tensor/philox.js";

/** Keeps these draws apart from others of one seed (ARCHITECTURE.md, Random streams). */
const PURPOSE = 12;

const TWO_32 = 4294967296;

/** Words of one Philox block. */
const BLOCK = 4;

/** Rows that are drawn between two turns of the event loop. */
const SLICE = 16_384;

/** Options of {@link bootstrap}. */
export interface BootstrapOptions {
  /** How often rows are drawn anew, 1000 by default. */
  readonly repeats?: number | undefined;
  /** Share of the scores that lie in the interval, 0.95 by default. */
  readonly level?: number | undefined;
  readonly seed?: number | undefined;
}

/** A score and how far chance moves it. */
export interface Interval {
  /** The score of all rows. */
  readonly value: number;
  readonly low: number;
  readonly high: number;
  /** Standard deviation of the scores of the repeats. */
  readonly error: number;
}

/** Rows that one repeat draws, with replacement, into `into`: word w of block b is row ⌊word·rows/2³²⌋ of place 4b + w. */
export function drawRows(into: Uint32Array, repeat: number, key: Key): void {
  const rows = into.length;
  for (let place = 0; place < rows; place += BLOCK) {
    const words = philox([place / BLOCK, repeat, 0, PURPOSE], key);
    for (let word = 0; word < BLOCK && place + word < rows; word++)
      into[place + word] = Math.floor(((words[word] ?? 0) * rows) / TWO_32);
  }
}

/** Mean and standard deviation (n − 1). */
export function spreadOf(values: ArrayLike<number>): { readonly mean: number; readonly deviation: number } {
  let mean = 0;
  let squares = 0;
  for (let at = 0; at < values.length; at++) {
    const apart = (values[at] ?? 0) - mean;
    mean += apart / (at + 1);
    squares += apart * ((values[at] ?? 0) - mean);
  }
  return { mean, deviation: values.length < 2 ? 0 : Math.sqrt(squares / (values.length - 1)) };
}

/**
 * The interval in which a score would lie with other rows of the same kind: `score` is asked for the numbers of rows that are drawn with replacement, again and again, and
 * the interval is that between the quantiles of what it says (Efron 1979). A score that is NaN, such as that of a draw without class 1, is left out. The same seed draws the same rows on every machine.
 * `ERR_DATA` where no draw has a score.
 *
 * @param rows How many rows there are.
 * @example
 * const { value, low, high } = await bootstrap(errors.length, (rows) => rows.reduce((sum, row) => sum + errors[row], 0) / rows.length);
 */
export async function bootstrap(
  rows: number,
  score: (rows: Uint32Array) => number,
  options: BootstrapOptions = {},
): Promise<Interval> {
  checkNumber("bootstrap.rows", rows, { min: 1, max: TWO_32 - 1, integer: true });
  checkFunction("bootstrap.score", score);
  checkKeys("bootstrap", options, ["repeats", "level", "seed"]);
  const repeats = checkNumber("bootstrap.repeats", options.repeats ?? 1000, { min: 2, max: 1_000_000, integer: true });
  const level = checkNumber("bootstrap.level", options.level ?? 0.95, { above: 0, below: 1 });
  const key = seedKey("bootstrap.seed", options.seed ?? 0);
  const drawn = Uint32Array.from({ length: rows }, (_, row) => row);
  const value = score(drawn);
  const found: number[] = [];
  for (let repeat = 0; repeat < repeats; repeat++) {
    drawRows(drawn, repeat, key);
    const one = score(drawn);
    if (!Number.isNaN(one)) found.push(one);
    if (Math.floor((repeat * rows) / SLICE) !== Math.floor(((repeat + 1) * rows) / SLICE)) await turn();
  }
  if (found.length === 0) fail("ERR_DATA", "bootstrap.score", "a number of some rows that are drawn", Number.NaN);
  const sorted = Float64Array.from(found).sort();
  const outside = (1 - level) / 2;
  return {
    value,
    low: quantileOf(sorted, outside),
    high: quantileOf(sorted, 1 - outside),
    error: spreadOf(sorted).deviation,
  };
}

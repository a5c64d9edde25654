import { CarillonError, describe } from "../errors.js";
import { checkBoolean, checkKeys, checkNumber } from "../options.js";
import { seedKey } from "../tensor/philox.js";
import type { Examples, Features, Labels, Targets } from "./dataset.js";
import { groupsOf } from "./labels.js";
import { permutation } from "./permutation.js";
import { type Part, partOf, rowsOf } from "./select.js";

/** Options of {@link split}. */
export interface SplitOptions {
  /** Examples to hold out: a fraction in (0, 1), rounded to the nearest count, or a count ≥ 1. */
  readonly validation: number;
  /** Gives every class its share of the validation set; needs one label a row. */
  readonly stratify?: boolean | undefined;
  /** An integer in [0, 2⁵³), 0 by default. */
  readonly seed?: number | undefined;
}

/** Purpose word of the random draws of a split. */
const SPLIT_PURPOSE = 5;

/**
 * Divides examples at random into a training and a validation set, the same on every machine for one seed.
 *
 * Both keep the order of the rows and the types of x and y (u8 stays u8); the data is copied. With `stratify`
 * every class gets its share of the validation set, by largest remainder, and keeps at least one row for training.
 * The rows of flat arrays are told by whichever of x, y and weight has rows of its own, otherwise y has one value a row.
 *
 * Errors: options (`ERR_OPTION`, `ERR_UNKNOWN_OPTION`), x, y and weight of different lengths (`ERR_DATA`), `stratify`
 * without one label a row (`ERR_LABEL`).
 */
export function split<X extends Features, Y extends Labels | Targets>(
  data: Examples<X, Y>,
  options: SplitOptions,
): { readonly train: Part<X, Y>; readonly validation: Part<X, Y> } {
  checkKeys("split", options, ["validation", "stratify", "seed"]);
  const rows = rowsOf("split", data);
  const count = validationCount(options.validation, rows);
  const key = seedKey("split.seed", options.seed ?? 0);
  const stratify = checkBoolean("split.stratify", options.stratify ?? false);
  const order = permutation(rows, SPLIT_PURPOSE, key);
  const chosen = stratify
    ? stratified(order, groupsOf("split.stratify", data.y, rows), count)
    : order.subarray(0, count);
  const held = new Set(chosen);
  const part = (isIn: (row: number) => boolean): Part<X, Y> => partOf("split", data, rows, order.filter(isIn).sort());
  return { train: part((row) => !held.has(row)), validation: part((row) => held.has(row)) };
}

function validationCount(validation: number, rows: number): number {
  checkNumber("split.validation", validation, { above: 0, below: rows });
  if (validation >= 1) return checkNumber("split.validation", validation, { integer: true });
  return Math.min(Math.max(Math.round(validation * rows), 1), rows - 1);
}

/** The first rows of every class in `order`, `count` in all. */
function stratified(order: Uint32Array, labels: readonly number[], count: number): number[] {
  const left = shares(labels, count);
  const chosen: number[] = [];
  for (const row of order) {
    const label = labels[row] ?? 0;
    const more = left.get(label) ?? 0;
    if (more === 0) continue;
    left.set(label, more - 1);
    chosen.push(row);
  }
  return chosen;
}

/**
 * How many of `count` examples each class gives: its quota (its size · count / rows) rounded down, the rest one by
 * one to the largest remainders, smaller labels first among equals, never the last example of a class.
 */
function shares(labels: readonly number[], count: number): Map<number, number> {
  const sizes = new Map<number, number>();
  for (const label of labels) sizes.set(label, (sizes.get(label) ?? 0) + 1);
  if (count > labels.length - sizes.size) {
    throw new CarillonError(
      "ERR_OPTION",
      "split.validation",
      `expected at most ${labels.length - sizes.size} examples for 'split.validation', as each of ${sizes.size} ` +
        `classes keeps one for training, but received ${describe(count)}`,
    );
  }
  const taken = new Map<number, number>();
  for (const [label, size] of sizes) taken.set(label, Math.floor((size * count) / labels.length));
  // The remainders as integers, so that equal ones are equal.
  const classes = [...sizes].map(([label, size]) => ({ label, size, remainder: (size * count) % labels.length }));
  classes.sort((a, b) => b.remainder - a.remainder || a.label - b.label);
  let rest = count - [...taken.values()].reduce((sum, one) => sum + one, 0);
  while (rest > 0) {
    for (const { label, size } of classes) {
      const some = taken.get(label) ?? 0;
      if (rest === 0 || some >= size - 1) continue;
      taken.set(label, some + 1);
      rest -= 1;
    }
  }
  return taken;
}

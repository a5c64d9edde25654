import { CarillonError } from "../errors.js";
import { checkBoolean, checkKeys, checkNumber } from "../options.js";
import { seedKey } from "../tensor/philox.js";
import type { Examples, Features, Labels, Targets } from "./dataset.js";
import { groupsOf } from "./labels.js";
import { permutation } from "./permutation.js";
import { type Part, partOf, rowsOf } from "./select.js";

/** Options of {@link kFold}. */
export interface KFoldOptions {
  /** Gives every fold its share of each class; needs one label a row. */
  readonly stratify?: boolean | undefined;
  /** An integer in [0, 2⁵³), 0 by default. */
  readonly seed?: number | undefined;
}

/** One of k divisions. */
export interface Fold<X, Y> {
  /** From 1. */
  readonly fold: number;
  readonly train: Part<X, Y>;
  readonly validation: Part<X, Y>;
}

/** Purpose word of the random draws of folds. */
const FOLD_PURPOSE = 8;

/**
 * Divides examples at random into k folds for cross-validation, the same on every machine for one seed: each row is in the
 * validation set of one fold and in the training set of the others. Sizes of folds differ by one at most; with `stratify`
 * so do the numbers of each class in them.
 *
 * A fold is copied when its turn comes, so that one is in memory at a time; `[...kFold(data, 5)]` has them all. Rows keep
 * their order and the types of x and y, as with {@link split}.
 *
 * Errors: k not an integer from 2 to the number of rows, options (`ERR_OPTION`, `ERR_UNKNOWN_OPTION`), members of different
 * lengths (`ERR_DATA`), `stratify` without one label a row (`ERR_LABEL`) or with fewer than k rows of every class
 * (`ERR_OPTION`).
 *
 * @example
 * for (const { fold, train, validation } of kFold({ x, y }, 5, { stratify: true, seed: 1 })) {
 *   const { history } = await fit(network(), { data: train, validation, ...options });
 *   console.log(fold, history.at(-1)?.validation.loss);
 * }
 */
export function kFold<X extends Features, Y extends Labels | Targets>(
  data: Examples<X, Y>,
  k: number,
  options: KFoldOptions = {},
): Iterable<Fold<X, Y>> {
  checkKeys("kFold", options, ["stratify", "seed"]);
  const rows = rowsOf("kFold", data);
  checkNumber("kFold.k", k, { min: 2, max: rows, integer: true });
  const key = seedKey("kFold.seed", options.seed ?? 0);
  const stratify = checkBoolean("kFold.stratify", options.stratify ?? false);
  const order = permutation(rows, FOLD_PURPOSE, key);
  const dealt = stratify ? byClass(order, groupsOf("kFold.stratify", data.y, rows), k) : order;
  const foldOf = new Uint32Array(rows);
  for (const [place, row] of dealt.entries()) foldOf[row] = place % k;
  const rowsWhere = (isIn: (fold: number) => boolean): Uint32Array =>
    Uint32Array.from(foldOf.keys()).filter((row) => isIn(foldOf[row] ?? 0));
  // Members of other lengths are refused now, not when the first fold is asked for.
  partOf("kFold", data, rows, Uint32Array.of(0));
  return {
    *[Symbol.iterator](): Iterator<Fold<X, Y>> {
      for (let fold = 0; fold < k; fold++) {
        const train = partOf(
          "kFold",
          data,
          rows,
          rowsWhere((one) => one !== fold),
        );
        const validation = partOf(
          "kFold",
          data,
          rows,
          rowsWhere((one) => one === fold),
        );
        yield { fold: fold + 1, train, validation };
      }
    },
  };
}

/** Rows class after class, in the order of `order` within each: dealt out one by one, every fold gets its share. */
function byClass(order: Uint32Array, labels: readonly number[], k: number): readonly number[] {
  const classes = new Map<number, number[]>();
  for (const row of order) {
    const label = labels[row] ?? 0;
    const members = classes.get(label) ?? [];
    members.push(row);
    classes.set(label, members);
  }
  const largest = Math.max(...[...classes.values()].map(({ length }) => length));
  if (largest < k) {
    throw new CarillonError(
      "ERR_OPTION",
      "kFold.stratify",
      `expected a class of at least ${k} examples for 'kFold.stratify' but the largest has ${largest}`,
    );
  }
  return [...classes].sort(([a], [b]) => a - b).flatMap(([, members]) => members);
}

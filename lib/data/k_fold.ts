import { CarillonError } from "../errors.js";
import { checkKeys, checkNumber } from "../options.js";
import type { AnyExamples, Examples, Inputs, Outputs } from "./dataset.js";
import {
  type AnyDivision,
  checkDivision,
  DIVISION_KEYS,
  type Division,
  type DivisionOptions,
  rowsIn,
} from "./division.js";
import { dealtByLabels } from "./iterative.js";
import { type Groups, numberedGroups, strataOf } from "./keys.js";
import { permutation } from "./permutation.js";
import { type Divisible, divisible, type Part } from "./select.js";

/** Options of {@link kFold}. */
export interface KFoldOptions<Row = never> extends DivisionOptions<Row> {}

/** One of k divisions into parts of type P. */
export interface FoldOf<P> {
  /** From 1. */
  readonly fold: number;
  readonly train: P;
  readonly validation: P;
  /** Numbers of their rows, from 0. */
  readonly rows: { readonly train: Uint32Array; readonly validation: Uint32Array };
}

/** One of k divisions of { x, y }. */
export interface Fold<X, Y> extends FoldOf<Part<X, Y>> {}

/** Purpose word of the random draws of folds. */
const PURPOSE = 8;

/**
 * Divides examples at random into k folds for cross-validation, the same on every machine for one seed: each row is in the
 * validation set of one fold and in the training set of the others. `data` is { x, y, weight? } or a list of rows of any kind.
 *
 * Sizes of folds differ by one at most; with `stratify` so do the numbers of each class in them (of several labels a row, each
 * gets about its share). With `groups` whole groups go to folds, the largest first, each to the smallest fold (scikit-learn's
 * `GroupKFold`). With `order: 'time'` fold i is trained on the rows before its validation rows: k stretches of ⌊n/(k + 1)⌋ rows at the
 * end, in order (scikit-learn's `TimeSeriesSplit`).
 *
 * A fold is made when its turn comes, so that one is in memory at a time; `[...kFold(data, 5)]` has them all. Typed arrays
 * are copied; rows that are arrays or objects of their own are those of the caller. Rows keep their order and the types of x
 * and y, as with {@link split}, which says how many rows there are; `rows` gives their numbers.
 *
 * Errors: k not an integer from 2 to the number of rows, options (`ERR_OPTION`, `ERR_UNKNOWN_OPTION`), members of different
 * lengths (`ERR_DATA`), `stratify` without labels (`ERR_LABEL`) or with fewer than k rows of every class, fewer than k
 * groups (`ERR_OPTION`).
 *
 * @example
 * for (const { fold, train, validation } of kFold({ x, y }, 5, { stratify: true, seed: 1 })) {
 *   const { history } = await fit(network(), { data: train, validation, ...options });
 *   console.log(fold, history.at(-1)?.validation.loss);
 * }
 */
export function kFold<Row>(data: readonly Row[], k: number, options?: KFoldOptions<Row>): Iterable<FoldOf<Row[]>>;
export function kFold<X extends Inputs, Y extends Outputs>(
  data: Examples<X, Y>,
  k: number,
  options?: KFoldOptions,
): Iterable<Fold<X, Y>>;
export function kFold(
  data: readonly unknown[] | AnyExamples,
  k: number,
  options: AnyDivision = {},
): Iterable<FoldOf<unknown>> {
  checkKeys("kFold", options, DIVISION_KEYS);
  const set = divisible("kFold", data, options.rows);
  const division = checkDivision("kFold", options);
  checkNumber("kFold.k", k, { min: 2, max: division.by === "time" ? set.rows - 1 : set.rows, integer: true });
  // Of rows in the order of time the first stretch, 0, is never held out.
  const { foldOf, first } = foldsOf(set, k, options, division);
  const isTrained = (one: number, fold: number): boolean => (division.by === "time" ? one < fold : one !== fold);
  return {
    *[Symbol.iterator](): Iterator<FoldOf<unknown>> {
      for (let fold = first; fold < first + k; fold++) {
        const train = rowsIn(foldOf, (one) => isTrained(one, fold));
        const validation = rowsIn(foldOf, (one) => one === fold);
        const parts = { train: set.take(train), validation: set.take(validation) };
        yield { fold: fold - first + 1, ...parts, rows: { train, validation } };
      }
    },
  };
}

/** The fold in which each row is held out, and the number of the first fold. */
function foldsOf(
  set: Divisible,
  k: number,
  options: AnyDivision,
  { by, key }: Division,
): { readonly foldOf: Uint32Array; readonly first: number } {
  const { rows } = set;
  if (by === "time") return { foldOf: stretches(rows, k), first: 1 };
  if (by === "groups") {
    const groups = numberedGroups("kFold.groups", options.groups, set);
    return { foldOf: dealtGroups(groups, permutation(groups.sizes.length, PURPOSE, key), k), first: 0 };
  }
  const order = permutation(rows, PURPOSE, key);
  const strata = by === "classes" ? strataOf("kFold.stratify", options.stratify, set) : undefined;
  if (strata !== undefined && "has" in strata) {
    const sizes = Array.from({ length: k }, (_, fold) => Math.floor(rows / k) + (fold < rows % k ? 1 : 0));
    return { foldOf: dealtByLabels(strata, order, sizes), first: 0 };
  }
  const dealt = strata === undefined ? order : byClass(order, strata, k);
  const foldOf = new Uint32Array(rows);
  for (const [place, row] of dealt.entries()) foldOf[row] = place % k;
  return { foldOf, first: 0 };
}

/** Stretches 1 … k of ⌊rows/(k + 1)⌋ rows at the end, behind the rest as stretch 0. */
function stretches(rows: number, k: number): Uint32Array {
  const size = Math.floor(rows / (k + 1));
  return Uint32Array.from({ length: rows }, (_, row) => Math.max(0, k - Math.floor((rows - 1 - row) / size)));
}

/** Rows class after class, in the order of `order` within each: dealt out one by one, every fold gets its share. */
function byClass(order: Uint32Array, labels: readonly number[], k: number): readonly number[] {
  const classes = new Map<number, number[]>();
  for (const row of order) {
    const label = labels[row] ?? 0;
    const members = classes.get(label);
    if (members === undefined) classes.set(label, [row]);
    else members.push(row);
  }
  let largest = 0;
  for (const { length } of classes.values()) largest = Math.max(largest, length);
  if (largest < k) {
    throw new CarillonError(
      "ERR_OPTION",
      "kFold.stratify",
      `expected a class of at least ${k} examples for 'kFold.stratify' but the largest has ${largest}`,
    );
  }
  return [...classes].sort(([a], [b]) => a - b).flatMap(([, members]) => members);
}

/** Whole groups, the largest first, equals in `order`, each to the fold with the fewest rows. */
function dealtGroups({ of, sizes }: Groups, order: Uint32Array, k: number): Uint32Array {
  if (sizes.length < k) {
    const received = `${sizes.length} of them`;
    throw new CarillonError(
      "ERR_OPTION",
      "kFold.groups",
      `expected ${k} groups for 'kFold.groups' but received ${received}`,
    );
  }
  const foldOf = new Uint32Array(sizes.length);
  const rows = new Float64Array(k);
  const bySize = Array.from(order).sort((a, b) => (sizes[b] ?? 0) - (sizes[a] ?? 0));
  for (const group of bySize) {
    const fold = rows.reduce((best, count, one) => (count < (rows[best] ?? 0) ? one : best), 0);
    foldOf[group] = fold;
    rows[fold] = (rows[fold] ?? 0) + (sizes[group] ?? 0);
  }
  return of.map((group) => foldOf[group] ?? 0);
}

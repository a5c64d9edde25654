import { CarillonError, describe } from "../errors.js";
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

/** Options of {@link split}. */
export interface SplitOptions<Row = never> extends DivisionOptions<Row> {
  /** Examples to hold out: a fraction in (0, 1), rounded to the nearest count, or a count ≥ 1. */
  readonly validation: number;
  /** Examples to hold out for the end, given in the same way; then there are three parts. */
  readonly test?: number | undefined;
}

/** Two parts, and the numbers of their rows. */
export interface Split<P> {
  readonly train: P;
  readonly validation: P;
  readonly rows: { readonly train: Uint32Array; readonly validation: Uint32Array };
}

/** Three parts, and the numbers of their rows. */
export interface ThreeWaySplit<P> {
  readonly train: P;
  readonly validation: P;
  readonly test: P;
  readonly rows: { readonly train: Uint32Array; readonly validation: Uint32Array; readonly test: Uint32Array };
}

/** Purpose word of the random draws of a split. */
const PURPOSE = 5;

/** Numbers of the parts. */
const VALIDATION = 1;
const TEST = 2;

type Three = { readonly test: number };

/**
 * Divides examples at random into a training and a validation set, and with `test` a third one, the same on every machine
 * for one seed. `data` is { x, y, weight? } or a list of rows of any kind.
 *
 * The parts keep the order of the rows and the types of x and y (u8 stays u8). Typed arrays are copied; rows that are arrays or
 * objects of their own are those of the caller. With `stratify` every class gets its share of what is held out, by largest
 * remainder, and keeps at least one row for training; of several labels a row, each gets about its share. With `groups` whole groups are
 * held out, as near to the count as they allow. With `order: 'time'` the last rows are: training, validation, test.
 *
 * How many rows there are is told by whichever of x and y has rows of its own; where all are flat by `rows`, the weights, or y
 * with one value a row.
 *
 * Errors: options (`ERR_OPTION`, `ERR_UNKNOWN_OPTION`), x, y and weight of different lengths (`ERR_DATA`), `stratify`
 * without labels (`ERR_LABEL`).
 *
 * @example
 * const { train, validation, test } = split({ x, y }, { validation: 0.2, test: 0.2, stratify: true, seed: 1 });
 * const parts = split(visits, { validation: 0.25, groups: ({ patient }) => patient });
 */
export function split<Row>(data: readonly Row[], options: SplitOptions<Row> & Three): ThreeWaySplit<Row[]>;
export function split<Row>(data: readonly Row[], options: SplitOptions<Row>): Split<Row[]>;
export function split<X extends Inputs, Y extends Outputs>(
  data: Examples<X, Y>,
  options: SplitOptions & Three,
): ThreeWaySplit<Part<X, Y>>;
export function split<X extends Inputs, Y extends Outputs>(
  data: Examples<X, Y>,
  options: SplitOptions,
): Split<Part<X, Y>>;
export function split(
  data: readonly unknown[] | AnyExamples,
  options: AnyDivision & Pick<SplitOptions, "validation" | "test">,
): Split<unknown> | ThreeWaySplit<unknown> {
  checkKeys("split", options, ["validation", "test", ...DIVISION_KEYS]);
  const set = divisible("split", data, options.rows);
  const validation = countOf("split.validation", options.validation, set.rows);
  const test = options.test === undefined ? 0 : countOf("split.test", options.test, set.rows - validation, set.rows);
  const part = partsOf(set, options, checkDivision("split", options), [validation, test]);
  const rows = {
    train: rowsIn(part, (one) => one === 0),
    validation: rowsIn(part, (one) => one === VALIDATION),
  };
  const two = { train: set.take(rows.train), validation: set.take(rows.validation), rows };
  if (options.test === undefined) return two;
  const last = rowsIn(part, (one) => one === TEST);
  return { ...two, test: set.take(last), rows: { ...rows, test: last } };
}

/** A count or a fraction of `rows`, below `room`, as a count. */
function countOf(where: string, given: number, room: number, rows = room): number {
  checkNumber(where, given, { above: 0 });
  checkNumber(where, given, { above: 0, below: given < 1 ? 1 : room });
  const count = given < 1 ? Math.max(Math.round(given * rows), 1) : checkNumber(where, given, { integer: true });
  if (rows === room) return Math.min(count, rows - 1);
  return checkNumber(where, count, { min: 1, below: room, integer: true });
}

/** The part of each row: 0 for training, 1 and 2 for what is held out. */
function partsOf(
  set: Divisible,
  options: AnyDivision,
  { by, key }: Division,
  counts: readonly [number, number],
): Uint32Array {
  const { rows } = set;
  const part = new Uint32Array(rows);
  const [validation, test] = counts;
  if (by === "time") return part.fill(VALIDATION, rows - validation - test).fill(TEST, rows - test);
  if (by === "groups") {
    const groups = numberedGroups("split.groups", options.groups, set);
    return holdOutGroups(groups, permutation(groups.sizes.length, PURPOSE, key), counts);
  }
  const order = permutation(rows, PURPOSE, key);
  const strata = by === "classes" ? strataOf("split.stratify", options.stratify, set) : undefined;
  if (strata !== undefined && "has" in strata) {
    return dealtByLabels(strata, order, [rows - validation - test, validation, test]);
  }
  let left = order;
  for (const [index, count] of counts.entries()) {
    const chosen =
      strata === undefined
        ? left.subarray(0, count)
        : stratified(index === 0 ? "split.validation" : "split.test", left, strata, count);
    for (const row of chosen) part[row] = index + 1;
    left = left.filter((row) => part[row] === 0);
  }
  return part;
}

/** The first rows of every class in `order`, `count` in all. */
function stratified(where: string, order: Uint32Array, labels: readonly number[], count: number): number[] {
  if (count === 0) return [];
  const left = shares(where, order, labels, count);
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
function shares(where: string, order: Uint32Array, labels: readonly number[], count: number): Map<number, number> {
  const rows = order.length;
  const sizes = new Map<number, number>();
  for (const row of order) sizes.set(labels[row] ?? 0, (sizes.get(labels[row] ?? 0) ?? 0) + 1);
  if (count > rows - sizes.size) {
    throw new CarillonError(
      "ERR_OPTION",
      where,
      `expected at most ${rows - sizes.size} examples for '${where}', as each of ${sizes.size} ` +
        `classes keeps one for training, but received ${describe(count)}`,
    );
  }
  const taken = new Map<number, number>();
  for (const [label, size] of sizes) taken.set(label, Math.floor((size * count) / rows));
  // The remainders as integers, so that equal ones are equal.
  const classes = [...sizes].map(([label, size]) => ({ label, size, remainder: (size * count) % rows }));
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

/**
 * Whole groups, in `order`: each joins the part if that brings the number of its rows nearer to the count; if none does, the one
 * whose size is nearest. Every part has a group.
 */
function holdOutGroups({ of, sizes }: Groups, order: Uint32Array, counts: readonly number[]): Uint32Array {
  const wanted = counts.filter((count) => count > 0);
  if (sizes.length <= wanted.length) {
    const expected = `at least ${wanted.length + 1} groups for 'split.groups'`;
    throw new CarillonError("ERR_OPTION", "split.groups", `expected ${expected} but received ${sizes.length}`);
  }
  const partOf = new Uint32Array(sizes.length);
  let free = sizes.length;
  for (const [index, count] of wanted.entries()) {
    let held = 0;
    const take = (group: number): void => {
      partOf[group] = index + 1;
      held += sizes[group] ?? 0;
      free -= 1;
    };
    const offBy = (more: number): number => Math.abs(held + more - count);
    for (const group of order) {
      const others = wanted.length - index; // that have to get a group as well
      if (partOf[group] === 0 && free > others && offBy(sizes[group] ?? 0) < offBy(0)) take(group);
    }
    if (held > 0) continue;
    const left = Array.from(order).filter((group) => partOf[group] === 0);
    take(
      left.reduce((best, group) => (offBy(sizes[group] ?? 0) < offBy(sizes[best] ?? 0) ? group : best), left[0] ?? 0),
    );
  }
  return of.map((group) => partOf[group] ?? 0);
}

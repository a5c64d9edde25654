// Which rows each member is trained on, and by which its best epoch is chosen.
import { kFold } from "../data/k_fold.js";
import { split } from "../data/split.js";
import { CarillonError } from "../errors.js";
import { checkNumber } from "../options.js";
import type { TabularRows } from "./options.js";

/** Rows of a member, by their numbers. */
export interface MemberRows {
  readonly train: Uint32Array;
  readonly validation: Uint32Array;
}

/** Share of rows that a single member does not see. */
const HELD_OUT = 0.2;

/** Rows that `rows` names, checked: all of them, or two parts. */
export interface ChosenRows {
  readonly all: Uint32Array;
  readonly parts: MemberRows | undefined;
}

function checkRows(where: string, given: ArrayLike<number>, rows: number): Uint32Array {
  return Uint32Array.from(given, (row, at) =>
    checkNumber(`${where}[${at}]`, row, { min: 0, max: rows - 1, integer: true }),
  );
}

export function chosenRows(given: ArrayLike<number> | TabularRows | undefined, rows: number): ChosenRows {
  if (given === undefined) return { all: Uint32Array.from({ length: rows }, (_, row) => row), parts: undefined };
  if ("length" in given) return { all: checkRows("fit.rows", given, rows), parts: undefined };
  const train = checkRows("fit.rows.train", given.train, rows);
  const validation = checkRows("fit.rows.validation", given.validation, rows);
  return { all: Uint32Array.of(...train, ...validation), parts: { train, validation } };
}

/**
 * Rows of the members: of one a fifth held out at random, as pytabkit has it; of several each without one of as many parts, of which each has its share of each
 * class. `labels` are the classes of `rows`, in their order.
 */
export function divide(
  rows: Uint32Array,
  labels: Int32Array | undefined,
  folds: number,
  seed: number,
): readonly MemberRows[] {
  if (rows.length < 2 * Math.max(2, folds)) {
    const expected = `expected ${2 * Math.max(2, folds)} rows or more for 'fit', as ${folds === 1 ? "a part" : `each of ${folds} parts`} is held out, but received ${rows.length}`;
    throw new CarillonError("ERR_DATA", "fit", expected);
  }
  const list = Array.from(rows);
  if (folds === 1) {
    const { train, validation } = split(list, { validation: Math.max(1, Math.floor(rows.length * HELD_OUT)), seed });
    return [{ train: Uint32Array.from(train), validation: Uint32Array.from(validation) }];
  }
  const stratify = labels !== undefined && mostOf(labels) >= folds ? Array.from(labels) : undefined;
  return Array.from(kFold(list, folds, { seed, ...(stratify === undefined ? {} : { stratify }) }), (fold) => ({
    train: Uint32Array.from(fold.train),
    validation: Uint32Array.from(fold.validation),
  }));
}

/** Rows of the largest class. */
function mostOf(labels: Int32Array): number {
  const counts = new Map<number, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return Math.max(0, ...counts.values());
}

/** Training rows of which all draw the first weights, and of more how many do, evenly apart. */
const MOST_DRAWN = 1_000_000;
const DRAWN = 65_536;

/** Rows of a member that its first weights are drawn by. */
export function drawnRows(rows: Uint32Array): Uint32Array {
  if (rows.length <= MOST_DRAWN) return rows;
  const drawn = new Uint32Array(DRAWN);
  for (let at = 0; at < DRAWN; at++) drawn[at] = rows[Math.floor((at * rows.length) / DRAWN)] ?? 0;
  return drawn;
}

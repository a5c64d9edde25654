// Which rows of a source of any length are trained on: by their numbers, so that every reading parts them alike.

import { checkKeys, checkNumber, checkOneOf } from "../options.js";
import { drawBelow } from "../tensor/draw_below.js";
import { seedKey } from "../tensor/philox.js";
import type { Table } from "./table.js";

/** The rows of one side of a fold. */
export interface FoldOptions {
  /** Folds that there are; 5 by default. */
  readonly folds?: number | undefined;
  /** The fold that is held out, from 0 on; 0 by default. */
  readonly fold?: number | undefined;
  /** Of the draws; 0 by default. */
  readonly seed?: number | undefined;
  /** `training`, the default: all rows but those of the fold; `validation`: these alone. */
  readonly side?: "training" | "validation" | undefined;
}

/** Keeps draws apart from those of other uses of a seed: ARCHITECTURE.md, Random streams. */
const PURPOSE = 17;

/** The fold of a row, by its number. */
export function foldOf(where: string, folds: number, seed: number): (row: number) => number {
  const key = seedKey(`${where}.seed`, seed);
  return (row) => drawBelow(folds, row, PURPOSE, key);
}

/**
 * Takes the rows of one side out of tables that follow one another: row i, from 0 on, is of the fold that a draw of the seed and i says, whatever else is
 * read. A new one for each reading.
 */
export function foldTaker(where: string, options: FoldOptions | undefined): (table: Table) => Table {
  if (options === undefined) return (table) => table;
  checkKeys(where, options, ["folds", "fold", "seed", "side"]);
  const folds = checkNumber(`${where}.folds`, options.folds ?? 5, { min: 2, max: 4_294_967_295, integer: true });
  const fold = checkNumber(`${where}.fold`, options.fold ?? 0, { min: 0, max: folds - 1, integer: true });
  const side = checkOneOf(`${where}.side`, options.side ?? "training", ["training", "validation"]);
  const of = foldOf(where, folds, options.seed ?? 0);
  let first = 0;
  return (table) => {
    const rows: number[] = [];
    for (let row = 0; row < table.rows; row++) {
      const isHeld = of(first + row) === fold;
      if (isHeld === (side === "validation")) rows.push(row);
    }
    first += table.rows;
    return table.pick(rows);
  };
}

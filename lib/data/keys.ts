// What rows are divided by: classes, several labels, groups.
import { countOf } from "../counts.js";
import { fail } from "../errors.js";
import { isTypedArray } from "../tensor/copied.js";
import { groupsOf, type ManyLabels, manyLabels } from "./labels.js";
import type { Divisible } from "./select.js";

/** A value that rows have in common; values are compared, a number and a bigint are two. */
export type Key = string | number | bigint;

/** One value a row: an array of any kind, or of a list of rows what a function gives. */
export type Keys<Row = never> = ArrayLike<Key> | ([Row] extends [never] ? never : (row: Row, index: number) => Key);

/** Keys whose shares are kept: one class a row, or several labels, as rows of zeros and ones. */
export type Classes<Row = never> =
  | ArrayLike<Key>
  | readonly (readonly number[])[]
  | ([Row] extends [never] ? never : (row: Row, index: number) => Key | readonly number[]);

/** The value of each row. */
function valuesOf(where: string, given: unknown, { items, rows }: Divisible): ArrayLike<unknown> {
  if (typeof given === "function" && items !== undefined)
    return items.map((item, index): unknown => given(item, index));
  const listed = Array.isArray(given) || isTypedArray(given);
  if (!listed) {
    const orFunction = items === undefined ? "" : ", or a function of a row,";
    return fail("ERR_OPTION", where, `an array of one value a row${orFunction}`, given);
  }
  return given.length === rows
    ? given
    : fail("ERR_DATA", where, `one value for each of ${countOf(rows, "row")}`, given);
}

/** One integer a row where rows have one class, or their labels where they have several; else `ERR_LABEL`. */
export function strataOf(where: string, given: unknown, set: Divisible): readonly number[] | ManyLabels {
  const y = given === true ? set.targets() : valuesOf(where, given, set);
  return manyLabels(y, set.rows) ?? groupsOf(where, y, set.rows);
}

/** Groups by number, in the order of their first rows. */
export interface Groups {
  readonly of: Uint32Array;
  /** Rows of each. */
  readonly sizes: readonly number[];
}

/** `ERR_DATA` for what is no string, number or bigint. */
export function numberedGroups(where: string, given: unknown, set: Divisible): Groups {
  const values = valuesOf(where, given, set);
  const numbers = new Map<unknown, number>();
  const sizes: number[] = [];
  const of = new Uint32Array(set.rows);
  for (let row = 0; row < set.rows; row++) {
    const value: unknown = values[row];
    if (!(typeof value === "string" || typeof value === "number" || typeof value === "bigint")) {
      fail("ERR_DATA", where, `a string, a number or a bigint in row ${row}`, value);
    }
    const number = numbers.get(value) ?? numbers.size;
    numbers.set(value, number);
    sizes[number] = (sizes[number] ?? 0) + 1;
    of[row] = number;
  }
  return { of, sizes };
}

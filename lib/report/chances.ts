// Probabilities and classes as measures are given them, made one form.
import { fail } from "../errors.js";
import { isNumberArray } from "../tensor/arrays.js";

/**
 * Probabilities of rows: of class 1 alone, a list of numbers; or of every class, as lists or as a tensor of [rows, classes], which
 * `predictProbabilities` gives.
 */
export type ClassProbabilities =
  | ArrayLike<number>
  | readonly ArrayLike<number>[]
  | { readonly shape: readonly number[]; readonly data: ArrayLike<number> };

/** Probabilities row by row: `data` has `classes` of each row. */
export interface Chances {
  readonly rows: number;
  readonly classes: number;
  readonly data: Float64Array;
  /** They were given of class 1 alone. */
  readonly ofOne: boolean;
}

function isList(value: unknown): value is ArrayLike<number> {
  return Array.isArray(value) || isNumberArray(value);
}

/** Rows and width of probabilities that have a shape; `undefined` for others. */
function shaped(value: unknown): { readonly shape: readonly number[]; readonly data: ArrayLike<number> } | undefined {
  if (typeof value !== "object" || value === null || isList(value)) return undefined;
  const [shape, data]: readonly unknown[] = [Reflect.get(value, "shape"), Reflect.get(value, "data")];
  if (!Array.isArray(shape) || !isNumberArray(data)) return undefined;
  return { shape: shape.map(Number), data };
}

function checkChance(where: string, value: unknown, row: number): number {
  if (typeof value === "number" && value >= 0 && value <= 1) return value;
  return fail("ERR_DATA", `${where}, row ${row}`, "a probability in [0, 1]", value);
}

/** Both classes of probabilities of class 1. */
function bothOf(where: string, given: ArrayLike<number>): Chances {
  const data = new Float64Array(2 * given.length);
  for (let row = 0; row < given.length; row++) {
    const chance = checkChance(where, given[row], row);
    data[2 * row] = 1 - chance;
    data[2 * row + 1] = chance;
  }
  return { rows: given.length, classes: 2, data, ofOne: true };
}

/** Probabilities in one form; `ERR_DATA` names the row of what is none, or of another width. */
export function chancesOf(where: string, given: unknown): Chances {
  const whole = shaped(given);
  if (whole !== undefined) {
    const [rows = 0, classes = 1] = whole.shape;
    if (whole.shape.length > 2 || rows * classes !== whole.data.length)
      fail("ERR_DATA", where, "probabilities of [rows, classes]", `[${whole.shape.join(", ")}]`);
    if (classes === 1) return bothOf(where, whole.data);
    const data = Float64Array.from(whole.data, (chance, place) =>
      checkChance(where, chance, Math.floor(place / classes)),
    );
    return { rows, classes, data, ofOne: false };
  }
  if (!isList(given)) return fail("ERR_DATA", where, "a list of probabilities, or a tensor of them,", given);
  const first: unknown = given[0];
  if (!isList(first)) return bothOf(where, given);
  const lists: readonly unknown[] = Array.from(given);
  const classes = first.length;
  const data = new Float64Array(lists.length * classes);
  lists.forEach((list, row) => {
    if (!isList(list) || list.length !== classes) {
      fail("ERR_DATA", `${where}, row ${row}`, `${classes} probabilities`, list);
    }
    for (let at = 0; at < classes; at++) data[row * classes + at] = checkChance(where, list[at], row);
  });
  return classes === 1 ? bothOf(where, data) : { rows: lists.length, classes, data, ofOne: false };
}

/** Classes of rows: integers in [0, `classes`), or booleans; `ERR_DATA` names the row of what is none. */
export function classesOf(where: string, given: unknown, rows: number | undefined, classes: number): Int32Array {
  if (!isList(given)) return fail("ERR_DATA", where, "a list of classes", given);
  if (rows !== undefined && given.length !== rows) fail("ERR_DATA", where, `${rows} classes, one a row,`, given.length);
  if (given.length === 0) fail("ERR_DATA", where, "one row at least", 0);
  return Int32Array.from({ length: given.length }, (_, row) => {
    const value: unknown = given[row];
    const label = typeof value === "boolean" ? Number(value) : value;
    if (typeof label === "number" && Number.isInteger(label) && label >= 0 && label < classes) return label;
    return fail("ERR_DATA", `${where}, row ${row}`, `a class in [0, ${classes - 1}]`, value);
  });
}

/** The numbers of a list; `ERR_DATA` names the row of what is not finite. */
export function finiteOf(where: string, given: unknown, rows?: number): Float64Array {
  if (!isList(given)) return fail("ERR_DATA", where, "a list of numbers", given);
  if (rows !== undefined && given.length !== rows) fail("ERR_DATA", where, `${rows} numbers, one a row,`, given.length);
  if (given.length === 0) fail("ERR_DATA", where, "one row at least", 0);
  return Float64Array.from({ length: given.length }, (_, row) => {
    const value: unknown = given[row];
    return Number.isFinite(value) ? Number(value) : fail("ERR_DATA", `${where}, row ${row}`, "a finite number", value);
  });
}

/** Probabilities of class 1 of two classes, else `ERR_OPTION`. */
export function chancesOfOne(where: string, chances: Chances): Float64Array {
  if (chances.classes !== 2) fail("ERR_OPTION", where, "probabilities of two classes", `${chances.classes} classes`);
  return Float64Array.from({ length: chances.rows }, (_, row) => chances.data[2 * row + 1] ?? 0);
}

// Classes of examples, as people write them: integers of any array, rows with a single 1, names.
import { countOf } from "../counts.js";
import { fail } from "../errors.js";
import { isBigInts, isNumberArray } from "../tensor/arrays.js";
import { firstOf } from "../tensor/copied.js";
import { failRow, IN_MEMORY, isTensorLike, type Member, memberOf, NUMBER, type Place, rowForm } from "./member.js";
import { Turns } from "./turns.js";

/** Names of classes: that of class k stands at place k. */
export type ClassNames = readonly string[];

/** Classes of labels, and their names. */
export interface LabelSpace {
  readonly classes: number;
  /** Labels may be these as well. */
  readonly names?: ClassNames | undefined;
}

/** Names that a message shows. */
const SHOWN = 8;

/** `'cat', 'dog', … (12 in all)` */
export function namesText(names: ClassNames): string {
  const shown = names.slice(0, SHOWN).map((name) => `'${name}'`);
  return `${shown.join(", ")}${names.length > SHOWN ? `, … (${names.length} in all)` : ""}`;
}

/** Class of a label: an integer in [0, classes), of type number or bigint, or a name; −1 if it is none. */
export function classOf(label: unknown, classes: number, places: ReadonlyMap<string, number>): number {
  if (typeof label === "number") return Number.isInteger(label) && label >= 0 && label < classes ? label : -1;
  if (typeof label === "bigint") return label >= 0n && label < BigInt(classes) ? Number(label) : -1;
  return typeof label === "string" ? (places.get(label) ?? -1) : -1;
}

/** Words for a right label, for errors. */
export function labelText(label: unknown, { classes, names }: Pick<LabelSpace, "classes" | "names">): string {
  if (names !== undefined && typeof label === "string") return `one of the classes ${namesText(names)}`;
  const integer = `an integer in [0, ${classes - 1}]`;
  return typeof label === "string" ? `${integer}, as the classes have no names (option 'classes' of fit),` : integer;
}

/** Names that are a class each: strings, all of them different, one a class; else `ERR_OPTION`. */
export function checkNames(where: string, names: unknown, classes: number): ClassNames {
  const isName = (name: unknown): name is string => typeof name === "string";
  if (!(Array.isArray(names) && names.length === classes && names.every(isName))) {
    return fail("ERR_OPTION", where, `${classes} names, one a class,`, names);
  }
  const twice = names.find((name, place) => names.indexOf(name) !== place);
  return twice === undefined ? [...names] : fail("ERR_OPTION", where, "every name once", twice);
}

/** Words for a row of numbers where labels are wanted. */
export const HOT = "a single 1 among zeros (probabilities are for crossEntropy({ target: 'probabilities' }))";

/** Place of each name. */
export function placesOf(names: ClassNames | undefined): ReadonlyMap<string, number> {
  return new Map((names ?? []).map((name, place) => [name, place]));
}

/** Class of a row that has a single 1 among zeros; −1 of any other row. */
export function hotClass(values: ArrayLike<unknown>, offset: number, classes: number): number {
  let hot = -1;
  for (let place = 0; place < classes; place++) {
    const value = values[offset + place];
    if (value === 1 && hot < 0) hot = place;
    else if (value !== 0) return -1;
  }
  return hot;
}

/** Whether `value` is an array of any kind: of one label a row, or a row with a single 1. */
function isList(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || isNumberArray(value) || isBigInts(value);
}

/** Whether targets are names or bigints, alone or by rows: then they stand for classes also where numbers are probabilities. */
export function areLabels(y: unknown): boolean {
  const first: unknown = Array.isArray(y) ? firstOf(y) : y;
  return typeof first === "string" || typeof first === "bigint" || isBigInts(y);
}

/**
 * Labels as a member of one column; rows with a single 1 that lie flat, as one of as many columns as there are classes, which
 * the number of `rows` tells. Errors as `memberOf`.
 */
export function labelMember(
  where: string,
  y: unknown,
  classes: number,
  rows: number | undefined,
  place: Place,
): Member {
  const single = place.noun === "example" && (typeof y === "string" || typeof y === "bigint");
  const given = single ? [y] : y;
  if (isTensorLike(given)) {
    return memberOf(where, given, given.shape.length === 2 ? rowForm([classes]) : NUMBER, place);
  }
  if (!isList(given) || given.length === 0) return memberOf(where, given, NUMBER, place);
  const columns = classes > 1 && given.length === (rows ?? Number.NaN) * classes ? classes : 1;
  const form = columns === 1 ? NUMBER : rowForm([columns]);
  return { where, place, ...form, values: given, nested: false, rows: given.length / columns };
}

/** Class of a row; what is no label of these classes, or of another type than the first label, is `ERR_LABEL`. */
export function classAt(member: Member, row: number, space: LabelSpace, places: ReadonlyMap<string, number>): number {
  const { values, columns } = member;
  const value: unknown = values[row * columns];
  const nested = columns === 1 && isList(value) && value.length === space.classes;
  const hot = nested || columns > 1;
  const found = hot
    ? hotClass(nested ? value : values, nested ? 0 : row * columns, space.classes)
    : classOf(value, space.classes, places);
  const first = typeof values[0];
  if (found >= 0 && typeof value === first) return found;
  if (found >= 0) return failRow(member, "ERR_LABEL", row, `a label of type ${first}, as the first is,`, value);
  const length = nested ? value.length : columns;
  const received = hot
    ? Array.from({ length }, (_, index) => (nested ? value : values)[nested ? index : row * columns + index])
    : value;
  return failRow(member, "ERR_LABEL", row, hot ? HOT : labelText(value, space), received);
}

/**
 * Labels as integers in [0, classes): integers in an array or a typed array (bigints too), names of classes, or rows with a
 * single 1 among zeros, nested or flat. What is no label of these classes is `ERR_LABEL` with row, value and range.
 */
export function bindLabels(
  where: string,
  y: unknown,
  classes: number,
  { names, rows }: { readonly names?: ClassNames | undefined; readonly rows?: number | undefined } = {},
): Int32Array {
  const member = labelMember(where, y, classes, rows, IN_MEMORY);
  const places = placesOf(names);
  return Int32Array.from({ length: member.rows }, (_, row) => classAt(member, row, { classes, names }, places));
}

/** Labels that are looked at between two looks at the clock. */
const CHUNK = 16_384;

/** {@link namesAmong}, with turns of the event loop in between. */
export async function findNames(y: unknown, signal: AbortSignal | undefined): Promise<ClassNames | undefined> {
  if (!Array.isArray(y) || typeof y[0] !== "string") return undefined;
  const turns = new Turns(signal);
  const names = new Set<string>();
  for (let begin = 0; begin < y.length; begin += CHUNK) {
    for (const label of y.slice(begin, begin + CHUNK) as readonly unknown[]) {
      if (typeof label === "string") names.add(label);
    }
    if (turns.over) await turns.next();
  }
  return [...names].sort();
}

/** The names that occur among labels, in the order of their code units; `undefined` if the first label is none. */
export function namesAmong(y: unknown): ClassNames | undefined {
  if (!Array.isArray(y) || typeof y[0] !== "string") return undefined;
  const names = new Set<string>();
  for (const label of y as readonly unknown[]) if (typeof label === "string") names.add(label);
  return [...names].sort();
}

/** Which of several labels each row has. */
export interface ManyLabels {
  readonly columns: number;
  /** [rows, columns] of 0 and 1 */
  readonly has: Uint8Array;
}

/** Rows of zeros and ones of which one at least has not a single 1: several labels a row; `undefined` of anything else. */
export function manyLabels(y: unknown, rows: number): ManyLabels | undefined {
  const values = isTensorLike(y) ? y.data : y;
  if (!isList(values)) return undefined;
  const first: unknown = values[0];
  const nested = isList(first);
  const columns = nested ? first.length : values.length / rows;
  if (columns < 2 || !Number.isInteger(columns) || values.length !== (nested ? rows : rows * columns)) return undefined;
  const has = new Uint8Array(rows * columns);
  let single = true;
  for (let row = 0; row < rows; row++) {
    const given: unknown = nested ? values[row] : values;
    if (!isList(given) || (nested && given.length !== columns)) return undefined;
    const offset = nested ? 0 : row * columns;
    for (let column = 0; column < columns; column++) {
      const value = given[offset + column];
      if (value !== 0 && value !== 1) return undefined;
      has[row * columns + column] = value;
    }
    single &&= hotClass(given, offset, columns) >= 0;
  }
  return single ? undefined : { columns, has };
}

/**
 * One integer a row, for who divides a set by classes: integers as they are, names by the order of their code units, rows with
 * a single 1 by its place; else `ERR_LABEL`.
 */
export function groupsOf(where: string, y: unknown, rows: number): readonly number[] {
  const values = isTensorLike(y) ? y.data : isList(y) ? y : [];
  const columns = values.length / rows;
  if (columns > 1 && Number.isInteger(columns)) return [...bindLabels(where, values, columns, { rows })];
  if (values.length !== rows) fail("ERR_LABEL", where, `one label for each of ${countOf(rows, "row")}`, y);
  const places = placesOf(namesAmong(y));
  const first = typeof values[0];
  return Array.from(values, (value: unknown, row) => {
    if (typeof value !== first)
      fail("ERR_LABEL", where, `a label of type ${first}, as the first is, in row ${row}`, value);
    if (typeof value === "number" && Number.isInteger(value)) return value;
    const place = typeof value === "string" ? places.get(value) : undefined;
    if (place !== undefined) return place;
    if (typeof value === "bigint" && Number.isSafeInteger(Number(value))) return Number(value);
    const hot = isList(value) ? hotClass(value, 0, value.length) : -1;
    return hot >= 0 ? hot : fail("ERR_LABEL", where, `a label in row ${row}`, value);
  });
}

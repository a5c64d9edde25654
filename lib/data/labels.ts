// Classes of examples, as people write them: integers of any array, rows with a single 1, names.
import { CarillonError, describe, fail } from "../errors.js";
import { isDetached } from "../tensor/detached.js";
import { failEmpty, failShape, isTensorLike, sizeOf } from "./dataset.js";

/** Names of classes: that of class k stands at place k. */
export type ClassNames = readonly string[];

/** What labels must fit. */
export interface LabelSpace {
  readonly classes: number;
  /** Labels may be these as well. */
  readonly names?: ClassNames | undefined;
  /** Rows of the other data; tells flat rows with a single 1 from one label a row. */
  readonly rows?: number | undefined;
  /** Number of the first row, for errors; 0 by default. */
  readonly firstRow?: number | undefined;
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

/** What a label must be, for errors. */
export function labelText(label: unknown, { classes, names }: Pick<LabelSpace, "classes" | "names">): string {
  if (names !== undefined && typeof label === "string") return `one of the classes ${namesText(names)}`;
  const integer = `an integer in [0, ${classes - 1}]`;
  return typeof label === "string" ? `${integer}, as the classes have no names,` : integer;
}

/** What a row of numbers must be where labels are wanted. */
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

type Elements = ArrayLike<unknown>;

/** Whether `value` is a typed array, of this realm or another. */
function isTyped(value: unknown): value is Elements {
  return ArrayBuffer.isView(value) && "length" in value;
}

/** Labels, or values of rows of `columns`, one after another. */
interface Given {
  readonly values: Elements;
  /** 1 for labels; the number of classes for rows with a single 1. */
  readonly columns: number;
}

function given(where: string, y: unknown, { classes, rows }: LabelSpace): Given {
  if (isTensorLike(y)) {
    const { shape, data } = y;
    const hot = shape.length === 2 && shape[1] === classes;
    if (!(hot || shape.length === 1) || (data.length !== sizeOf(shape) && !isDetached(data))) {
      failShape(where, "[rows]", shape);
    }
    if (data.length === 0) failEmpty(where, y);
    return { values: data, columns: hot ? classes : 1 };
  }
  if (!(Array.isArray(y) || isTyped(y))) return fail("ERR_DTYPE", where, "labels: an array or a typed array", y);
  if (y.length === 0) failEmpty(where, y);
  const flat = classes > 1 && rows !== undefined && y.length === rows * classes;
  return { values: y, columns: flat ? classes : 1 };
}

/** One row of the other data has one label, or one row with a single 1. */
function isRow(value: unknown): value is Elements {
  return Array.isArray(value) || isTyped(value);
}

/**
 * Labels as integers in [0, classes): integers in an array or a typed array (bigints too), names of classes, or rows with a
 * single 1 among zeros, nested or flat. An `Int32Array` of labels is passed on, anything else is copied.
 *
 * What is no label of these classes is `ERR_LABEL` with row, value and range; other errors as for `bindFeatures`.
 */
export function bindLabels(
  where: string,
  y: unknown,
  classes: number,
  space: Omit<LabelSpace, "classes"> = {},
): Int32Array {
  const { names, firstRow = 0 } = space;
  const { values, columns } = given(where, y, { classes, ...space });
  const places = placesOf(names);
  const labels = values instanceof Int32Array && columns === 1 ? values : new Int32Array(values.length / columns);
  for (let row = 0; row < labels.length; row++) {
    const value = values[row * columns];
    const nested = columns === 1 && isRow(value) && value.length === classes;
    const hot = nested || columns > 1;
    const label = hot
      ? hotClass(nested ? value : values, nested ? 0 : row * columns, classes)
      : classOf(value, classes, places);
    if (label < 0) failLabel(where, firstRow + row, value, hot, { classes, names });
    if (labels !== values) labels[row] = label;
  }
  return labels;
}

function failLabel(where: string, row: number, value: unknown, hot: boolean, space: LabelSpace): never {
  const expected = hot ? HOT : labelText(value, space);
  const received = hot ? "other numbers" : describe(value);
  const message = `expected ${expected} for '${where}' but received ${received} in row ${row}`;
  throw new CarillonError("ERR_LABEL", where, message);
}

/** The first label of a set, if it is no number: names and bigints stand for classes also where numbers are probabilities. */
function firstLabel(y: unknown): unknown {
  return Array.isArray(y) || isTyped(y) ? y[0] : undefined;
}

/** Targets of a single output that says yes or no: names and bigints as 0 and 1, everything else as it is. */
export function binaryTargets<T>(where: string, y: T, names: ClassNames | undefined): T | Float32Array {
  const first = firstLabel(y);
  if (typeof first !== "string" && typeof first !== "bigint") return y;
  return Float32Array.from(bindLabels(where, y, 2, { names }));
}

/** The names that occur among labels, in the order of their code units; `undefined` if the first label is none. */
export function namesAmong(y: unknown): ClassNames | undefined {
  if (typeof firstLabel(y) !== "string" || !Array.isArray(y)) return undefined;
  const names = new Set<string>();
  for (const label of y as readonly unknown[]) if (typeof label === "string") names.add(label);
  return [...names].sort();
}

/**
 * One integer a row, for who divides a set by classes: integers as they are, names by the order of their code units, rows with
 * a single 1 by its place; else `ERR_LABEL`.
 */
export function groupsOf(where: string, y: unknown, rows: number): readonly number[] {
  const values = isTensorLike(y) ? y.data : Array.isArray(y) || isTyped(y) ? y : [];
  const columns = values.length / rows;
  if (columns > 1 && Number.isInteger(columns)) return [...bindLabels(where, values, columns, { rows })];
  if (values.length !== rows) fail("ERR_LABEL", where, `one label for each of ${rows} rows`, y);
  const places = placesOf(namesAmong(y));
  return Array.from(values, (value: unknown, row) => {
    if (typeof value === "number" && Number.isInteger(value)) return value;
    const place = typeof value === "string" ? places.get(value) : undefined;
    if (place !== undefined) return place;
    if (typeof value === "bigint" && Number.isSafeInteger(Number(value))) return Number(value);
    const hot = isRow(value) ? hotClass(value, 0, value.length) : -1;
    return hot >= 0 ? hot : fail("ERR_LABEL", where, `a label in row ${row}`, value);
  });
}

// Columns out of values of JavaScript: rows that are objects or lists, columns by name.
import { describe, fail, tagOf } from "../errors.js";
import { isPlainObject } from "../options.js";
import { isBigInts, isNumberArray, type NumberArray } from "../tensor/arrays.js";
import { type Column, type ColumnKind, emptyColumn } from "./column.js";
import { Places } from "./places.js";
import { refuseData } from "./refusal.js";
import { Table } from "./table.js";

/** What a row may hold in memory: `undefined`, `null` and NaN are missing. */
export type Given = number | bigint | string | boolean | Date | null | undefined;

/** Rows in memory: objects, or lists of values in the order of the columns. */
export type GivenRows = readonly Readonly<Record<string, unknown>>[] | readonly (readonly unknown[])[];

/** Columns in memory, by name: lists, or typed arrays of numbers. */
export type GivenColumns = Readonly<Record<string, ArrayLike<unknown>>>;

/** Kind of a value; `undefined` where it is missing, `null` for what no column holds. */
export function kindOfValue(value: unknown): ColumnKind | null | undefined {
  switch (typeof value) {
    case "number":
      return Number.isNaN(value) ? undefined : "number";
    case "bigint":
      return "number";
    case "string":
      return value === "" ? undefined : "text";
    case "boolean":
      return "boolean";
    case "undefined":
      return undefined;
    default:
      if (value === null) return undefined;
      return tagOf(value) === "Date" ? "date" : null;
  }
}

/** Of a bigint too, if a double holds it; else `ERR_DATA`. */
function numberFrom(where: string, value: unknown): number {
  if (typeof value !== "bigint") return Number(value);
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : fail("ERR_DATA", where, "an integer that a double holds", value);
}

/**
 * A column of values, whose kind is that of the first one that is there, unless it is given. `ERR_DATA`, with the place of the row, for a value of another
 * kind.
 */
export function columnOf(
  name: string,
  values: ArrayLike<unknown>,
  placeOf: (row: number) => string,
  given?: ColumnKind | undefined,
): Column {
  const { length } = values;
  let kind = given;
  for (let row = 0; kind === undefined && row < length; row++) kind = kindOfValue(values[row]) ?? undefined;
  const column = emptyColumn(kind ?? "number", length);
  const places = new Map<string, number>();
  const levels: string[] = [];
  for (let row = 0; row < length; row++) {
    const value = values[row];
    const own = kindOfValue(value);
    if (own === undefined) continue;
    if (own !== column.kind) failKind(`${placeOf(row)}, column '${name}'`, column.kind, value, own);
    switch (column.kind) {
      case "number":
        column.values[row] = numberFrom(`${placeOf(row)}, column '${name}'`, value);
        break;
      case "date":
        column.values[row] = Number(value);
        break;
      case "boolean":
        column.values[row] = value === true ? 1 : 0;
        break;
      case "text": {
        const text = String(value);
        const code = places.get(text) ?? levels.push(text) - 1;
        places.set(text, code);
        column.codes[row] = code;
      }
    }
  }
  return column.kind === "text" ? { ...column, levels } : column;
}

/** What a column of each kind holds, for errors. */
const CALLED: Readonly<Record<ColumnKind, string>> = {
  number: "a number",
  text: "a text",
  boolean: "true or false",
  date: "a date",
};

function failKind(where: string, kind: ColumnKind, value: unknown, own: ColumnKind | null): never {
  const expected =
    own === null ? "a number, a text, true, false, a Date or null" : `${CALLED[kind]}, as in the rows before,`;
  return fail("ERR_DATA", where, expected, value);
}

/** Rows or columns in memory as a table; `undefined` for what is neither. */
export function tableOfValues(
  where: string,
  source: unknown,
  options: {
    readonly columns?: readonly string[] | undefined;
    readonly kinds?: Readonly<Record<string, ColumnKind>> | undefined;
  },
): Table | undefined {
  const kindOf = (name: string): ColumnKind | undefined =>
    options.kinds !== undefined && Object.hasOwn(options.kinds, name) ? options.kinds[name] : undefined;
  const placeOf = (row: number): string => `${where}, row ${row}`;
  if (Array.isArray(source)) {
    const rows: readonly unknown[] = source;
    const names = options.columns ?? namesOfRows(where, rows);
    const values = valuesOf(where, rows, names);
    const columns = names.map((name, at) => [name, columnOf(name, values[at] ?? [], placeOf, kindOf(name))] as const);
    return new Table(new Map(columns), Places.inMemory(where, rows.length));
  }
  if (!isPlainObject(source)) return undefined;
  const entries: [string, unknown][] = Object.entries(source);
  const columns = entries.map(
    ([name, values]) => [name, columnOfList(where, name, values, placeOf, kindOf(name))] as const,
  );
  const all = new Map(columns);
  const chosen = options.columns?.map(
    (name) => [name, all.get(name) ?? fail("ERR_DATA", where, "columns of these names", name)] as const,
  );
  return new Table(chosen === undefined ? all : new Map(chosen));
}

function columnOfList(
  where: string,
  name: string,
  values: unknown,
  placeOf: (row: number) => string,
  kind: ColumnKind | undefined,
): Column {
  if (isBigInts(values)) return columnOf(name, values, placeOf, kind);
  if (isNumberArray(values)) return { kind: "number", values: Float64Array.from(values) };
  if (Array.isArray(values)) return columnOf(name, values, placeOf, kind);
  return fail("ERR_DATA", `${where}.${name}`, "a list of values, or a typed array,", values);
}

function isList(row: unknown): row is readonly unknown[] | NumberArray {
  return Array.isArray(row) || isNumberArray(row);
}

/** A row that is no list; `ERR_DATA` for what is no object either. */
function objectOf(where: string, row: unknown, index: number): object {
  return isPlainObject(row) ? row : fail("ERR_DATA", `${where}, row ${index}`, "an object, or a list of values,", row);
}

/** Keys of all rows in the order in which they come, or `column1`, … of rows that are lists. */
function namesOfRows(where: string, rows: readonly unknown[]): readonly string[] {
  const names = new Set<string>();
  for (const [index, row] of rows.entries()) {
    if (isList(row)) for (let at = 0; at < row.length; at++) names.add(`column${at + 1}`);
    else for (const key of Object.keys(objectOf(where, row, index))) names.add(key);
  }
  return [...names];
}

/** Values by column. */
function valuesOf(where: string, rows: readonly unknown[], names: readonly string[]): readonly unknown[][] {
  const values = names.map((): unknown[] => new Array<unknown>(rows.length));
  // By entries: holes are rows, too, and refused.
  for (const [index, row] of rows.entries()) {
    if (isList(row)) {
      if (row.length !== names.length) refuseData(`${where}, row ${index}`, `${names.length} values`, describe(row));
      values.forEach((column, at) => {
        column[index] = row[at];
      });
      continue;
    }
    const given = objectOf(where, row, index);
    names.forEach((name, at) => {
      const column = values[at];
      if (column !== undefined) column[index] = Object.hasOwn(given, name) ? Reflect.get(given, name) : null;
    });
  }
  return values;
}

// Columns of a table, as plain data: typed arrays that another thread can be handed.
import { fail } from "../errors.js";

/** Numbers. Where one is missing `values` has NaN. */
export interface NumberColumn {
  readonly kind: "number";
  /** A double a row; missing ones are NaN, and no other is. */
  readonly values: Float64Array;
}

/** Texts, each of which is held once. */
export interface TextColumn {
  readonly kind: "text";
  /** Place of each row's text among `levels`; −1 where it is missing. */
  readonly codes: Int32Array;
  /** The different texts, in the order in which they came. */
  readonly levels: readonly string[];
}

/** True, false or missing. */
export interface BooleanColumn {
  readonly kind: "boolean";
  /** 1 for true, 0 for false, 2 where it is missing. */
  readonly values: Uint8Array;
}

/** Moments of time. */
export interface DateColumn {
  readonly kind: "date";
  /** Milliseconds since 1970-01-01T00:00Z; NaN where it is missing. */
  readonly values: Float64Array;
}

/** A column: what it holds is told by its `kind`. */
export type Column = NumberColumn | TextColumn | BooleanColumn | DateColumn;

/** What a column holds. */
export type ColumnKind = Column["kind"];

export const COLUMN_KINDS = ["number", "text", "boolean", "date"] as const satisfies readonly ColumnKind[];

/** A value of a row; `null` where it is missing. */
export type Cell = number | string | boolean | Date | null;

/** What a boolean column has where a row has none. */
export const NO_BOOLEAN = 2;

export function lengthOf(column: Column): number {
  return column.kind === "text" ? column.codes.length : column.values.length;
}

/** Whether a row has a value. */
export function hasValue(column: Column, row: number): boolean {
  switch (column.kind) {
    case "text":
      return (column.codes[row] ?? -1) >= 0;
    case "boolean":
      return column.values[row] !== NO_BOOLEAN;
    default:
      return !Number.isNaN(column.values[row]);
  }
}

/** The value of a row. */
export function cellOf(column: Column, row: number): Cell {
  if (!hasValue(column, row)) return null;
  switch (column.kind) {
    case "number":
      return column.values[row] ?? null;
    case "text":
      return column.levels[column.codes[row] ?? -1] ?? null;
    case "boolean":
      return column.values[row] === 1;
    case "date":
      return new Date(column.values[row] ?? Number.NaN);
  }
}

/** Rows without a value. */
export function missingIn(column: Column): number {
  let missing = 0;
  const { length } = column.kind === "text" ? column.codes : column.values;
  for (let row = 0; row < length; row++) if (!hasValue(column, row)) missing += 1;
  return missing;
}

/** Levels for each row, from which on counting in memory of all levels takes longer than sorting the rows. */
const MANY = 8;

/** Levels of the rows in the order of all levels, and how many rows have each; in time of the rows, were they a few out of a large column. */
export function eachLevel({ codes, levels }: TextColumn, visit: (level: string, rows: number) => void): void {
  if (levels.length <= MANY * codes.length) {
    const counts = new Uint32Array(levels.length);
    for (const code of codes) if (code >= 0) counts[code] = (counts[code] ?? 0) + 1;
    for (let code = 0; code < counts.length; code++) {
      const rows = counts[code] ?? 0;
      if (rows > 0) visit(levels[code] ?? "", rows);
    }
    return;
  }
  const sorted = codes.slice().sort();
  for (let begin = 0, end = 0; begin < sorted.length; begin = end) {
    const code = sorted[begin] ?? -1;
    while (sorted[end] === code) end += 1;
    if (code >= 0) visit(levels[code] ?? "", end - begin);
  }
}

/** The rows of these numbers, in this order. */
export function picked(column: Column, rows: ArrayLike<number>): Column {
  const pick = <A extends Float64Array | Int32Array | Uint8Array>(from: A, to: A): A => {
    for (let at = 0; at < rows.length; at++) to[at] = from[rows[at] ?? 0] ?? 0;
    return to;
  };
  switch (column.kind) {
    case "text":
      return { ...column, codes: pick(column.codes, new Int32Array(rows.length)) };
    case "boolean":
      return { ...column, values: pick(column.values, new Uint8Array(rows.length)) };
    default:
      return { ...column, values: pick(column.values, new Float64Array(rows.length)) };
  }
}

/** The rows [begin, end), over the same memory. */
export function sliced(column: Column, begin: number, end: number): Column {
  switch (column.kind) {
    case "text":
      return { ...column, codes: column.codes.subarray(begin, end) };
    case "boolean":
      return { ...column, values: column.values.subarray(begin, end) };
    default:
      return { ...column, values: column.values.subarray(begin, end) };
  }
}

function joinedNumbers(parts: readonly { readonly values: Float64Array }[]): Float64Array {
  const values = new Float64Array(parts.reduce((sum, part) => sum + part.values.length, 0));
  let at = 0;
  for (const part of parts) {
    values.set(part.values, at);
    at += part.values.length;
  }
  return values;
}

/** Texts of several columns, one behind the other; each text is one level, even where it is several of a part. */
export function joinedTexts(parts: readonly TextColumn[]): TextColumn {
  const codes = new Int32Array(parts.reduce((sum, part) => sum + part.codes.length, 0));
  const levels: string[] = [];
  const places = new Map<string, number>();
  let at = 0;
  for (const part of parts) {
    const moved = Int32Array.from(part.levels, (level) => {
      const known = places.get(level);
      if (known !== undefined) return known;
      places.set(level, levels.length);
      return levels.push(level) - 1;
    });
    for (const code of part.codes) {
      codes[at] = code < 0 ? -1 : (moved[code] ?? -1);
      at += 1;
    }
  }
  return { kind: "text", codes, levels };
}

function joinedBooleans(parts: readonly BooleanColumn[]): BooleanColumn {
  const values = new Uint8Array(parts.reduce((sum, part) => sum + part.values.length, 0));
  let at = 0;
  for (const part of parts) {
    values.set(part.values, at);
    at += part.values.length;
  }
  return { kind: "boolean", values };
}

/** A column of a kind in which every row is missing. */
export function emptyColumn(kind: ColumnKind, rows: number): Column {
  switch (kind) {
    case "text":
      return { kind, codes: new Int32Array(rows).fill(-1), levels: [] };
    case "boolean":
      return { kind, values: new Uint8Array(rows).fill(NO_BOOLEAN) };
    default:
      return { kind, values: new Float64Array(rows).fill(Number.NaN) };
  }
}

/** Columns of one kind, one behind the other; where all rows are missing the kind is that of the others. `ERR_DATA` where kinds differ. */
export function joined(where: string, given: readonly Column[]): Column {
  const first = given.find((column) => missingIn(column) < lengthOf(column)) ?? given[0];
  if (first === undefined) return emptyColumn("number", 0);
  if (given.length === 1) return first;
  const parts = given.map((part) => {
    if (part.kind === first.kind) return part;
    if (missingIn(part) === lengthOf(part)) return emptyColumn(first.kind, lengthOf(part));
    return fail("ERR_DATA", where, `a ${first.kind} in every row`, `a ${part.kind} in some`);
  });
  const of = <K extends ColumnKind>(kind: K): readonly Extract<Column, { kind: K }>[] =>
    parts.filter((part): part is Extract<Column, { kind: K }> => part.kind === kind);
  switch (first.kind) {
    case "text":
      return joinedTexts(of("text"));
    case "boolean":
      return joinedBooleans(of("boolean"));
    case "number":
      return { kind: "number", values: joinedNumbers(of("number")) };
    case "date":
      return { kind: "date", values: joinedNumbers(of("date")) };
  }
}

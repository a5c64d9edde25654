// Tables out of the rows of a query, whose columns have types.
import { fail } from "../../errors.js";
import type { Column, ColumnKind } from "../column.js";
import { hasValue, lengthOf } from "../column.js";
import { Places } from "../places.js";
import { failColumn, Table } from "../table.js";
import { columnOf } from "../values.js";
import type { Query } from "./source.js";

/** A column of a query: its kind, where the type tells it, and what its values are; `undefined` reads them as they are. */
export interface SqlColumn {
  readonly name: string;
  readonly kind: ColumnKind | undefined;
  readonly read?: ((value: unknown) => unknown) | undefined;
}

/** Makes one table after another of values by column, with the kinds that the first values had. */
export class SqlTables {
  readonly #query: Query;
  readonly #columns: readonly (SqlColumn & { readonly at: number })[];
  readonly #kinds = new Map<string, ColumnKind>();
  /** Rows that were taken. */
  rows = 0;

  /** Of the columns of a query, or those of some names. */
  constructor(
    query: Query,
    columns: readonly SqlColumn[],
    chosen: readonly string[] | undefined,
    kinds: Readonly<Record<string, ColumnKind>>,
  ) {
    this.#query = query;
    const names = columns.map(({ name }) => name);
    const twice = names.find((name, at) => names.indexOf(name) !== at);
    if (twice !== undefined) fail("ERR_DATA", query.name, "every column once (name them with AS)", twice);
    for (const name of chosen ?? []) if (!names.includes(name)) failColumn(query.name, name, names, []);
    this.#columns = (chosen ?? names).flatMap((name) => {
      const at = names.indexOf(name);
      const column = columns[at];
      return column === undefined ? [] : [{ ...column, at }];
    });
    for (const { name, kind } of columns) if (kind !== undefined) this.#kinds.set(name, kind);
    for (const [name, kind] of Object.entries(kinds)) this.#kinds.set(name, kind);
  }

  /** A table of rows, whose values `at` gives by row and column. */
  table(rows: number, at: (row: number, column: number) => unknown): Table {
    const first = this.rows;
    const placeOf = (row: number): string => `${this.#query.name}, row ${first + row}`;
    const columns = this.#columns.map(({ name, read, at: place }): [string, Column] => {
      const values = Array.from({ length: rows }, (_, row) => {
        const value = at(row, place);
        return value === null || value === undefined || read === undefined ? value : read(value);
      });
      const column = columnOf(name, values, placeOf, this.#kinds.get(name));
      if (!this.#kinds.has(name) && someIn(column)) this.#kinds.set(name, column.kind);
      return [name, column];
    });
    this.rows += rows;
    return new Table(new Map(columns), new Places([{ rows, source: this.#query.name, unit: "row", first }]));
  }
}

function someIn(column: Column): boolean {
  for (let row = 0; row < lengthOf(column); row++) if (hasValue(column, row)) return true;
  return false;
}

/** A decimal as the nearest double, or as an integer where it is one. */
export function decimalOf(text: string): number | bigint {
  return /^-?\d{16,}$/.test(text) ? BigInt(text) : Number(text);
}

/** A moment as a date; what is none that a `Date` holds stays as it is, which no column of dates takes. */
export function dateOf(milliseconds: number, value: unknown): unknown {
  return Math.abs(milliseconds) <= 8.64e15 ? new Date(Math.floor(milliseconds)) : String(value);
}

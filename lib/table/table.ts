import { countOf } from "../counts.js";
import { CarillonError, fail, introduce } from "../errors.js";
import { checkNumber, isWithin } from "../options.js";
import { INSPECT, type InspectOptions } from "../tensor/inspect.js";
import { nearest } from "../words.js";
import {
  type Cell,
  type Column,
  type ColumnKind,
  cellOf,
  emptyColumn,
  joined,
  lengthOf,
  missingIn,
  picked,
  sliced,
} from "./column.js";
import type { Dialect } from "./csv/dialect.js";
import { formatTable } from "./inspect.js";
import { Places } from "./places.js";

/** A row as an object: values by the names of the columns, `null` where one is missing. */
export type Row = Readonly<Record<string, Cell>>;

/** Rows that a table shows. */
const SHOWN = 10;

/**
 * Named columns of numbers, texts, booleans or dates, as long as one another. Nothing in it changes: `select`, `filter` and their like
 * give another one, over the same memory where they can. Made by {@link table}.
 */
export class Table {
  readonly rows: number;
  /** Names of the columns, in their order. */
  readonly names: readonly string[];
  readonly #columns: ReadonlyMap<string, Column>;
  /** Where its rows come from. @internal */
  readonly places: Places;

  /** @internal */
  constructor(columns: ReadonlyMap<string, Column>, places?: Places | undefined) {
    this.#columns = columns;
    this.names = [...columns.keys()];
    const [first] = columns.values();
    this.rows = first === undefined ? 0 : lengthOf(first);
    this.places = places ?? Places.inMemory("table", this.rows);
    for (const [name, column] of columns) {
      if (lengthOf(column) !== this.rows)
        fail("ERR_DATA", `table.${name}`, countOf(this.rows, "row"), lengthOf(column));
    }
  }

  /** Kinds of the columns by their names. */
  get kinds(): Readonly<Record<string, ColumnKind>> {
    return Object.fromEntries([...this.#columns].map(([name, { kind }]) => [name, kind]));
  }

  has(name: string): boolean {
    return this.#columns.has(name);
  }

  /** A column by its name; `ERR_DATA` where there is none, with the one that was probably meant. */
  column(name: string): Column {
    return this.#columns.get(name) ?? failColumn("table", name, this.names, this.places.sources);
  }

  /** Rows that have no value in a column. */
  missing(name: string): number {
    return missingIn(this.column(name));
  }

  /** A value. */
  at(row: number, name: string): Cell {
    checkNumber("table.at.row", row, { min: 0, max: this.rows - 1, integer: true });
    return cellOf(this.column(name), row);
  }

  /** A row as an object. */
  row(row: number): Row {
    checkNumber("table.row", row, { min: 0, max: this.rows - 1, integer: true });
    return Object.fromEntries([...this.#columns].map(([name, column]) => [name, cellOf(column, row)]));
  }

  /** All rows, one after the other, as objects. */
  *[Symbol.iterator](): Generator<Row> {
    for (let row = 0; row < this.rows; row++) yield this.row(row);
  }

  /**
   * How the separated text of its first file is written, as it was found or given: options that the next file can be read with. `undefined` of
   * what is no separated text.
   */
  get dialect(): Dialect | undefined {
    return this.places.stretches[0]?.dialect;
  }

  /** Where a row comes from: `churn.csv, line 17`. */
  place(row: number): string {
    return this.places.of(row);
  }

  /** These columns, in this order. */
  select(names: readonly string[]): Table {
    return new Table(new Map(names.map((name) => [name, this.column(name)])), this.places);
  }

  /** All columns but these. */
  without(names: readonly string[]): Table {
    for (const name of names) this.column(name);
    return this.select(this.names.filter((name) => !names.includes(name)));
  }

  /** The rows of these numbers, in this order. `ERR_OPTION` where there is no such row. */
  pick(rows: ArrayLike<number>): Table {
    checkRows("table.pick", rows, this.rows);
    return new Table(
      new Map([...this.#columns].map(([name, column]) => [name, picked(column, rows)])),
      this.places.picked(rows),
    );
  }

  /** The rows that `keep` says true of. */
  filter(keep: (row: Row, index: number) => boolean): Table {
    const rows: number[] = [];
    for (let row = 0; row < this.rows; row++) if (keep(this.row(row), row)) rows.push(row);
    return this.pick(rows);
  }

  /** The first rows, 10 by default. */
  head(rows: number = SHOWN): Table {
    checkNumber("table.head.rows", rows, { min: 0, integer: true });
    return this.slice(0, rows);
  }

  /** The rows [begin, end), over the same memory. */
  slice(begin: number, end: number = this.rows): Table {
    const [from, to] = [Math.min(begin, this.rows), Math.min(end, this.rows)];
    const columns = new Map([...this.#columns].map(([name, column]) => [name, sliced(column, from, to)]));
    return new Table(columns, this.places.from(from));
  }

  /** The first rows as text, in columns. */
  toString(): string {
    return formatTable(this, SHOWN);
  }

  /** @internal */
  [INSPECT](depth: number | null, _options: InspectOptions): string {
    return depth !== null && depth < 0 ? "[Table]" : this.toString();
  }
}
introduce(Table.prototype, "a table");

/** `ERR_OPTION` names the first of some numbers of rows that none of so many rows has. */
export function checkRows(where: string, rows: ArrayLike<number>, count: number): void {
  const range = { min: 0, max: count - 1, integer: true };
  for (let at = 0; at < rows.length; at++)
    if (!isWithin(rows[at], range)) checkNumber(`${where}[${at}]`, rows[at], range);
}

/** `ERR_DATA`: there is no column of this name. */
export function failColumn(where: string, name: unknown, names: readonly string[], sources: readonly string[]): never {
  const near = typeof name === "string" ? nearest(name, names) : undefined;
  const shown = names.slice(0, 12).map((one) => `'${one}'`);
  const hint =
    near === undefined
      ? `Columns: ${shown.join(", ")}${names.length > shown.length ? `, … (${names.length} in all)` : ""}`
      : `Did you mean '${near}'?`;
  const of = sources.length === 0 ? where : `${where} (${sources.slice(0, 2).join(", ")})`;
  throw new CarillonError("ERR_DATA", where, `expected a column of '${of}' but received '${String(name)}'. ${hint}`);
}

/**
 * Tables with the same columns, one behind the other; `ERR_DATA` where columns differ, unless `fill` says that rows of a table without
 * a column are missing there.
 */
export function joinTables(where: string, tables: readonly Table[], fill = false): Table {
  const [first, ...others] = tables;
  if (first === undefined) return new Table(new Map());
  if (others.length === 0) return first;
  const names = fill ? [...new Set(tables.flatMap((one) => one.names))] : first.names;
  for (const other of fill ? [] : others) {
    const [theirs = where] = other.places.sources;
    const lost = names.find((name) => !other.has(name));
    if (lost !== undefined) failColumn(theirs, lost, other.names, []);
    const extra = other.names.find((name) => !first.has(name));
    if (extra !== undefined) fail("ERR_DATA", theirs, `only columns of '${first.places.sources[0] ?? where}'`, extra);
  }
  const columns = names.map((name) => {
    const parts = tables.map((one) => (one.has(name) ? one.column(name) : emptyColumn("number", one.rows)));
    return [name, joined(`${where}, column '${name}'`, parts)] as const;
  });
  return new Table(new Map(columns), Places.joined(tables));
}

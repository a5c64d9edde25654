// What programs use of tables. All of it is a part of the bundle that comes with the first call (scripts/parts.mjs).
import type { TableOptions } from "./options.js";
import { fitPreparation, type PrepareOptions } from "./preparation/fit.js";
import { type Preparation, readPreparation } from "./preparation/preparation.js";
import { readBlocks, readTable } from "./read.js";
import { type Inferred, readSchema, type SchemaOptions } from "./schema/read.js";
import type { ByteStream } from "./source.js";
import type { SqlSource } from "./sql/source.js";
import type { Table } from "./table.js";
import type { GivenColumns, GivenRows } from "./values.js";

/**
 * What a table is read from: a path, a pattern of paths (`data/*.csv`), `-` for standard input, a URL of a file, a list of paths, bytes, a stream
 * of bytes or text; a query of a database, `{ sql, from }`; or what is in memory: objects, lists of values, columns by name, a table.
 */
export type TableSource =
  | string
  | URL
  | readonly string[]
  | Uint8Array
  | ByteStream
  | SqlSource
  | GivenRows
  | GivenColumns
  | Table;

/**
 * Reads a whole table. A format is told by the name or the first bytes, and so is compression; of separated text the first rows tell how it is written
 * and which columns are numbers. A column that turns out to be none further on has texts. Errors name file, line and column: `ERR_FILE` for what cannot be read,
 * `ERR_DATA` for what it holds, `ERR_OPTION`.
 *
 * @example
 * const people = await table("people.csv");
 * console.log(people.names, people.rows, people.column("age").kind);
 */
export async function table(source: TableSource, options: TableOptions = {}): Promise<Table> {
  return await readTable(source, options);
}

/**
 * Reads a table of any size block by block: each is a table of some rows, and no more than one is in memory. As {@link table}, but a column whose
 * first block holds numbers must hold numbers (`ERR_DATA`), unless `kinds` says otherwise.
 *
 * @example
 * let rows = 0;
 * for await (const block of tableBlocks("logs/*.csv.gz")) rows += block.rows;
 */
export function tableBlocks(source: TableSource, options: TableOptions = {}): AsyncGenerator<Table> {
  return readBlocks(source, options);
}

/**
 * Guesses what the columns of a table are, by all of its rows or the first `rows`: `schema` is plain data, which says of each column why it was guessed, and what
 * it says can be edited; `warnings` are what should be looked at before training (columns that give the target away, names of rows, constants, times, rows that stand twice). Columns in
 * `schema.columns` are not guessed. Errors as of {@link table}.
 *
 * @example
 * const { schema, warnings } = await schemaOf("churn.csv", { target: "churned" });
 */
export async function schemaOf(source: TableSource, options: SchemaOptions = {}): Promise<Inferred> {
  return await readSchema(source, options);
}

/**
 * Fits what the columns of a table become for a network, on training rows alone: scales, codes of categories, parts of dates, hashed texts, classes.
 * `ERR_DATA` names the column of which nothing can be made. A source is read block by block, whatever its size.
 *
 * @example
 * const preparation = await prepare(people, { schema, rows: trainRows });
 * const { x, y } = preparation.examples(people.pick(trainRows));
 */
export async function prepare(source: TableSource, options: PrepareOptions): Promise<Preparation> {
  return await fitPreparation(source, options);
}

/** The preparation of what `JSON.stringify` has made of one, in any process: it gives the same bits. `ERR_FILE` names what it cannot be. */
export function preparationOf(json: unknown): Preparation {
  return readPreparation(json);
}

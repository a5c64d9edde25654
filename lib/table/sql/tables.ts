import type { CheckedOptions } from "../options.js";
import type { Table } from "../table.js";
import { duckdbTables } from "./duckdb.js";
import { postgresTables } from "./postgres.js";
import { queryOf, type SqlSource } from "./source.js";
import { sqliteTables } from "./sqlite.js";

const ENGINES = { postgres: postgresTables, sqlite: sqliteTables, duckdb: duckdbTables };

/** The tables of a query, block by block. */
export async function* sqlTables(source: SqlSource, options: CheckedOptions): AsyncGenerator<Table> {
  const query = await queryOf("table.source", source);
  options.signal?.throwIfAborted();
  yield* ENGINES[query.engine](query, options);
}

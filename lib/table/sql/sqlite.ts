// SQLite by node:sqlite, or by better-sqlite3 where Node.js has none: types are those of the values.
import { turn } from "../../binding/clock.js";
import { CarillonError } from "../../errors.js";
import type { ColumnKind } from "../column.js";
import type { CheckedOptions } from "../options.js";
import { peer } from "../peer.js";
import type { Table } from "../table.js";
import { type SqlColumn, SqlTables } from "./rows.js";
import { failed, type Query, refused, type SqlParameter, unreachable } from "./source.js";

/** A statement that was understood. */
interface Statement {
  readonly columns: readonly { readonly name: string; readonly type: string | null }[];
  rows(): Iterator<readonly unknown[]>;
}

interface Database {
  /** Throws for what is no statement. */
  prepare(sql: string): Statement;
  close(): void;
}

/** What is used of node:sqlite. */
interface NodeStatement {
  setReadBigInts(on: boolean): void;
  setReturnArrays(on: boolean): void;
  columns(): Statement["columns"];
  iterate(...parameters: unknown[]): Iterator<readonly unknown[]>;
}
interface NodeSqlite {
  readonly StatementSync: { readonly prototype: object };
  readonly DatabaseSync: new (path: string, options: object) => { prepare(sql: string): NodeStatement; close(): void };
}

/** What is used of better-sqlite3. */
interface BetterStatement {
  readonly reader: boolean;
  raw(on: boolean): void;
  safeIntegers(on: boolean): void;
  columns(): Statement["columns"];
  iterate(...parameters: unknown[]): Iterator<readonly unknown[]>;
}
interface BetterSqlite {
  readonly default: new (path: string, options: object) => { prepare(sql: string): BetterStatement; close(): void };
}

/** Rows of a table. */
const ROWS = 8192;

/** Opens a database; what is given for parameters are its own kinds of values. */
async function opened(path: string, parameters: readonly SqlParameter[]): Promise<Database> {
  const values = parameters.map((value) => (typeof value === "boolean" ? Number(value) : value));
  const own = process.getBuiltinModule("node:sqlite") as unknown as NodeSqlite | undefined; // since Node.js 22.5
  if (own !== undefined && "setReturnArrays" in own.StatementSync.prototype) {
    const database = new own.DatabaseSync(path, { readOnly: true });
    return {
      prepare(sql) {
        const statement = database.prepare(sql);
        statement.setReadBigInts(true);
        statement.setReturnArrays(true);
        return { columns: statement.columns(), rows: () => statement.iterate(...values) };
      },
      close: () => database.close(),
    };
  }
  const { default: Better } = (await peer("better-sqlite3", "SQLite before Node.js 22.16")) as BetterSqlite;
  const database = new Better(path, { readonly: true, fileMustExist: true });
  return {
    prepare(sql) {
      const statement = database.prepare(sql);
      if (!statement.reader) return { columns: [], rows: () => [][Symbol.iterator]() };
      statement.raw(true);
      statement.safeIntegers(true);
      return { columns: statement.columns(), rows: () => statement.iterate(...values) };
    },
    close: () => database.close(),
  };
}

const truth = (value: unknown): unknown => (value === 0n ? false : value === 1n ? true : value);

/** What a declared type says of a column: SQLite's affinities, and booleans. A date is what its values are. */
function columnOfType(name: string, type: string | null): SqlColumn {
  const declared = type?.toUpperCase() ?? "";
  if (declared.includes("BOOL")) return { name, kind: "boolean", read: truth };
  const kind: ColumnKind | undefined = /INT|REAL|FLOA|DOUB|NUM|DEC/.test(declared)
    ? "number"
    : /CHAR|CLOB|TEXT/.test(declared)
      ? "text"
      : undefined;
  return { name, kind };
}

/** The tables of a query, some thousand rows each. */
export async function* sqliteTables(
  query: Query,
  { columns: chosen, kinds, signal }: CheckedOptions,
): AsyncGenerator<Table> {
  const database = await opened(query.from ?? "", query.parameters).catch((cause: unknown) => {
    throw cause instanceof CarillonError ? cause : unreachable(query.name, cause);
  });
  let rows: Iterator<readonly unknown[]> | undefined;
  try {
    const { columns, rows: found } = begun(database, query);
    rows = found;
    const tables = new SqlTables(
      query,
      columns.map(({ name, type }) => columnOfType(name, type)),
      chosen,
      kinds,
    );
    for (let done = false; !done; ) {
      signal?.throwIfAborted();
      const block: (readonly unknown[])[] = [];
      try {
        while (!done && block.length < ROWS) {
          const next = found.next();
          if (next.done === true) done = true;
          else block.push(next.value);
        }
      } catch (cause) {
        throw failed(query, tables.rows + block.length, cause);
      }
      if (block.length > 0 || tables.rows === 0)
        yield tables.table(block.length, (row, column) => block[row]?.[column]);
      // Others have a turn, too.
      await turn();
    }
  } finally {
    rows?.return?.(); // a database is not closed beside a query
    database.close();
  }
}

function begun(
  database: Database,
  { sql }: Query,
): { readonly columns: Statement["columns"]; readonly rows: Iterator<readonly unknown[]> } {
  try {
    const { columns, rows } = database.prepare(sql);
    if (columns.length === 0) throw new Error("a statement without rows");
    return { columns, rows: rows() };
  } catch (cause) {
    throw refused(cause);
  }
}

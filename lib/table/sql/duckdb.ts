// DuckDB by @duckdb/node-api: chunks of a stream.
import { isError } from "../../errors.js";
import { onAbort } from "../../signals.js";
import type { ColumnKind } from "../column.js";
import type { CheckedOptions } from "../options.js";
import { peer } from "../peer.js";
import { refuseData } from "../refusal.js";
import type { Table } from "../table.js";
import { dateOf, decimalOf, type SqlColumn, SqlTables } from "./rows.js";
import { failed, type Query, refused, unreachable } from "./source.js";

/** What is used of DuckDB's package. */
interface Chunk {
  readonly rowCount: number;
  getColumnVector(column: number): { getItem(row: number): unknown };
}
interface Result {
  columnNames(): readonly string[];
  columnTypes(): readonly { readonly typeId: number; toString(): string }[];
  fetchChunk(): Promise<Chunk | null>;
}
interface Prepared {
  readonly statementType: number;
  bind(values: readonly unknown[]): void;
  stream(): Promise<Result>;
  destroySync(): void;
}
interface Connection {
  prepare(sql: string): Promise<Prepared>;
  interrupt(): void;
  closeSync(): void;
}
interface Instance {
  connect(): Promise<Connection>;
  closeSync(): void;
}
interface DuckDB {
  readonly DuckDBInstance: { create(path: string, options: Readonly<Record<string, string>>): Promise<Instance> };
  readonly DuckDBTypeId: Readonly<Record<string, number>>;
  readonly StatementType: Readonly<Record<string, number>>;
}

/** Rows of a table. */
const ROWS = 16_384;

/** A value of DuckDB's that says a moment or a duration in one of its units. */
function scaled(units: Readonly<Record<string, number>>): (value: unknown) => number {
  return (value) => {
    for (const [unit, factor] of Object.entries(units)) {
      const count: unknown = typeof value === "object" && value !== null ? Reflect.get(value, unit) : undefined;
      if (typeof count === "number") return count * factor;
      // In two parts: a double does not hold all nanoseconds.
      if (typeof count === "bigint") {
        const thousands = count / 1000n;
        return Number(thousands) * (1000 * factor) + Number(count - thousands * 1000n) * factor;
      }
    }
    return Number.NaN;
  };
}

const milliseconds = scaled({
  days: 86_400_000,
  seconds: 1000,
  millis: 1,
  milliseconds: 1,
  micros: 1e-3,
  nanos: 1e-6,
  nanoseconds: 1e-6,
});

/** Names of types, by what a column of them is. */
const NUMBERS =
  "TINYINT SMALLINT INTEGER BIGINT UTINYINT USMALLINT UINTEGER UBIGINT HUGEINT UHUGEINT FLOAT DOUBLE".split(" ");
const DATES = "DATE TIMESTAMP TIMESTAMP_S TIMESTAMP_MS TIMESTAMP_NS TIMESTAMP_TZ".split(" ");
const TEXTS = "VARCHAR ENUM UUID".split(" ");

function columnOfType(where: string, name: string, type: string): SqlColumn {
  const column = (kind: ColumnKind | undefined, read?: (value: unknown) => unknown): SqlColumn => ({
    name,
    kind,
    read,
  });
  if (type === "BOOLEAN") return column("boolean");
  if (NUMBERS.includes(type)) return column("number");
  if (type === "DECIMAL") return column("number", (value) => decimalOf(String(value)));
  if (DATES.includes(type)) return column("date", (value) => dateOf(milliseconds(value), value));
  if (type === "TIME") return column("number", (value) => milliseconds(value) / 1000);
  if (TEXTS.includes(type)) return column("text", String);
  if (type === "SQLNULL") return column(undefined);
  const received = `${type}: cast it in the query`;
  return refuseData(`${where}, column '${name}'`, "numbers, texts, booleans or dates", received);
}

/** A file that is only read, or memory. */
async function instanceOf({ DuckDBInstance }: DuckDB, { from, name }: Query): Promise<Instance> {
  try {
    if (from === undefined) return await DuckDBInstance.create(":memory:", {});
    return await DuckDBInstance.create(from, { access_mode: "READ_ONLY" });
  } catch (cause) {
    throw unreachable(name, cause);
  }
}

/** The result of a query that gives rows. */
async function resultOf(connection: Connection, { StatementType }: DuckDB, query: Query): Promise<Result> {
  try {
    const prepared = await connection.prepare(query.sql);
    if (prepared.statementType !== StatementType.SELECT) throw new Error("a statement of another kind");
    if (query.parameters.length > 0) prepared.bind(query.parameters);
    return await prepared.stream();
  } catch (cause) {
    throw refused(cause);
  }
}

/** The tables of a query, some thousand rows each. */
export async function* duckdbTables(
  query: Query,
  { columns: chosen, kinds, signal }: CheckedOptions,
): AsyncGenerator<Table> {
  const duckdb = (await peer("@duckdb/node-api", "DuckDB")) as DuckDB;
  const instance = await instanceOf(duckdb, query);
  const connection = await instance.connect();
  const off = signal === undefined ? undefined : onAbort(signal, () => connection.interrupt());
  let tables: SqlTables | undefined;
  try {
    const result = await resultOf(connection, duckdb, query);
    const typeNames = new Map(Object.entries(duckdb.DuckDBTypeId).map(([name, id]) => [id, name]));
    const types = result.columnTypes();
    const columns = result.columnNames().map((name, at) => {
      return columnOfType(query.name, name, typeNames.get(types[at]?.typeId ?? 0) ?? "another type");
    });
    tables = new SqlTables(query, columns, chosen, kinds);
    for (let done = false; !done; ) {
      signal?.throwIfAborted();
      const chunks: Chunk[] = [];
      let rows = 0;
      while (!done && rows < ROWS) {
        const chunk = await result.fetchChunk();
        done = chunk === null || chunk.rowCount === 0; // what ends it has no columns
        if (chunk === null || done) break;
        chunks.push(chunk);
        rows += chunk.rowCount;
      }
      if (rows > 0 || tables.rows === 0) yield tableOf(tables, chunks, rows, columns.length);
    }
  } catch (cause) {
    signal?.throwIfAborted();
    if (isError(cause) && cause.name !== "CarillonError") throw failed(query, tables?.rows ?? 0, cause);
    throw cause;
  } finally {
    off?.();
    connection.closeSync();
    instance.closeSync();
  }
}

function tableOf(tables: SqlTables, chunks: readonly Chunk[], rows: number, columns: number): Table {
  const vectors = chunks.map((chunk) => Array.from({ length: columns }, (_, at) => chunk.getColumnVector(at)));
  const chunkOf = chunks.flatMap(({ rowCount }, at) => Array.from({ length: rowCount }, () => at));
  const begins = chunks.map((_, at) => chunks.slice(0, at).reduce((sum, { rowCount }) => sum + rowCount, 0));
  return tables.table(rows, (row, column) => {
    const chunk = chunkOf[row] ?? 0;
    return vectors[chunk]?.[column]?.getItem(row - (begins[chunk] ?? 0));
  });
}

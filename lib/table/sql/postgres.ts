// PostgreSQL by pg: a cursor in a transaction that reads.
import { fail } from "../../errors.js";
import { unlessAborted } from "../../signals.js";
import type { ColumnKind } from "../column.js";
import type { CheckedOptions } from "../options.js";
import { peer } from "../peer.js";
import { refuseData } from "../refusal.js";
import type { Table } from "../table.js";
import { dateOf, decimalOf, type SqlColumn, SqlTables } from "./rows.js";
import { failed, type Query, refused, unreachable } from "./source.js";

/** What is used of pg. */
interface Result {
  readonly fields: readonly { readonly name: string; readonly dataTypeID: number }[];
  readonly rows: readonly (readonly (string | null)[])[];
}
interface Client {
  on(event: "error", listener: (error: unknown) => void): void;
  connect(): Promise<unknown>;
  query(statement: object | string): Promise<Result>;
  end(): Promise<void>;
}
interface Pg {
  readonly default: {
    readonly Client: new (options: object) => Client;
  };
}

/** Rows of the first block, and of the largest. */
const FIRST_ROWS = 512;
const MOST_ROWS = 16_384;

/** Milliseconds in which a server says that it is there. */
const PATIENCE = 20_000;

/** Characters of a block. */
const BLOCK = 1_048_576;

/** Numbers of types, as `pg_type` has them. */
const BOOLEAN = 16;
const INTEGERS = [20, 21, 23, 26];
const FLOATS = [700, 701];
const NUMERIC = 1700;
const DATES = [1082, 1114, 1184];
const TIME = 1083;

/**
 * A transaction that changes nothing, in which texts are those of ISO, in Greenwich's time; the plan is that of all rows, and a server
 * that knows how to looks whether anybody still waits.
 */
const BEGIN = `BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL datestyle = ISO; SET LOCAL timezone = 'UTC'; SET LOCAL extra_float_digits = 1; SET LOCAL cursor_tuple_fraction = 1;
SELECT set_config(name, '500', true) FROM pg_settings WHERE name = 'client_connection_check_interval'`;

/** Values come as the texts that the server writes. */
const TYPES = { getTypeParser: () => String };

const WRITTEN = /^(\d{4,})-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d(?:\.\d+)?))?(?:\+00)?( BC)?$/;

/** `2021-01-31 14:30:00.5+00` as a date; what is none, such as `infinity`, stays a text. */
function momentOf(text: string): unknown {
  const found = WRITTEN.exec(text);
  if (found === null) return text;
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = found
    .slice(1, 7)
    .map((part) => Number(part ?? 0));
  const date = new Date(0);
  date.setUTCFullYear(found[7] === undefined ? year : 1 - year, month - 1, day);
  return dateOf(date.getTime() + (hour * 60 + minute) * 60_000 + second * 1000, text);
}

/** `14:30:00.5` as seconds. */
function secondsOf(text: string): number {
  const [hour = 0, minute = 0, second = 0] = text.split(":").map(Number);
  return (hour * 60 + minute) * 60 + second;
}

const texts =
  (read: (text: string) => unknown) =>
  (value: unknown): unknown =>
    read(String(value));

function columnOfType(where: string, name: string, type: number, category: string): SqlColumn {
  const column = (kind: ColumnKind, read?: (text: string) => unknown): SqlColumn => ({
    name,
    kind,
    read: read === undefined ? undefined : texts(read),
  });
  if (type === BOOLEAN) return column("boolean", (text) => text === "t");
  if (INTEGERS.includes(type) || type === NUMERIC) return column("number", decimalOf);
  if (FLOATS.includes(type)) return column("number", Number);
  if (DATES.includes(type)) return column("date", momentOf);
  if (type === TIME) return column("number", secondsOf);
  if (["S", "E", "I", "X", "Z"].includes(category) || [114, 142, 2950, 3802, 18].includes(type)) return column("text");
  const hint = category === "T" ? ": cast it, such as extract(epoch from …)" : ": cast it, such as …::text";
  return refuseData(`${where}, column '${name}'`, "numbers, texts, booleans or dates", `another type${hint}`);
}

/** The tables of a query, some thousand rows each. */
export async function* postgresTables(
  query: Query,
  { columns: chosen, kinds, signal }: CheckedOptions,
): AsyncGenerator<Table> {
  const { default: pg } = (await peer("pg", "PostgreSQL")) as Pg;
  let client: Client;
  try {
    client = new pg.Client({ connectionString: query.from, types: TYPES, connectionTimeoutMillis: PATIENCE });
  } catch (cause) {
    return fail("ERR_OPTION", "table.source.from", "a connection string of PostgreSQL", cause);
  }
  // A connection that ends is told by the query that waits, too.
  client.on("error", () => undefined);
  const ask = (statement: object | string): Promise<Result> => unlessAborted(signal, client.query(statement));
  try {
    await unlessAborted(signal, client.connect()).catch(throwUnless(signal, (cause) => unreachable(query.name, cause)));
    await ask(BEGIN).catch(throwUnless(signal, (cause) => unreachable(query.name, cause)));
    const text = `DECLARE carillon NO SCROLL CURSOR FOR ${query.sql.replace(/[;\s]+$/, "")}\n`;
    const values = query.parameters.map((value) => (typeof value === "bigint" ? String(value) : value));
    await ask({ text, values, queryMode: "extended" }).catch(throwUnless(signal, refused));
    let count = FIRST_ROWS;
    let tables: SqlTables | undefined;
    for (;;) {
      const found = await ask({ text: `FETCH ${count} FROM carillon`, rowMode: "array" }).catch(
        throwUnless(signal, (cause) => failed(query, tables?.rows ?? 0, cause)),
      );
      const { fields, rows } = found;
      if (tables === undefined) {
        const categories = await categoriesOf(
          ask,
          fields.map(({ dataTypeID }) => dataTypeID),
        );
        const columns = fields.map(({ name, dataTypeID }) =>
          columnOfType(query.name, name, dataTypeID, categories.get(dataTypeID) ?? ""),
        );
        tables = new SqlTables(query, columns, chosen, kinds);
        if (rows.length === 0) yield tables.table(0, () => null);
      }
      if (rows.length > 0) yield tables.table(rows.length, (row, column) => rows[row]?.[column]);
      if (rows.length < count) return;
      const characters = rows.reduce((sum, row) => row.reduce((all, value) => all + (value?.length ?? 0) + 8, sum), 0);
      count = Math.min(MOST_ROWS, 2 * count, Math.max(1, Math.floor((BLOCK / characters) * rows.length)));
    }
  } finally {
    // With a query that nobody waits for, the connection is cut.
    const ended = client.end().catch(() => undefined);
    if (signal?.aborted !== true) await ended;
  }
}

/** Categories of types, as the server calls them: `A` of lists, `S` of texts, and so on. */
async function categoriesOf(
  ask: (statement: object) => Promise<Result>,
  types: readonly number[],
): Promise<ReadonlyMap<number, string>> {
  const text = `SELECT oid, typcategory FROM pg_type WHERE oid IN (${[...new Set(types), 0].join(", ")})`;
  const { rows } = await ask({ text, rowMode: "array" });
  return new Map(rows.map(([type, category]) => [Number(type), category ?? ""]));
}

/** Throws what an error is, unless it is that of the signal. */
function throwUnless(signal: AbortSignal | undefined, made: (cause: unknown) => Error): (cause: unknown) => never {
  return (cause) => {
    signal?.throwIfAborted();
    throw made(cause);
  };
}

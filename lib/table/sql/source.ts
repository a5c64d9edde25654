// Queries as sources of tables: what they are, and which database answers them.
import { CarillonError, fail, messageOf } from "../../errors.js";
import { fileError, fileSystem } from "../../io/file.js";
import { checkKeys, checkString, isPlainObject } from "../../options.js";

/** What stands for `$1` or `?` in a query. */
export type SqlParameter = string | number | bigint | boolean | null;

/** A query, and the database that answers it. */
export interface SqlSource {
  /** One statement that gives rows. Give it an order, where rows are to be the same ones at every reading. */
  readonly sql: string;
  /** `postgres://user@host/database`, a file of SQLite or DuckDB, or `duckdb:`, which queries files and memory. */
  readonly from: string;
  /** What stands for `$1` (PostgreSQL, DuckDB) or `?` (SQLite) and so on. */
  readonly parameters?: readonly SqlParameter[] | undefined;
}

/** A query whose database is known. */
export interface Query {
  readonly sql: string;
  readonly parameters: readonly SqlParameter[];
  readonly engine: "postgres" | "sqlite" | "duckdb";
  /** The connection string, or the path; of DuckDB `undefined` for memory. */
  readonly from: string | undefined;
  /** What errors and places call it: without a password. */
  readonly name: string;
}

/** Whether a source is a query: columns are no texts. */
export function isSql(source: unknown): source is SqlSource {
  return isPlainObject(source) && typeof Reflect.get(source, "sql") === "string";
}

function isParameter(value: unknown): boolean {
  return value === null || ["string", "number", "bigint", "boolean"].includes(typeof value);
}

/** `ERR_OPTION` for what is no query, or of no database that is known. */
export async function queryOf(where: string, source: SqlSource): Promise<Query> {
  checkKeys(where, source, ["sql", "from", "parameters"]);
  const sql = checkString(`${where}.sql`, source.sql);
  const from = checkString(`${where}.from`, source.from);
  const { parameters = [] } = source;
  if (!(Array.isArray(parameters) && parameters.every(isParameter)))
    fail("ERR_OPTION", `${where}.parameters`, "a list of texts, numbers, booleans and null", parameters);
  const query = { sql, parameters };
  if (/^postgres(?:ql)?:/i.test(from)) return { ...query, engine: "postgres", from, name: withoutPassword(from) };
  const [, scheme, rest = from] = /^(duckdb|sqlite):(?:\/\/)?([\s\S]*)$/i.exec(from) ?? [];
  if (scheme?.toLowerCase() === "duckdb" && (rest === "" || rest === ":memory:"))
    return { ...query, engine: "duckdb", from: undefined, name: "duckdb" };
  if (scheme === undefined && /^\s*[\w+.-]{2,}:/.test(from)) return failDatabase(where, withoutPassword(from));
  return { ...query, engine: await engineOf(where, rest), from: rest, name: rest };
}

function failDatabase(where: string, received: string): never {
  return fail("ERR_OPTION", `${where}.from`, "postgres://…, a file of SQLite or DuckDB, or duckdb:", received);
}

/** A connection string as it may be told and kept: without the password behind the user, and parameters such as `password` and `sslpassword`. */
export function withoutPassword(from: string): string {
  const [address = "", ...parameters] = from.replace(/(:\/\/[^/?#@:]*):[^/?#]*@/, "$1@").split(/[?&]/);
  if (!address.includes("://")) return from; // a path may have any name
  const told = parameters.filter((one) => ![...new URLSearchParams(one).keys()].some((key) => /passw/i.test(key)));
  return told.length === 0 ? address : `${address}?${told.join("&")}`;
}

/** What a file is by how it begins. */
async function engineOf(where: string, path: string): Promise<"sqlite" | "duckdb"> {
  const refuse = (cause: unknown): never => {
    throw fileError(path, "a database that can be read", cause);
  };
  const file = await fileSystem().open(path, "r").catch(refuse);
  try {
    const first = new Uint8Array(16);
    await file.read(first, 0, first.length, 0).catch(refuse);
    const text = String.fromCharCode(...first);
    if (text.startsWith("SQLite format 3")) return "sqlite";
    if (text.slice(8, 12) === "DUCK") return "duckdb";
    return failDatabase(where, path);
  } finally {
    await file.close();
  }
}

/** What a driver says: errors of some are none of JavaScript's. */
function said(cause: unknown): string {
  const message: unknown = typeof cause === "object" && cause !== null ? Reflect.get(cause, "message") : undefined;
  return typeof message === "string" && message !== "" ? message : messageOf(cause);
}

/** The database cannot be reached: `ERR_FILE`. */
export function unreachable(name: string, cause: unknown): CarillonError {
  const problem = `expected a database that can be read for '${name}' but received ${said(cause)}`;
  return new CarillonError("ERR_FILE", name, problem, { cause });
}

/** The database does not run the query: `ERR_OPTION`. */
export function refused(cause: unknown): CarillonError {
  const problem = `expected one statement that gives rows for 'sql' but received ${said(cause)}`;
  return new CarillonError("ERR_OPTION", "sql", problem, { cause });
}

/** The query failed while its rows were read: `ERR_DATA`. */
export function failed({ name }: Query, row: number, cause: unknown): CarillonError {
  const problem = `expected rows of '${name}' behind row ${row} but received ${said(cause)}`;
  return new CarillonError("ERR_DATA", name, problem, { cause });
}

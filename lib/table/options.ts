import { fail } from "../errors.js";
import { areTexts, checkBoolean, checkFunction, checkKeys, checkNumber, checkOneOf } from "../options.js";
import { checkSignal } from "../signals.js";
import { COLUMN_KINDS, type ColumnKind } from "./column.js";
import { checkDialect, DIALECT_OPTIONS, type DialectOptions } from "./csv/dialect.js";
import { FORMATS, type TableFormat } from "./formats.js";
import { Progress, type ReadEvent } from "./progress.js";
import { checkSchema, type Schema } from "./schema/schema.js";

/** Options of {@link table} and {@link tableBlocks}. */
export interface TableOptions extends DialectOptions {
  /** What the bytes are; by default the name tells it, and where that says nothing the first bytes do. */
  readonly format?: TableFormat | undefined;
  /** Names of the columns: of separated text in the place of its first row's, of rows that are lists, of the columns to read elsewhere. */
  readonly columns?: readonly string[] | undefined;
  /** Kinds of columns by name, in the place of those that the first values show. Separated text has numbers and texts. */
  readonly kinds?: Readonly<Record<string, ColumnKind>> | undefined;
  /** What the columns are: of separated text those that are numbers are read as such, all others as texts. */
  readonly schema?: Schema | undefined;
  /** Words of separated text that stand for a missing number, besides nothing at all: by default `NA`, `N/A`, `NaN`, `nan`, `null`, `NULL`. */
  readonly missing?: readonly string[] | undefined;
  /** What the bytes of a text stand for; `utf-8` by default. */
  readonly encoding?: "utf-8" | "latin1" | "utf-16le" | undefined;
  /** Rows to read, from the first on; all by default. */
  readonly rows?: number | undefined;
  /** Whether files are read on another thread, so that this one stays free; `true` by default, where that can be. */
  readonly thread?: boolean | undefined;
  /** Ends the reading, which rejects with the reason. */
  readonly signal?: AbortSignal | undefined;
  /** Is told how far the reading is: rows, bytes, seconds. */
  readonly onEvent?: ((event: ReadEvent) => void) | undefined;
}

/** Options with every default filled in. */
export interface CheckedOptions extends TableOptions {
  readonly missing: readonly string[];
  readonly kinds: Readonly<Record<string, ColumnKind>>;
  readonly rows: number;
  readonly progress: Progress | undefined;
}

/** Words for a missing number, by default. */
const MISSING = ["NA", "N/A", "NaN", "nan", "null", "NULL"];

export const TABLE_OPTIONS = [
  ...DIALECT_OPTIONS,
  "format",
  "columns",
  "kinds",
  "schema",
  "missing",
  "encoding",
  "rows",
  "thread",
  "signal",
  "onEvent",
] as const;

/** `ERR_OPTION` and `ERR_UNKNOWN_OPTION` for what is no option. */
export function checkTableOptions(where: string, options: TableOptions): CheckedOptions {
  checkKeys(where, options, TABLE_OPTIONS);
  const { format, columns, kinds = {}, missing = MISSING, encoding, rows, thread, signal, onEvent } = options;
  checkDialect(where, options);
  checkSignal(where, signal);
  const progress = onEvent === undefined ? undefined : new Progress(checkFunction(`${where}.onEvent`, onEvent));
  if (format !== undefined) checkOneOf(`${where}.format`, format, FORMATS);
  if (encoding !== undefined) checkOneOf(`${where}.encoding`, encoding, ["utf-8", "latin1", "utf-16le"]);
  if (rows !== undefined) checkNumber(`${where}.rows`, rows, { min: 0, integer: true });
  if (thread !== undefined) checkBoolean(`${where}.thread`, thread);
  if (!areTexts(missing)) fail("ERR_OPTION", `${where}.missing`, "a list of texts", missing);
  if (columns !== undefined) {
    if (!areTexts(columns)) fail("ERR_OPTION", `${where}.columns`, "a list of names", columns);
    const twice = columns.find((name, at) => columns.indexOf(name) !== at);
    if (twice !== undefined) fail("ERR_OPTION", `${where}.columns`, "every name once", twice);
  }
  if (typeof kinds !== "object" || kinds === null)
    fail("ERR_OPTION", `${where}.kinds`, "kinds by the names of columns", kinds);
  for (const [name, kind] of Object.entries(kinds)) checkOneOf(`${where}.kinds.${name}`, kind, COLUMN_KINDS);
  const { schema } = options;
  const checked = schema === undefined ? {} : { schema: checkSchema(`${where}.schema`, schema) };
  return { ...options, ...checked, missing, kinds, rows: rows ?? Number.POSITIVE_INFINITY, progress };
}

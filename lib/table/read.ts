// `table` and `tableBlocks`: from a source to tables.
import { turn } from "../binding/clock.js";
import { fail } from "../errors.js";
import { areTexts, isPlainObject } from "../options.js";
import { arrowFileTables, arrowStreamTables, isArrowFile } from "./arrow/tables.js";
import { lengthOf } from "./column.js";
import { type Contradiction, csvTables, type FieldKind } from "./csv/read.js";
import { decompressed } from "./decompress.js";
import { formatOfBytes, formatOfName, type TableFormat } from "./formats.js";
import { jsonTables } from "./json_lines.js";
import { columnsOfArray } from "./npy.js";
import { type CheckedOptions, checkTableOptions, type TableOptions } from "./options.js";
import { parquetTables } from "./parquet/tables.js";
import { Places } from "./places.js";
import { countedPieces } from "./progress.js";
import type { Schema } from "./schema/schema.js";
import { heldSlices, openSlices, type Slices } from "./slices.js";
import {
  type ByteFile,
  type Bytes,
  beginningOf,
  byteFiles,
  heldBytes,
  isStream,
  joinedBytes,
  remembered,
} from "./source.js";
import { isSql } from "./sql/source.js";
import { sqlTables } from "./sql/tables.js";
import { joinTables, Table } from "./table.js";
import { elsewhere, tablesElsewhere, workOf } from "./thread.js";
import { tableOfValues } from "./values.js";
import { untilAborted } from "./waiting.js";
import { filesOfZip } from "./zip.js";

/** A file whose first bytes have been looked at. */
interface Opened extends Bytes {
  readonly format: TableFormat;
  /** Whether its bytes are those of the file. */
  readonly isPlain: boolean;
  close(): Promise<void>;
}

/** Opens a file, decompressed, and tells its format. */
async function opened(file: ByteFile, options: CheckedOptions): Promise<Opened> {
  const compression = { found: false };
  const asked = untilAborted(file.open(), options.signal);
  const pieces = decompressed({ name: file.name, pieces: countedPieces(asked, options.progress) }, compression);
  const { first, all } = await beginningOf(pieces);
  const format = options.format ?? formatOfName(file.name) ?? formatOfBytes(first);
  const isText = format === "csv" || format === "tsv" || format === "jsonl";
  return {
    name: file.name,
    format,
    isPlain: !compression.found,
    pieces: isText ? utf8Pieces(file.name, all, options) : all,
    async close() {
      await pieces.return(undefined);
    },
  };
}

/** A text as UTF-8, without a byte-order mark. */
async function* utf8Pieces(
  name: string,
  pieces: AsyncIterable<Uint8Array>,
  { encoding = "utf-8" }: CheckedOptions,
): AsyncGenerator<Uint8Array> {
  const decoder = encoding === "utf-8" ? undefined : new TextDecoder(encoding);
  const encoder = new TextEncoder();
  let first = true;
  for await (const piece of pieces) {
    if (first && decoder === undefined) {
      if ((piece[0] === 0xff && piece[1] === 0xfe) || (piece[0] === 0xfe && piece[1] === 0xff))
        fail("ERR_DATA", name, "UTF-8, or { encoding: 'utf-16le' },", "the mark of UTF-16");
      const isMarked = piece[0] === 0xef && piece[1] === 0xbb && piece[2] === 0xbf;
      yield isMarked ? piece.subarray(3) : piece;
    } else yield decoder === undefined ? piece : encoder.encode(decoder.decode(piece, { stream: true }));
    first = false;
  }
  if (decoder !== undefined) yield encoder.encode(decoder.decode());
}

/** The tables of a file, block by block. */
async function* tablesOf(
  file: ByteFile,
  options: CheckedOptions,
  contradictions: Contradiction[],
): AsyncGenerator<Table> {
  const bytes = await opened(file, options);
  switch (bytes.format) {
    case "csv":
    case "tsv": {
      const { format } = bytes;
      const delimiter = options.delimiter ?? (format === "tsv" ? "\t" : undefined);
      const { schema } = options;
      const kinds = { ...(schema === undefined ? {} : schemaKinds(schema)), ...fieldKinds(options) };
      const missingIn = (name: string): readonly string[] => schema?.columns[name]?.missing ?? options.missing;
      return yield* csvTables(
        bytes,
        { ...options, delimiter, kinds, missingIn, named: Object.keys(options.kinds) },
        contradictions,
      );
    }
    case "jsonl":
      return yield* jsonTables(bytes, options.kinds);
    case "arrow": {
      const { first, all } = await beginningOf(bytes.pieces);
      const source = { ...bytes, pieces: all };
      if (!isArrowFile(bytes.name, first)) return yield* arrowStreamTables(source, options.columns);
      return yield* arrowFileTables(bytes.name, await slicesOf(file, source, options), options.columns);
    }
    case "parquet":
      return yield* parquetTables(bytes.name, await slicesOf(file, bytes, options), options.columns);
    default:
      yield arraysTable(bytes.name, await gathered(bytes), bytes.format, options);
  }
}

/** The bytes of a file at any place: of one that lies as it is only what is wanted is read. */
async function slicesOf({ path }: ByteFile, bytes: Opened, { progress }: CheckedOptions): Promise<Slices> {
  if (!bytes.isPlain || path === undefined) {
    const held = heldSlices(await gathered(bytes));
    await bytes.close();
    return held;
  }
  await bytes.close();
  const slices = await openSlices(path);
  return {
    ...slices,
    slice(begin, end = slices.byteLength) {
      progress?.addBytes(end - begin);
      return slices.slice(begin, end);
    },
  };
}

/** All bytes of a source. */
async function gathered({ pieces }: Bytes): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return joinedBytes(all);
}

/** The table of NumPy's arrays: of one, or of those of an archive by their names. */
function arraysTable(name: string, bytes: Uint8Array, format: "npy" | "npz", { columns }: CheckedOptions): Table {
  const files = format === "npy" ? new Map([["column", bytes]]) : filesOfZip(name, bytes);
  const all = [...files].flatMap(([file, array]) => {
    const called = file.replace(/\.npy$/, "");
    return columnsOfArray(format === "npy" ? name : `${name}, array '${called}'`, called, array);
  });
  const rows = all[0] === undefined ? 0 : lengthOf(all[0][1]);
  const table = new Table(new Map(all), new Places([{ rows, source: name, unit: "row", first: 0 }]));
  return columns === undefined ? table : table.select(columns);
}

/** What separated text has for the columns of a schema: numbers, and the texts of whatever else they are. */
function schemaKinds({ columns }: Schema): Readonly<Record<string, FieldKind>> {
  return Object.fromEntries(
    Object.entries(columns).flatMap(([name, { kind }]): [string, FieldKind][] =>
      kind === "ignore" ? [] : [[name, kind === "number" ? "number" : "text"]],
    ),
  );
}

/** `ERR_OPTION` for what no column of separated text is. */
function fieldKinds({ kinds }: CheckedOptions): Readonly<Record<string, FieldKind>> {
  return Object.fromEntries(
    Object.entries(kinds).map(([name, kind]) => {
      if (kind === "number" || kind === "text") return [name, kind] as const;
      return fail("ERR_OPTION", `table.kinds.${name}`, "'number' or 'text' for separated text", kind);
    }),
  );
}

/** The first `rows` of tables. */
async function* limited(
  tables: AsyncIterable<Table>,
  { rows, signal, progress }: CheckedOptions,
): AsyncGenerator<Table> {
  let left = rows;
  for await (const one of tables) {
    signal?.throwIfAborted();
    progress?.addRows(Math.min(one.rows, left));
    yield one.rows <= left ? one : one.head(left);
    left -= one.rows;
    if (left <= 0) return;
  }
}

/** Who looks at tables block by block. */
export interface Visitor {
  /** Before the first block; once more where the source has to be read again, as a column has turned out to be no numbers. */
  begin(): void;
  /** The next block is read once it has been looked at. */
  add(table: Table): Promise<void>;
}

/** Shows all blocks of files to a visitor, at most twice. */
async function visitFiles(given: readonly ByteFile[], options: CheckedOptions, visitor: Visitor): Promise<void> {
  const files = given.map(remembered);
  const contradictions: Contradiction[] = [];
  const visit = async (how: CheckedOptions): Promise<void> => {
    visitor.begin();
    how.progress?.begin();
    let left = how.rows;
    for (const file of files) {
      const tables = untilAborted(tablesOf(file, how, contradictions), how.signal);
      for await (const one of limited(tables, { ...how, rows: left })) {
        await visitor.add(one);
        left -= one.rows;
      }
      if (left <= 0) return;
    }
  };
  await visit(options);
  if (contradictions.length === 0) return;
  const texts = contradictions.map(({ column }) => [column, "text"] as const);
  await visit({ ...options, kinds: { ...options.kinds, ...Object.fromEntries(texts) } });
}

/** Shows all of a source to a visitor, block by block. */
export async function scanTables(source: unknown, options: CheckedOptions, visitor: Visitor): Promise<void> {
  await scan(source, options, visitor);
  options.progress?.end();
}

async function scan(source: unknown, options: CheckedOptions, visitor: Visitor): Promise<void> {
  options.signal?.throwIfAborted();
  const files = source instanceof Table ? undefined : await byteFiles("table.source", source);
  if (files !== undefined) return await visitFiles(files, options, visitor);
  visitor.begin();
  if (isSql(source)) {
    for await (const one of limited(sqlTables(source, options), options)) await visitor.add(one);
    return;
  }
  const whole = inMemory(source, options);
  options.progress?.addRows(whole.rows);
  await visitor.add(whole);
}

/**
 * A source as it is at the call: rows and columns become a table, bytes of up to 4 MB are copied, of others the length is kept. What names files, a stream or a query
 * stays as it is.
 */
export function held(source: unknown, options: CheckedOptions): unknown {
  options.signal?.throwIfAborted();
  const isNames = areTexts(source) && source.length > 0;
  const isRows = Array.isArray(source) ? !isNames : isPlainObject(source) && !isStream(source) && !isSql(source);
  return isRows ? inMemory(source, options) : heldBytes(source);
}

function inMemory(source: unknown, options: CheckedOptions): Table {
  const found = source instanceof Table ? source : tableOfValues("table", source, options);
  if (found === undefined)
    return fail("ERR_OPTION", "table.source", "a path, bytes, a stream, rows or columns", source);
  return found.rows <= options.rows ? found : found.head(options.rows);
}

/** {@link table} */
export async function readTable(given: unknown, asked: TableOptions): Promise<Table> {
  const options = checkTableOptions("table", asked);
  const source = held(given, options);
  const there = await elsewhere(source, options.thread);
  if (there !== undefined) {
    for await (const one of tablesElsewhere(workOf("table", there, asked), options)) return one;
  }
  let tables: Table[] = [];
  await scanTables(source, options, {
    begin() {
      tables = [];
    },
    add(one) {
      tables.push(one);
      return turn();
    },
  });
  return joinedBlocks(tables);
}

/** Blocks one behind the other: those of one file may have keys that others lack; files all have the same columns. */
export function joinedBlocks(tables: readonly Table[]): Table {
  const byFile = new Map<string, Table[]>();
  for (const one of tables) {
    const [name = ""] = one.places.sources;
    const blocks = byFile.get(name);
    if (blocks === undefined) byFile.set(name, [one]);
    else blocks.push(one);
  }
  return joinTables(
    "table",
    [...byFile].map(([name, blocks]) => joinTables(name, blocks, true)),
  );
}

/** {@link tableBlocks}. Options that are none are refused at once, and not with the first block. */
export function readBlocks(source: unknown, given: TableOptions): AsyncGenerator<Table> {
  const options = checkTableOptions("tableBlocks", given);
  return blocksOf(options.signal?.aborted === true ? source : held(source, options), given, options);
}

async function* blocksOf(source: unknown, given: TableOptions, options: CheckedOptions): AsyncGenerator<Table> {
  options.signal?.throwIfAborted();
  const there = await elsewhere(source, options.thread);
  if (there !== undefined) return yield* tablesElsewhere(workOf("blocks", there, given), options);
  yield* blocksHere(source, options);
  options.progress?.end();
}

async function* blocksHere(source: unknown, options: CheckedOptions): AsyncGenerator<Table> {
  if (isSql(source)) return yield* limited(sqlTables(source, options), options);
  const files = source instanceof Table ? undefined : await byteFiles("tableBlocks.source", source);
  if (files === undefined) return yield inMemory(source, options);
  let left = options.rows;
  for (const file of files) {
    const contradictions: Contradiction[] = [];
    const tables = untilAborted(tablesOf(file, options, contradictions), options.signal);
    for await (const one of limited(tables, { ...options, rows: left })) {
      const [fault] = contradictions;
      if (fault !== undefined) {
        const where = `${fault.place}, column '${fault.column}'`;
        fail(
          "ERR_DATA",
          where,
          `a number, as in the first rows, or { kinds: { '${fault.column}': 'text' } },`,
          fault.text,
        );
      }
      yield one;
      left -= one.rows;
    }
    if (left <= 0) return;
  }
}

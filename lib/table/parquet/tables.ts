// Tables of a file of Parquet: some columns by their pages, whatever else there is by hyparquet, which also reads what the file says of itself.
import type { Compressors, DecodedArray, ParquetScan, SchemaTree } from "hyparquet";
import { CarillonError, messageOf } from "../../errors.js";
import { broken } from "../../io/refusal.js";
import { isNumberArray } from "../../tensor/arrays.js";
import { type Column, type ColumnKind, emptyColumn, sliced } from "../column.js";
import { Places } from "../places.js";
import { refuseData } from "../refusal.js";
import type { Slices } from "../slices.js";
import { failColumn, Table } from "../table.js";
import { columnOf } from "../values.js";
import { zstdDecoder } from "../zstd.js";
import { flatColumn } from "./column.js";

const TEXTS = ["STRING", "ENUM", "JSON", "UUID"];

/** What the elements of a column are; `ERR_DATA` for lists, structures and bytes. */
function readingOf(where: string, { element, children }: SchemaTree): ColumnKind {
  const { type, converted_type: converted = "", logical_type: logical } = element;
  const name = logical?.type ?? converted;
  if (children.length > 0) return refuseData(where, "numbers, texts, booleans or dates", "lists or structures");
  if (name.startsWith("TIMESTAMP") || name === "DATE" || type === "INT96") return "date";
  if (type === "BOOLEAN") return "boolean";
  if (TEXTS.includes(name) || name === "UTF8") return "text";
  if (name === "DECIMAL" || name === "FLOAT16") return "number";
  if (name === "TIME" || name.startsWith("TIME_")) return "number";
  if (type === "BYTE_ARRAY" || type === "FIXED_LEN_BYTE_ARRAY")
    return refuseData(where, "texts", "bytes of no known meaning");
  return "number";
}

/** Values of a row group as a column. */
function made(
  where: string,
  name: string,
  data: DecodedArray,
  kind: ColumnKind,
  placeOf: (row: number) => string,
): Column {
  if (kind === "text") return madeTexts(data) ?? columnOf(name, data, placeOf, kind);
  if (kind === "boolean") return columnOf(name, data, placeOf, kind);
  if (isNumberArray(data)) return { kind, values: Float64Array.from(data) };
  const values = new Float64Array(data.length).fill(Number.NaN);
  for (let row = 0; row < data.length; row++) {
    const value: unknown = data[row];
    if (typeof value === "number") values[row] = value;
    else if (typeof value === "bigint") {
      const number = Number(value);
      if (!Number.isSafeInteger(number))
        refuseData(`${placeOf(row)}, column '${name}'`, "an integer that a double holds", `${value}`);
      values[row] = number;
    } else if (value !== null && value !== undefined) refuseData(where, `${kind}s`, typeof value);
  }
  return { kind, values };
}

/** Texts; `undefined` where something else is among them. */
function madeTexts(data: DecodedArray): Column | undefined {
  const codes = new Int32Array(data.length).fill(-1);
  const levels: string[] = [];
  const places = new Map<string, number>();
  for (let row = 0; row < data.length; row++) {
    const value: unknown = data[row];
    if (value === null || value === undefined || value === "") continue;
    if (typeof value !== "string") return undefined;
    let code = places.get(value);
    if (code === undefined) {
      code = levels.push(value) - 1;
      places.set(value, code);
    }
    codes[row] = code;
  }
  return { kind: "text", codes, levels };
}

/** Whole milliseconds, rounded down. */
function milliseconds(value: bigint, per: bigint): number {
  const rest = value % per;
  return Number((value - (rest < 0n ? rest + per : rest)) / per);
}

/** Milliseconds of times since 1970, which hyparquet would make objects of. */
const PARSERS = {
  timestampFromMilliseconds: (value: bigint): number => Number(value),
  timestampFromMicroseconds: (value: bigint): number => milliseconds(value, 1000n),
  timestampFromNanoseconds: (value: bigint): number => milliseconds(value, 1_000_000n),
  dateFromDays: (days: number): number => days * 86_400_000,
};

/** Rows of a block, and values. */
const MOST_ROWS = 65_536;
const MOST_VALUES = 2_097_152;

/** Rows of a row group as a block has them: all, or parts that are about as long as one another. */
function blockRows(rows: number, columns: number): number {
  const most = Math.min(MOST_ROWS, Math.max(1024, Math.floor(MOST_VALUES / Math.max(1, columns))));
  return Math.ceil(rows / Math.ceil(rows / most));
}

/** Gives the next rows of a column in a row group. */
type Take = (rows: number) => Promise<Column>;

/** Columns of a file, with what they are. */
interface Reading {
  readonly child: SchemaTree;
  readonly kind: ColumnKind;
}

interface Opened {
  readonly source: string;
  readonly slices: Slices;
  readonly compressors: Compressors;
  readonly scan: ParquetScan;
}

/** How the rows of a column are taken out of a row group, of which there are some. */
function takeOf(
  { source, slices, compressors, scan }: Opened,
  { child, kind }: Reading,
  group: ParquetScan["metadata"]["row_groups"][number],
  { rowStart, rowEnd }: ParquetScan["ranges"][number],
): Take {
  const { name } = child.element;
  const chunk = group.columns.find((one) => one.meta_data?.path_in_schema[0] === name);
  const placeOf = (row: number): string => `${source}, row ${rowStart + row}`;
  const at = (row: number): string => `${placeOf(row)}, column '${name}'`;
  const flat =
    chunk?.meta_data === undefined || chunk.file_path !== undefined
      ? undefined
      : flatColumn(slices, child.element, chunk.meta_data, kind, compressors, at);
  if (flat !== undefined) return (rows) => flat.take(rows);
  let whole: Column | undefined;
  let taken = 0;
  return async (rows) => {
    whole ??= made(source, name, await scan.readColumn({ column: name, rowStart, rowEnd }), kind, placeOf);
    taken += rows;
    return sliced(whole, taken - rows, taken);
  };
}

/**
 * The tables of a file, a row group or a part of one each, of all columns or some by name. `ERR_DATA` names a column that no table can hold; a damaged file is
 * `ERR_FILE`.
 */
export async function* parquetTables(
  source: string,
  slices: Slices,
  chosen: readonly string[] | undefined,
): AsyncGenerator<Table> {
  const { parquetScan, parquetSchema } = await import("hyparquet");
  const { compressors: all } = await import("hyparquet-compressors");
  const compressors = { ...all, ZSTD: await zstdDecoder() };
  try {
    const scan = await parquetScan({ file: slices, compressors, parsers: PARSERS, utf8: false, geoparquet: false });
    const { children } = parquetSchema(scan.metadata);
    const known = children.map(({ element: { name } }) => name);
    const twice = known.find((name, at) => known.indexOf(name) !== at);
    if (twice !== undefined) refuseData(source, "every column once", `'${twice}' twice`);
    for (const name of chosen ?? []) if (!known.includes(name)) failColumn(source, name, known, []);
    const readings = new Map<string, Reading>();
    for (const child of children) {
      const { name } = child.element;
      if (chosen !== undefined && !chosen.includes(name)) continue;
      readings.set(name, { child, kind: readingOf(`${source}, column '${name}'`, child) });
    }
    const names = chosen ?? known;
    if (scan.ranges.length === 0) yield new Table(new Map(names.map((name) => [name, emptyColumn("number", 0)])));
    const groups = scan.metadata.row_groups.filter(({ num_rows: rows }) => rows > 0n);
    const opened = { source, slices, compressors, scan };
    for (const [at, range] of scan.ranges.entries()) {
      const group = groups[at];
      if (group === undefined) continue;
      const takes = [...readings].map(([name, reading]) => [name, takeOf(opened, reading, group, range)] as const);
      const rows = blockRows(range.rowEnd - range.rowStart, names.length);
      for (let begin = range.rowStart; begin < range.rowEnd; begin += rows) {
        const own = Math.min(rows, range.rowEnd - begin);
        const columns = new Map<string, Column>();
        for (const [name, take] of takes) columns.set(name, await take(own));
        const ordered = new Map(names.map((name) => [name, columns.get(name) ?? emptyColumn("number", own)]));
        yield new Table(ordered, new Places([{ rows: own, source, unit: "row", first: begin }]));
      }
    }
  } catch (cause) {
    if (cause instanceof CarillonError) throw cause;
    throw broken(source, "a whole file of Parquet", messageOf(cause));
  } finally {
    await slices.close();
  }
}

// Parquet by hyparquet: column by column of one row group after the other.
import type { DecodedArray, SchemaTree } from "hyparquet";
import { CarillonError, messageOf } from "../errors.js";
import { broken } from "../io/refusal.js";
import { isNumberArray } from "../tensor/arrays.js";
import { type Column, type ColumnKind, emptyColumn } from "./column.js";
import { Places } from "./places.js";
import { refuseData } from "./refusal.js";
import type { Slices } from "./slices.js";
import { failColumn, Table } from "./table.js";
import { columnOf } from "./values.js";
import { zstdDecoder } from "./zstd.js";

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

/** Milliseconds of times since 1970, which hyparquet would make objects of. */
const PARSERS = {
  timestampFromMilliseconds: (value: bigint): number => Number(value),
  timestampFromMicroseconds: (value: bigint): number => Number(value / 1000n),
  timestampFromNanoseconds: (value: bigint): number => Number(value / 1_000_000n),
  dateFromDays: (days: number): number => days * 86_400_000,
};

/**
 * The tables of a file, a row group each, of all columns or some by name. `ERR_DATA` names a column that no table can hold; a damaged file is
 * `ERR_FILE`.
 */
export async function* parquetTables(
  source: string,
  opened: Slices,
  chosen: readonly string[] | undefined,
): AsyncGenerator<Table> {
  const { parquetScan, parquetSchema } = await import("hyparquet");
  const { compressors: all } = await import("hyparquet-compressors");
  const compressors = { ...all, ZSTD: await zstdDecoder() };
  const options = { file: opened, compressors, parsers: PARSERS, utf8: false, geoparquet: false };
  try {
    const scan = await parquetScan(options);
    const { children } = parquetSchema(scan.metadata);
    const known = children.map(({ element: { name } }) => name);
    for (const name of chosen ?? []) if (!known.includes(name)) failColumn(source, name, known, []);
    const readings = new Map(
      children.flatMap((child): [string, ColumnKind][] => {
        const { name } = child.element;
        if (chosen !== undefined && !chosen.includes(name)) return [];
        return [[name, readingOf(`${source}, column '${name}'`, child)]];
      }),
    );
    const names = chosen ?? known;
    if (scan.ranges.length === 0) yield new Table(new Map(names.map((name) => [name, emptyColumn("number", 0)])));
    for (const { rowStart, rowEnd } of scan.ranges) {
      const placeOf = (row: number): string => `${source}, row ${rowStart + row}`;
      const columns = new Map<string, Column>();
      for (const name of names) {
        const data = await scan.readColumn({ column: name, rowStart, rowEnd });
        columns.set(name, made(source, name, data, readings.get(name) ?? "number", placeOf));
      }
      const rows = rowEnd - rowStart;
      yield new Table(columns, new Places([{ rows, source, unit: "row", first: rowStart }]));
    }
  } catch (cause) {
    if (cause instanceof CarillonError) throw cause;
    throw broken(source, "a whole file of Parquet", messageOf(cause));
  } finally {
    await opened.close();
  }
}

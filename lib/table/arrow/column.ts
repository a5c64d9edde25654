// Columns of Arrow's buffers: what a null's slot holds is nobody's value.
import { fail } from "../../errors.js";
import { isUint8Array } from "../../tensor/arrays.js";
import { type Column, type ColumnKind, emptyColumn, joined, joinedTexts, picked, type TextColumn } from "../column.js";
import { utf8 } from "../csv/scan.js";
import { halfFloat } from "../npy.js";
import { refuseData } from "../refusal.js";
import { decimalOf } from "../sql/rows.js";

/** What is used of apache-arrow's types. */
export interface ArrowType {
  readonly typeId: number;
  readonly scale?: number;
  readonly unit?: number;
  readonly precision?: number;
  readonly dictionary?: ArrowType;
  toString(): string;
}

/** What is used of apache-arrow's columns. */
export interface ArrowData {
  readonly type: ArrowType;
  readonly length: number;
  readonly values: ArrayLike<number | bigint> | undefined;
  readonly valueOffsets: ArrayLike<number | bigint> | undefined;
  readonly dictionary?: ArrowVector | undefined;
  getValid(row: number): boolean;
}
export interface ArrowVector {
  readonly type: ArrowType;
  readonly length: number;
  readonly data: readonly ArrowData[];
  get(row: number): unknown;
}

/** Kinds of types by apache-arrow's numbers of them. */
const NULL = 1;
const INTEGER = 2;
const FLOAT = 3;
const UTF8 = 5;
const BOOLEAN = 6;
const DECIMAL = 7;
const DATE = 8;
const TIME = 9;
const TIMESTAMP = 10;
const DURATION = 18;
const LARGE_UTF8 = 20;
const UTF8_VIEW = 24;
const DICTIONARY = -1;

/** How many of a unit of time are one of what it is read in, and its length in that: seconds, milliseconds, and so on. */
type Scale = readonly [perWhole: bigint, length: number];
const TO_SECONDS: readonly Scale[] = [
  [1n, 1],
  [1_000n, 1e-3],
  [1_000_000n, 1e-6],
  [1_000_000_000n, 1e-9],
];
const TO_MILLISECONDS: readonly Scale[] = [
  [1n, 1000],
  [1n, 1],
  [1_000n, 1e-3],
  [1_000_000n, 1e-6],
];

/** What a column of a type is; `undefined` of nulls; `ERR_DATA` for lists, structures and bytes. */
export function kindOfType(where: string, type: ArrowType): ColumnKind | undefined {
  switch (type.typeId) {
    case NULL:
      return undefined;
    case INTEGER:
    case FLOAT:
    case DECIMAL:
    case TIME:
    case DURATION:
      return "number";
    case UTF8:
    case LARGE_UTF8:
    case UTF8_VIEW:
      return "text";
    case BOOLEAN:
      return "boolean";
    case DATE:
    case TIMESTAMP:
      return "date";
    case DICTIONARY:
      if (type.dictionary !== undefined) return kindOfType(where, type.dictionary);
  }
  return refuseData(where, "numbers, texts, booleans or dates", `${type}`);
}

type Place = (row: number) => string;

/** A number of a unit as seconds or milliseconds: of a bigint the whole part is exact. */
function scaled(value: number | bigint, [perWhole, length]: Scale = [1n, 1]): number {
  if (typeof value === "number") return value * length;
  return length >= 1 ? Number(value) * length : Number(value / perWhole) + Number(value % perWhole) * length;
}

/** How numbers and dates of a type are read out of their values; NaN only where the value is that. */
function readingOf(placeOf: Place, data: ArrowData): (row: number) => number {
  const { type, values } = data;
  const at = (row: number): number | bigint => values?.[row] ?? 0;
  const exact = (row: number, value: number | bigint): number => {
    const number = Number(value);
    if (typeof value === "number" || Number.isSafeInteger(number)) return number;
    return fail("ERR_DATA", placeOf(row), "an integer that a double holds", value);
  };
  const { unit = 0 } = type;
  switch (type.typeId) {
    case FLOAT:
      return type.precision === 0 ? (row) => halfFloat(Number(at(row))) : (row) => Number(at(row));
    case DECIMAL:
      return (row) => exact(row, decimalAt(data, row));
    case DATE:
      // Days, or milliseconds.
      return unit === 0 ? (row) => Number(at(row)) * 86_400_000 : (row) => exact(row, at(row));
    case TIMESTAMP:
      return (row) => Math.floor(scaled(at(row), TO_MILLISECONDS[unit]));
    case TIME:
    case DURATION:
      return (row) => scaled(at(row), TO_SECONDS[unit]);
    default:
      return (row) => exact(row, at(row));
  }
}

/** A decimal of 32-bit words, the lowest first, in two's complement. */
function decimalAt({ type, values, length }: ArrowData, row: number): number | bigint {
  const words = Math.floor((values?.length ?? 0) / Math.max(1, length));
  let whole = 0n;
  for (let word = words - 1; word >= 0; word--) whole = (whole << 32n) | BigInt(values?.[row * words + word] ?? 0);
  const signed = BigInt.asIntN(32 * words, whole);
  const { scale = 0 } = type;
  return scale > 0 ? Number(`${signed}e-${scale}`) : scale < 0 ? Number(`${signed}e${-scale}`) : decimalOf(`${signed}`);
}

/** Texts by their offsets; `ERR_DATA` for offsets that lead out of the bytes. */
function textsOf(where: string, data: ArrowData): TextColumn {
  const { length, values, valueOffsets } = data;
  const codes = new Int32Array(length).fill(-1);
  const levels: string[] = [];
  const places = new Map<string, number>();
  if (!isUint8Array(values) || valueOffsets === undefined || valueOffsets.length <= length)
    return length === 0 ? { kind: "text", codes, levels } : refuseData(where, "texts with offsets", "damaged ones");
  for (let row = 0; row < length; row++) {
    if (!data.getValid(row)) continue;
    const [begin, end] = [Number(valueOffsets[row]), Number(valueOffsets[row + 1])];
    if (begin > end || begin < 0 || end > values.length) refuseData(where, "texts with offsets", "damaged ones");
    if (begin === end) continue;
    const text = utf8(values, begin, end);
    const code = places.get(text) ?? levels.push(text) - 1;
    places.set(text, code);
    codes[row] = code;
  }
  return { kind: "text", codes, levels };
}

/** Texts as apache-arrow decodes them. */
function viewedTexts(vector: ArrowVector): TextColumn {
  const levels: string[] = [];
  const codes = Int32Array.from({ length: vector.length }, (_, row) => {
    const text: unknown = vector.get(row);
    return text === null || text === "" ? -1 : levels.push(String(text)) - 1;
  });
  return joinedTexts([{ kind: "text", codes, levels }]);
}

/** One part of a column, whose rows are called what `placeOf` says. */
function columnOfData(where: string, data: ArrowData, placeOf: Place): Column {
  const { type, length, values } = data;
  const kind = kindOfType(where, type);
  if (kind === undefined) return emptyColumn("number", length);
  if (type.typeId === DICTIONARY) return dictionaryColumn(where, data, placeOf);
  if (kind === "text") return textsOf(where, data);
  const least = kind === "boolean" ? Math.ceil(length / 8) : length;
  if ((values?.length ?? 0) < least) refuseData(where, `${length} values`, "fewer");
  if (kind === "boolean") {
    const column = emptyColumn("boolean", length);
    if (column.kind !== "boolean") return column;
    for (let row = 0; row < length; row++)
      if (data.getValid(row)) column.values[row] = (Number(values?.[row >> 3] ?? 0) >> (row & 7)) & 1;
    return column;
  }
  const numbers = new Float64Array(length).fill(Number.NaN);
  const read = readingOf(placeOf, data);
  for (let row = 0; row < length; row++) if (data.getValid(row)) numbers[row] = read(row);
  return { kind, values: numbers };
}

/** A column whose values are numbers of others. */
function dictionaryColumn(where: string, data: ArrowData, placeOf: Place): Column {
  const { dictionary, length, values } = data;
  if (dictionary === undefined) return refuseData(where, "a dictionary", "none");
  if ((values?.length ?? 0) < length) refuseData(where, `${length} values`, "fewer");
  const parts = columnOfVector(where, dictionary, placeOf);
  const rows = Int32Array.from({ length }, (_, row) => {
    if (!data.getValid(row)) return dictionary.length;
    const place = Number(values?.[row]);
    return place >= 0 && place < dictionary.length
      ? place
      : refuseData(placeOf(row), "a place of the dictionary", `${place}`);
  });
  // Behind the last value stands what is missing.
  const missing = emptyColumn(parts.kind, 1);
  return picked(behind(parts, missing), rows);
}

function behind(column: Column, last: Column): Column {
  if (column.kind === "text" && last.kind === "text")
    return { ...column, codes: Int32Array.of(...column.codes, ...last.codes) };
  if (column.kind === "boolean" && last.kind === "boolean")
    return { ...column, values: Uint8Array.of(...column.values, ...last.values) };
  if (column.kind === "number" || column.kind === "date") {
    const values = new Float64Array(column.values.length + 1).fill(Number.NaN);
    values.set(column.values);
    return { ...column, values };
  }
  return column;
}

/** A column of a batch, or a dictionary. */
export function columnOfVector(where: string, vector: ArrowVector, placeOf: Place): Column {
  if (vector.type.typeId === UTF8_VIEW) return viewedTexts(vector);
  const [data, ...more] = vector.data;
  if (data === undefined) return emptyColumn(kindOfType(where, vector.type) ?? "number", 0);
  if (more.length === 0) return columnOfData(where, data, placeOf);
  return joined(
    where,
    vector.data.map((part) => columnOfData(where, part, placeOf)),
  );
}

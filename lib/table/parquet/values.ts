// Values of Parquet's pages as doubles, by what their type says that they are.
import type { SchemaElement } from "hyparquet";
import type { ColumnKind } from "../column.js";
import { failPages } from "./header.js";

/** How whole numbers are dates: days, or a unit of time. */
type Unit = "DAYS" | "MILLIS" | "MICROS" | "NANOS";

/** How the bytes of a column of numbers or dates are read. */
export interface NumberReading {
  readonly type: "INT32" | "INT64" | "FLOAT" | "DOUBLE";
  readonly isUnsigned: boolean;
  readonly unit: Unit | undefined;
}

/** Doubles, and by their places the whole numbers that no double holds: they are NaN. */
export interface Numbers {
  readonly values: Float64Array;
  readonly tooLarge: ReadonlyMap<number, bigint> | undefined;
}

/** `undefined` for numbers that are read otherwise: decimals, halves, times of 96 bits. */
export function numberReading(element: SchemaElement, kind: ColumnKind): NumberReading | undefined {
  const { type, converted_type: converted, logical_type: logical } = element;
  if (type !== "INT32" && type !== "INT64" && type !== "FLOAT" && type !== "DOUBLE") return undefined;
  if (converted === "DECIMAL" || logical?.type === "DECIMAL") return undefined;
  const isUnsigned =
    converted === "UINT_32" || converted === "UINT_64" || (logical?.type === "INTEGER" && !logical.isSigned);
  const unit = kind === "date" ? unitOf(element) : undefined;
  if (kind === "date" && (unit === undefined || type !== (unit === "DAYS" ? "INT32" : "INT64"))) return undefined;
  return { type, isUnsigned, unit };
}

function unitOf({ converted_type: converted, logical_type: logical }: SchemaElement): Unit | undefined {
  if (converted === "DATE" || logical?.type === "DATE") return "DAYS";
  if (logical?.type === "TIMESTAMP") return logical.unit;
  return converted === "TIMESTAMP_MILLIS" ? "MILLIS" : converted === "TIMESTAMP_MICROS" ? "MICROS" : undefined;
}

/** Memory of its own, in which the bytes begin where any typed array may. */
function aligned(bytes: Uint8Array, begin: number, length: number): ArrayBuffer {
  if (begin + length > bytes.length) failPages("fewer values than a page has");
  const own = new Uint8Array(length);
  own.set(bytes.subarray(begin, begin + length));
  return own.buffer;
}

const DAY = 86_400_000;
const WORD = 4_294_967_296;

/** Values that follow one another. */
export function plainNumbers(reading: NumberReading, bytes: Uint8Array, begin: number, count: number): Numbers {
  const width = reading.type === "INT32" || reading.type === "FLOAT" ? 4 : 8;
  const memory = aligned(bytes, begin, width * count);
  switch (reading.type) {
    case "DOUBLE":
      return { values: new Float64Array(memory), tooLarge: undefined };
    case "FLOAT":
      return { values: new Float64Array(new Float32Array(memory)), tooLarge: undefined };
    case "INT32": {
      const values = new Float64Array(reading.isUnsigned ? new Uint32Array(memory) : new Int32Array(memory));
      if (reading.unit === "DAYS") for (let at = 0; at < count; at++) values[at] = (values[at] ?? 0) * DAY;
      return { values, tooLarge: undefined };
    }
    case "INT64":
      return reading.unit === undefined ? integers(memory, reading.isUnsigned) : moments(memory, reading.unit);
  }
}

function integers(memory: ArrayBuffer, isUnsigned: boolean): Numbers {
  const [low, high] = [new Uint32Array(memory), isUnsigned ? new Uint32Array(memory) : new Int32Array(memory)];
  const values = new Float64Array(low.length / 2);
  let tooLarge: Map<number, bigint> | undefined;
  for (let at = 0; at < values.length; at++) {
    const value = (high[2 * at + 1] ?? 0) * WORD + (low[2 * at] ?? 0);
    values[at] = value;
    if (Number.isSafeInteger(value)) continue;
    tooLarge ??= new Map();
    tooLarge.set(at, (BigInt(high[2 * at + 1] ?? 0) << 32n) + BigInt(low[2 * at] ?? 0));
    values[at] = Number.NaN;
  }
  return { values, tooLarge };
}

const PER_MILLISECOND = { MICROS: 1000n, NANOS: 1_000_000n } as const;

/** Whole milliseconds, rounded down. */
function moments(memory: ArrayBuffer, unit: Unit): Numbers {
  const ticks = new BigInt64Array(memory);
  const [low, high] = [new Uint32Array(memory), new Int32Array(memory)];
  const values = new Float64Array(ticks.length);
  for (let at = 0; at < values.length; at++) {
    const value = (high[2 * at + 1] ?? 0) * WORD + (low[2 * at] ?? 0);
    if (unit === "MILLIS" || unit === "DAYS") values[at] = value;
    else if (unit === "MICROS" && Number.isSafeInteger(value)) {
      const rest = value % 1000;
      values[at] = (value - (rest < 0 ? rest + 1000 : rest)) / 1000;
    } else {
      const per = PER_MILLISECOND[unit];
      const tick = ticks[at] ?? 0n;
      const rest = tick % per;
      values[at] = Number((tick - (rest < 0n ? rest + per : rest)) / per);
    }
  }
  return { values, tooLarge: undefined };
}

// NumPy's files of arrays, `.npy`: a header in the words of Python, then the elements.
import { countOf } from "../counts.js";
import { CarillonError, describe, fail } from "../errors.js";
import { type Column, type ColumnKind, emptyColumn } from "./column.js";
import { refuseData } from "./refusal.js";

/** An element as it lies: its bytes, the kind of column that it belongs to, and how it is read. */
interface Element {
  readonly size: number;
  readonly kind: ColumnKind;
  /** `null` where it is missing. */
  read(view: DataView, at: number): number | string | boolean | null;
}

/** Milliseconds of the units of NumPy's `datetime64`. */
const UNITS: Readonly<Record<string, number>> = {
  D: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 1e-3,
  ns: 1e-6,
};

/** Columns of an array without rows. */
const WIDEST = 1_000_000;

/** What NumPy calls NaT. */
const NO_TIME = -0x8000_0000_0000_0000n;

function integer(where: string, value: bigint): number {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : fail("ERR_DATA", where, "integers that a double holds", value);
}

/** The last character of Unicode. */
const LAST_CHARACTER = 0x10ffff;

export function halfFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  let value = exponent === 0 ? fraction / 1024 : 1 + fraction / 1024;
  for (let power = exponent === 0 ? 1 : exponent; power < 15; power++) value /= 2;
  for (let power = 15; power < exponent; power++) value *= 2;
  return sign * value;
}

/** The characters of a text of fixed length, to the zeros behind it; `ERR_DATA` for a number that is no character. */
function textAt(where: string, view: DataView, at: number, length: number, width: 1 | 4, little: boolean): string {
  const pointAt = (index: number): number =>
    width === 1 ? view.getUint8(at + index) : view.getUint32(at + 4 * index, little);
  let end = length;
  while (end > 0 && pointAt(end - 1) === 0) end -= 1;
  let text = "";
  for (let index = 0; index < end; index++) {
    const point = pointAt(index);
    if (point > LAST_CHARACTER) fail("ERR_DATA", where, "characters of Unicode", point);
    text += String.fromCodePoint(point);
  }
  return text;
}

type Reader = (view: DataView, at: number, little: boolean) => number | bigint;

const NUMBERS: Readonly<Record<string, readonly [size: number, read: Reader]>> = {
  f2: [2, (view, at, little) => halfFloat(view.getUint16(at, little))],
  f4: [4, (view, at, little) => view.getFloat32(at, little)],
  f8: [8, (view, at, little) => view.getFloat64(at, little)],
  i1: [1, (view, at) => view.getInt8(at)],
  i2: [2, (view, at, little) => view.getInt16(at, little)],
  i4: [4, (view, at, little) => view.getInt32(at, little)],
  i8: [8, (view, at, little) => view.getBigInt64(at, little)],
  u1: [1, (view, at) => view.getUint8(at)],
  u2: [2, (view, at, little) => view.getUint16(at, little)],
  u4: [4, (view, at, little) => view.getUint32(at, little)],
  u8: [8, (view, at, little) => view.getBigUint64(at, little)],
};

/** How the elements of a type such as `<f8` or `<U12` are read; `ERR_DATA` for Python objects and what else is none. */
function elementOf(where: string, type: unknown): Element {
  const [, order = "", letters = "", unit] =
    /^([<>|=])(\w\d+)(?:\[(\w+)\])?$/.exec(typeof type === "string" ? type : "") ?? [];
  const little = order !== ">";
  const kind = letters[0] ?? "";
  const length = Number(letters.slice(1));
  const number = NUMBERS[letters];
  if (number !== undefined) {
    const [size, read] = number;
    return {
      size,
      kind: "number",
      read(view, at) {
        const value = read(view, at, little);
        return typeof value === "bigint" ? integer(where, value) : value;
      },
    };
  }
  if (letters === "b1") return { size: 1, kind: "boolean", read: (view, at) => view.getUint8(at) !== 0 };
  if (kind === "U")
    return { size: 4 * length, kind: "text", read: (view, at) => textAt(where, view, at, length, 4, little) };
  if (kind === "S")
    return { size: length, kind: "text", read: (view, at) => textAt(where, view, at, length, 1, little) };
  const scale = unit === undefined ? undefined : UNITS[unit];
  if (kind === "M" && scale !== undefined) {
    return {
      size: 8,
      kind: "date",
      read(view, at) {
        const value = view.getBigInt64(at, little);
        if (value === NO_TIME) return null;
        const perMillisecond = BigInt(Math.round(1 / scale));
        return scale >= 1 ? Number(value) * scale : Number(value / perMillisecond);
      },
    };
  }
  return refuseData(
    where,
    "numbers, booleans, texts or dates",
    type === "|O" ? "Python objects" : `elements of type ${describe(type)}`,
  );
}

interface Header {
  readonly descr: unknown;
  readonly fortran_order: boolean;
  readonly shape: readonly number[];
}

/** The header's dictionary, which is of Python, by way of JSON. */
function headerOf(where: string, text: string): Header {
  const json = text
    .replaceAll(/'([^'\\]*)'/g, (_, inner: string) => JSON.stringify(inner))
    .replaceAll("(", "[")
    .replaceAll(")", "]")
    .replaceAll(/\bFalse\b/g, "false")
    .replaceAll(/\bTrue\b/g, "true")
    .replaceAll(/,\s*([\]}])/g, "$1");
  let header: unknown;
  try {
    header = JSON.parse(json);
  } catch (cause) {
    throw new CarillonError(
      "ERR_DATA",
      where,
      `expected the header of an array for '${where}' but received ${describe(text)}`,
      { cause },
    );
  }
  if (typeof header === "object" && header !== null && "descr" in header && "shape" in header) {
    const { descr, shape } = header;
    const order: unknown = Reflect.get(header, "fortran_order");
    if (Array.isArray(shape) && shape.every((size) => Number.isSafeInteger(size) && size >= 0))
      return { descr, shape, fortran_order: order === true };
  }
  return refuseData(where, "the header of an array", describe(text));
}

/** Where the elements begin, and what the header says. */
function openArray(where: string, bytes: Uint8Array): { readonly header: Header; readonly at: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isArray = bytes.length > 10 && bytes[0] === 0x93 && String.fromCharCode(...bytes.subarray(1, 6)) === "NUMPY";
  if (!isArray) return refuseData(where, "an array of NumPy", "other bytes");
  const wide = (bytes[6] ?? 0) > 1;
  const length = wide ? view.getUint32(8, true) : view.getUint16(8, true);
  const begin = wide ? 12 : 10;
  const text = new TextDecoder().decode(bytes.subarray(begin, begin + length)).trim();
  return { header: headerOf(where, text), at: begin + length };
}

/** A column whose elements lie `stride` bytes apart. */
function columnAt(view: DataView, begin: number, stride: number, rows: number, element: Element): Column {
  const column = emptyColumn(element.kind, rows);
  const levels: string[] = [];
  const places = new Map<string, number>();
  for (let row = 0; row < rows; row++) {
    const value = element.read(view, begin + row * stride);
    if (value === null || value === "") continue;
    if (column.kind === "text") {
      const text = String(value);
      const code = places.get(text) ?? levels.push(text) - 1;
      places.set(text, code);
      column.codes[row] = code;
    } else column.values[row] = Number(value);
  }
  return column.kind === "text" ? { ...column, levels } : column;
}

/**
 * The columns of an array: one of a list of elements, as many as a row has of a matrix, one a field where an element has fields.
 * `ERR_DATA` for what is no such array.
 */
export function columnsOfArray(where: string, name: string, bytes: Uint8Array): readonly (readonly [string, Column])[] {
  const { header, at } = openArray(where, bytes);
  const { descr, shape } = header;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [rows = 1, width] = shape;
  if (shape.length > 2 || shape.length === 0)
    refuseData(where, "an array of one or two axes", `one of shape [${shape.join(", ")}]`);
  // Elements of no bytes, and columns without rows, are not bounded by the bytes that are there.
  const [longest, widest] = [bytes.length - at, Math.max(bytes.length - at, WIDEST)];
  if (width !== undefined && width > widest) refuseData(where, `at most ${countOf(widest, "column")}`, `${width}`);
  const fields = fieldsOf(where, descr, name, width);
  const size = fields.reduce((sum, { element }) => sum + element.size, 0);
  if (rows > longest) refuseData(where, `at most ${countOf(longest, "row")} in as many bytes`, `${rows}`);
  if (at + rows * size > bytes.length) refuseData(where, `${rows * size} bytes of elements`, `${bytes.length - at}`);
  const byColumns = header.fortran_order && width !== undefined;
  let offset = 0;
  return fields.map(({ name: called, element }) => {
    const begin = at + (byColumns ? offset * rows : offset);
    offset += element.size;
    return [called, columnAt(view, begin, byColumns ? element.size : size, rows, element)] as const;
  });
}

/** What a row has, in its order. */
function fieldsOf(
  where: string,
  descr: unknown,
  name: string,
  width: number | undefined,
): readonly { readonly name: string; readonly element: Element }[] {
  if (!Array.isArray(descr)) {
    const element = elementOf(where, descr);
    if (width === undefined) return [{ name, element }];
    return Array.from({ length: width }, (_, index) => ({ name: `${name}${index + 1}`, element }));
  }
  if (width !== undefined) return refuseData(where, "one axis of elements with fields", "two");
  return descr.map((field: unknown) => {
    const [called, type, inner]: readonly unknown[] = Array.isArray(field) ? field : [];
    if (typeof called !== "string" || inner !== undefined)
      return refuseData(where, "fields of a single element each", describe(field));
    return { name: called, element: elementOf(where, type) };
  });
}

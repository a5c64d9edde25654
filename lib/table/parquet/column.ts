// Columns of Parquet without lists and structures, straight out of the pages: as many rows as are asked for.
import type { ColumnMetaData, Compressors, SchemaElement } from "hyparquet";
import { type Column, type ColumnKind, NO_BOOLEAN } from "../column.js";
import { utf8 } from "../csv/scan.js";
import { refuseData } from "../refusal.js";
import type { Slices } from "../slices.js";
import { failPages, PLAIN, PLAIN_DICTIONARY, RLE, RLE_DICTIONARY } from "./header.js";
import { unpackHybrid } from "./hybrid.js";
import { type Body, Pages } from "./pages.js";
import { type NumberReading, type Numbers, numberReading, plainNumbers } from "./values.js";

/** Texts of a page or a dictionary, each behind the four bytes of its length. */
interface Texts {
  readonly bytes: Uint8Array;
  /** Of a dictionary: where each text begins. */
  readonly offsets: Int32Array | undefined;
}

/** The rows of a page. */
type Rows =
  | { readonly kind: "number" | "date"; readonly values: Float64Array; readonly tooLarge: Numbers["tooLarge"] }
  | { readonly kind: "boolean"; readonly values: Uint8Array }
  /** Texts by their place in a dictionary, or where they begin; −1 where there is none. */
  | { readonly kind: "text"; readonly values: Int32Array; readonly texts: Texts };

/** What stands in a row of numbers that is a whole number which no double holds: see `tooLarge`. */
type PlaceOf = (row: number) => string;

/** The codes of some rows' texts, in the order in which they come. */
class TextRows {
  readonly codes: Int32Array;
  readonly levels: string[] = [];
  readonly #places = new Map<string, number>();
  /** Codes of the texts of a dictionary. */
  #dictionary: Texts | undefined;
  #known = new Int32Array(0);

  constructor(rows: number) {
    this.codes = new Int32Array(rows);
  }

  #code(text: string): number {
    if (text === "") return -1;
    const known = this.#places.get(text);
    if (known !== undefined) return known;
    this.#places.set(text, this.levels.length);
    return this.levels.push(text) - 1;
  }

  put(values: Int32Array, texts: Texts, begin: number, end: number, at: number, placeOf: PlaceOf): void {
    const { bytes, offsets } = texts;
    if (offsets === undefined) {
      for (let row = begin; row < end; row++) {
        const place = values[row] ?? -1;
        this.codes[at + row - begin] = place < 0 ? -1 : this.#code(textAt(bytes, place, placeOf, row));
      }
      return;
    }
    if (this.#dictionary !== texts) [this.#dictionary, this.#known] = [texts, new Int32Array(offsets.length).fill(-2)];
    for (let row = begin; row < end; row++) {
      const place = values[row] ?? -1;
      let code = place < 0 ? -1 : (this.#known[place] ?? -1);
      if (code === -2) {
        code = this.#code(textAt(bytes, offsets[place] ?? 0, placeOf, row));
        this.#known[place] = code;
      }
      this.codes[at + row - begin] = code;
    }
  }
}

/** The text behind the length that stands at a place. */
function textAt(bytes: Uint8Array, place: number, placeOf: PlaceOf, row: number): string {
  const begin = place + 4;
  const end = begin + lengthAt(bytes, place);
  const text = utf8(bytes, begin, end);
  if (!text.includes("\uFFFD")) return text;
  const { isUtf8 } = process.getBuiltinModule("node:buffer");
  return isUtf8(bytes.subarray(begin, end)) ? text : refuseData(placeOf(row), "UTF-8", "other bytes");
}

function lengthAt(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] ?? 0) + (bytes[at + 1] ?? 0) * 256 + (bytes[at + 2] ?? 0) * 65_536 + (bytes[at + 3] ?? 0) * 16_777_216
  );
}

/** Where so many texts begin. */
function offsetsOf(bytes: Uint8Array, begin: number, count: number): Int32Array {
  if (begin + 4 * count > bytes.length) failPages("fewer values than a page has");
  const offsets = new Int32Array(count);
  let at = begin;
  for (let index = 0; index < count; index++) {
    if (at + 4 > bytes.length) failPages("fewer values than a page has");
    offsets[index] = at;
    at += 4 + lengthAt(bytes, at);
    if (at > bytes.length) failPages("a text that leads out of its page");
  }
  return offsets;
}

/** Values of the rows that have one, spread over all rows. */
function spread<A extends Float64Array | Uint8Array | Int32Array>({ present }: Body, dense: A, rows: A): A {
  if (present === undefined) return dense;
  for (let row = 0, next = 0; row < rows.length; row++) if (present[row] === 1) rows[row] = dense[next++] ?? 0;
  return rows;
}

function placesIn({ bytes, begin, count }: Body, size: number): Int32Array {
  const places = new Int32Array(count);
  if (count === 0) return places;
  unpackHybrid(bytes, begin + 1, bytes.length, bytes[begin] ?? 0, places);
  for (let at = 0; at < count; at++) {
    const place = places[at] ?? 0;
    if (place < 0 || place >= size) failPages(`value ${place} of a dictionary of ${size}`);
  }
  return places;
}

function flagsIn({ bytes, begin, count, encoding }: Body): Uint8Array {
  const flags = new Uint8Array(count);
  if (encoding === RLE) unpackHybrid(bytes, begin + 4, bytes.length, 1, flags);
  else if (encoding !== PLAIN) failPages(`flags of encoding ${encoding}`);
  else if (begin + Math.ceil(count / 8) > bytes.length) failPages("fewer values than a page has");
  else for (let at = 0; at < count; at++) flags[at] = ((bytes[begin + (at >>> 3)] ?? 0) >>> (at & 7)) & 1;
  return flags;
}

function isDictionary(encoding: number): boolean {
  return encoding === PLAIN_DICTIONARY || encoding === RLE_DICTIONARY;
}

/** Numbers by their places among others. */
function picked({ values, tooLarge }: Numbers, places: Int32Array): Numbers {
  const own = new Float64Array(places.length);
  for (let at = 0; at < own.length; at++) own[at] = values[places[at] ?? 0] ?? 0;
  if (tooLarge === undefined) return { values: own, tooLarge };
  const found = new Map<number, bigint>();
  places.forEach((place, at) => {
    const value = tooLarge.get(place);
    if (value !== undefined) found.set(at, value);
  });
  return { values: own, tooLarge: found };
}

/** A column of one row group. */
export class FlatColumn {
  readonly #pages: Pages;
  readonly #kind: ColumnKind;
  readonly #reading: NumberReading | undefined;
  readonly #placeOf: PlaceOf;
  #numbers: Numbers | undefined;
  #texts: Texts | undefined;
  /** The page that rows are taken from, and how many of it, and of all, were. */
  #page: Rows | undefined;
  #taken = 0;
  #row = 0;

  /** `placeOf` tells where a row of the row group stands. */
  constructor(pages: Pages, kind: ColumnKind, reading: NumberReading | undefined, placeOf: PlaceOf) {
    this.#pages = pages;
    this.#kind = kind;
    this.#reading = reading;
    this.#placeOf = placeOf;
  }

  #numbersIn(body: Body, reading: NumberReading): Numbers {
    const { bytes, begin, count, encoding } = body;
    if (encoding === PLAIN) return plainNumbers(reading, bytes, begin, count);
    const dictionary = this.#numbers;
    if (!isDictionary(encoding) || dictionary === undefined) return failPages(`values of encoding ${encoding}`);
    return picked(dictionary, placesIn(body, dictionary.values.length));
  }

  #rowsOf(body: Body): Rows {
    const { rows, count, bytes, begin, encoding } = body;
    if (this.#kind === "boolean")
      return { kind: "boolean", values: spread(body, flagsIn(body), new Uint8Array(rows).fill(NO_BOOLEAN)) };
    if (this.#kind === "text") {
      const none = new Int32Array(body.present === undefined ? 0 : rows).fill(-1);
      if (encoding === PLAIN) {
        const values = spread(body, offsetsOf(bytes, begin, count), none);
        return { kind: "text", values, texts: { bytes, offsets: undefined } };
      }
      const texts = this.#texts;
      if (!isDictionary(encoding) || texts?.offsets === undefined) return failPages(`texts of encoding ${encoding}`);
      return { kind: "text", values: spread(body, placesIn(body, texts.offsets.length), none), texts };
    }
    if (this.#reading === undefined) return failPages("values of no known type");
    const { values, tooLarge } = this.#numbersIn(body, this.#reading);
    const none = new Float64Array(body.present === undefined ? 0 : rows).fill(Number.NaN);
    return { kind: this.#kind, values: spread(body, values, none), tooLarge: spreadLarge(body, tooLarge) };
  }

  async #next(): Promise<Rows> {
    for (;;) {
      const page = await this.#pages.next();
      if (page === undefined) return failPages(`${this.#row} rows, and no more pages`);
      if (page.header.kind === "dictionary") {
        const bytes = this.#pages.dictionary(page);
        const { values } = page.header;
        if (this.#reading !== undefined) this.#numbers = plainNumbers(this.#reading, bytes, 0, values);
        else this.#texts = { bytes, offsets: offsetsOf(bytes, 0, values) };
      } else if (page.header.kind !== "other" && page.header.values > 0) return this.#rowsOf(this.#pages.body(page));
    }
  }

  /** The next rows. */
  async take(rows: number): Promise<Column> {
    const numbers = new Float64Array(this.#kind === "number" || this.#kind === "date" ? rows : 0);
    const flags = new Uint8Array(this.#kind === "boolean" ? rows : 0);
    const texts = new TextRows(this.#kind === "text" ? rows : 0);
    for (let done = 0; done < rows; ) {
      if (this.#page === undefined) [this.#page, this.#taken] = [await this.#next(), 0];
      const page = this.#page;
      const begin = this.#taken;
      const end = Math.min(page.values.length, begin + rows - done);
      const first = this.#row - begin;
      const placeOf = (row: number): string => this.#placeOf(first + row);
      if (page.kind === "text") texts.put(page.values, page.texts, begin, end, done, placeOf);
      else if (page.kind === "boolean") flags.set(page.values.subarray(begin, end), done);
      else {
        refuseLarge(page.tooLarge, begin, end, placeOf);
        if (rows === page.values.length) {
          [this.#page, this.#row] = [undefined, this.#row + rows];
          return { kind: page.kind, values: page.values };
        }
        numbers.set(page.values.subarray(begin, end), done);
      }
      done += end - begin;
      this.#row += end - begin;
      this.#taken = end;
      if (end === page.values.length) this.#page = undefined;
    }
    switch (this.#kind) {
      case "text":
        return { kind: "text", codes: texts.codes, levels: texts.levels };
      case "boolean":
        return { kind: "boolean", values: flags };
      default:
        return { kind: this.#kind, values: numbers };
    }
  }
}

/** Rows of values that no double holds, of places among those that are there. */
function spreadLarge({ present }: Body, tooLarge: Numbers["tooLarge"]): Numbers["tooLarge"] {
  if (tooLarge === undefined || present === undefined) return tooLarge;
  const rows = new Map<number, bigint>();
  for (let row = 0, next = 0; row < present.length; row++) {
    if (present[row] !== 1) continue;
    const value = tooLarge.get(next++);
    if (value !== undefined) rows.set(row, value);
  }
  return rows;
}

function refuseLarge(tooLarge: Numbers["tooLarge"], begin: number, end: number, placeOf: PlaceOf): void {
  for (const [row, value] of tooLarge ?? [])
    if (row >= begin && row < end) refuseData(placeOf(row), "an integer that a double holds", `${value}`);
}

/** Encodings that are read here. */
const KNOWN: readonly ColumnMetaData["encodings"][number][] = [
  "PLAIN",
  "PLAIN_DICTIONARY",
  "RLE_DICTIONARY",
  "RLE",
  "BIT_PACKED",
];

/** A column of a row group; `undefined` for one whose values are of another type, or packed in another way. */
export function flatColumn(
  slices: Slices,
  element: SchemaElement,
  meta: ColumnMetaData,
  kind: ColumnKind,
  compressors: Compressors,
  placeOf: PlaceOf,
): FlatColumn | undefined {
  const isNumber = kind === "number" || kind === "date";
  const reading = isNumber ? numberReading(element, kind) : undefined;
  const type = kind === "boolean" ? "BOOLEAN" : kind === "text" ? "BYTE_ARRAY" : reading?.type;
  const isKnown = meta.encodings.every((encoding) => KNOWN.includes(encoding));
  if (element.type !== type || meta.path_in_schema.length !== 1 || !isKnown) return undefined;
  const isOptional = element.repetition_type !== "REQUIRED";
  if (element.repetition_type === "REPEATED") return undefined;
  return new FlatColumn(new Pages(slices, meta, compressors, isOptional), kind, reading, placeOf);
}

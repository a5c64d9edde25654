// Pages of a column of one row group, read and unpacked one after the other.
import type { ColumnMetaData, Compressors } from "hyparquet";
import type { Slices } from "../slices.js";
import { CutHeader, failPages, type PageHeader, pageHeader, RLE } from "./header.js";
import { unpackHybrid } from "./hybrid.js";

/** Bytes that are read at once, where a page has no more. */
const WINDOW = 1_048_576;

/** Bytes of a page, and rows: what more is, is damaged. */
const LARGEST = 1_073_741_824;
const MOST_ROWS = 134_217_728;

/** A page as it lies. */
interface Page {
  readonly header: PageHeader;
  readonly bytes: Uint8Array;
}

/** The values of a page. */
export interface Body {
  readonly rows: number;
  /** 1 for the rows that have a value; `undefined` where all have. */
  readonly present: Uint8Array | undefined;
  /** Rows that have one: so many values begin in `bytes` at `begin`. */
  readonly count: number;
  readonly bytes: Uint8Array;
  readonly begin: number;
  readonly encoding: number;
}

/** Reads the pages of a column in a row group. */
export class Pages {
  readonly #slices: Slices;
  readonly #codec: ColumnMetaData["codec"];
  readonly #compressors: Compressors;
  readonly #isOptional: boolean;
  readonly #end: number;
  /** Where the next page begins in the file, and the bytes that were read of it and of others. */
  #at: number;
  #window = new Uint8Array(0);
  #windowAt: number;

  constructor(slices: Slices, meta: ColumnMetaData, compressors: Compressors, isOptional: boolean) {
    this.#slices = slices;
    this.#codec = meta.codec;
    this.#compressors = compressors;
    this.#isOptional = isOptional;
    this.#at = Number(meta.dictionary_page_offset) || Number(meta.data_page_offset);
    this.#windowAt = this.#at;
    this.#end = this.#at + Number(meta.total_compressed_size);
    if (!(this.#at >= 0 && this.#end <= slices.byteLength)) failPages("pages that lie outside of the file");
  }

  /** Bytes from `#at` on, `length` at least or up to the end of the column. */
  async #ahead(length: number): Promise<Uint8Array> {
    const wanted = Math.min(this.#at + length, this.#end);
    if (this.#windowAt + this.#window.length < wanted) {
      const end = Math.min(Math.max(wanted, this.#at + WINDOW), this.#end);
      this.#window = new Uint8Array(await this.#slices.slice(this.#at, end));
      this.#windowAt = this.#at;
    }
    return this.#window.subarray(this.#at - this.#windowAt);
  }

  async #header(): Promise<PageHeader> {
    for (let length = 4096; ; length *= 16) {
      const bytes = await this.#ahead(length);
      try {
        return pageHeader(bytes, 0);
      } catch (error) {
        if (!(error instanceof CutHeader) || this.#at + length >= this.#end) throw error;
      }
    }
  }

  /** The next page; `undefined` behind the last. */
  async next(): Promise<Page | undefined> {
    if (this.#at >= this.#end) return undefined;
    const header = await this.#header();
    const whole = header.length + header.packed;
    const bytes = await this.#ahead(whole);
    if (bytes.length < whole) failPages("a page that is cut off");
    this.#at += whole;
    return { header, bytes: bytes.subarray(header.length, whole) };
  }

  #unpacked(bytes: Uint8Array, length: number): Uint8Array {
    if (length > LARGEST) failPages(`a page of ${length} bytes`);
    if (this.#codec === "UNCOMPRESSED") return bytes;
    const unpack = this.#compressors[this.#codec] ?? failPages(`pages packed by ${this.#codec}`);
    const unpacked = length === 0 ? new Uint8Array(0) : unpack(bytes, length);
    return unpacked.length === length ? unpacked : failPages("a page of another length than it says");
  }

  /** The bytes of a dictionary. */
  dictionary({ header, bytes }: Page): Uint8Array {
    return this.#unpacked(bytes, header.unpacked);
  }

  /** The values of a page of data. */
  body({ header, bytes: packed }: Page): Body {
    const { values: rows, encoding, definitionBytes, repetitionBytes } = header;
    if (rows > MOST_ROWS) failPages(`a page of ${rows} rows`);
    if (header.kind === "data 2") {
      const begin = definitionBytes + repetitionBytes;
      if (begin > packed.length) failPages("a page that is cut off");
      const present = this.#isOptional ? presentIn(packed, repetitionBytes, begin, rows) : undefined;
      const count = countOf(rows, present);
      if (rows - count !== header.missing) failPages(`${rows - count} rows without a value, not ${header.missing}`);
      const rest = packed.subarray(begin);
      const bytes = header.isPacked ? this.#unpacked(rest, Math.max(0, header.unpacked - begin)) : rest;
      return { rows, present, count, bytes, begin: 0, encoding };
    }
    const bytes = this.#unpacked(packed, header.unpacked);
    if (!this.#isOptional) return { rows, present: undefined, count: rows, bytes, begin: 0, encoding };
    if (header.levelEncoding !== RLE || bytes.length < 4) failPages("a page without the rows that have a value");
    const begin = 4 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    const present = presentIn(bytes, 4, begin, rows);
    return { rows, present, count: countOf(rows, present), bytes, begin, encoding };
  }
}

function presentIn(bytes: Uint8Array, begin: number, end: number, rows: number): Uint8Array | undefined {
  if (end > bytes.length) failPages("a page that is cut off");
  const present = new Uint8Array(rows);
  unpackHybrid(bytes, begin, end, 1, present);
  return present.includes(0) ? present : undefined;
}

function countOf(rows: number, present: Uint8Array | undefined): number {
  if (present === undefined) return rows;
  let count = 0;
  for (let row = 0; row < rows; row++) count += present[row] ?? 0;
  return count;
}

// Columns out of the values that a scanner has cut: numbers and texts, column by column.
import { FNV_BASIS } from "../../tensor/fnv1a.js";
import { joinedTexts, type NumberColumn, type TextColumn } from "../column.js";
import { numberIn } from "./numbers.js";
import { DOUBLED, type Scanner } from "./scan.js";

/** A block of text, cut into rows of as many values as there are columns. */
export interface Cut {
  readonly bytes: Uint8Array;
  readonly scanner: Scanner;
  readonly columns: number;
  /** Rows before `begin` are passed over: that of the names. */
  readonly begin: number;
  readonly rows: number;
}

/** Words that stand for a missing number, as bytes. */
export class Markers {
  readonly #words: readonly Uint8Array[];

  constructor(words: readonly string[]) {
    const encoder = new TextEncoder();
    this.#words = words.map((word) => encoder.encode(word));
  }

  has(bytes: Uint8Array, begin: number, end: number): boolean {
    const length = end - begin;
    return this.#words.some((word) => {
      if (word.length !== length) return false;
      for (let at = 0; at < length; at++) if (word[at] !== bytes[begin + at]) return false;
      return true;
    });
  }
}

/** The numbers of a column; the row of the first value that is none. */
export function numbersOf(cut: Cut, column: number, markers: Markers, point: number): NumberColumn | number {
  const { bytes, scanner, columns, begin, rows } = cut;
  const { spans } = scanner;
  const values = new Float64Array(rows);
  let place = 2 * (begin * columns + column);
  for (let row = 0; row < rows; row++, place += 2 * columns) {
    const from = spans[place] ?? 0;
    const to = spans[place + 1] ?? 0;
    const value = numberIn(bytes, from, to, point);
    if (Number.isNaN(value) && to > from && !markers.has(bytes, from, to)) return row;
    values[row] = value;
  }
  return { kind: "number", values };
}

/** Places of texts in a table of hashes, to begin with. */
const PLACES = 64;

/** Different texts of a block by their bytes, each of which is decoded once. */
class Levels {
  readonly levels: string[] = [];
  /** Whether bytes that differ may say the same, as quotes are doubled in some. */
  hasDoubled = false;
  readonly #bytes: Uint8Array;
  readonly #scanner: Scanner;
  /** First byte and length of each level's first appearance. */
  #spans = new Int32Array(PLACES);
  #hashes = new Int32Array(PLACES / 2);
  #table = new Int32Array(PLACES);

  constructor({ bytes, scanner }: Cut) {
    this.#bytes = bytes;
    this.#scanner = scanner;
  }

  /** The code of a value's text; −1 of nothing. */
  code(field: number): number {
    const bytes = this.#bytes;
    const { spans, forms } = this.#scanner;
    const begin = spans[2 * field] ?? 0;
    const end = spans[2 * field + 1] ?? 0;
    if (begin === end) return -1;
    const doubled = forms[field] === DOUBLED;
    let hash = doubled ? ~FNV_BASIS : FNV_BASIS; // of FNV-1a
    for (let at = begin; at < end; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193);
    hash ^= hash >>> 15;
    const mask = this.#table.length - 1;
    let place = hash & mask;
    for (;;) {
      const code = (this.#table[place] ?? 0) - 1;
      if (code < 0) break;
      if (this.#hashes[code] === hash && this.#same(code, begin, end)) return code;
      place = (place + 1) & mask;
    }
    if (doubled) this.hasDoubled = true;
    return this.#add(place, hash, begin, end, this.#scanner.text(bytes, field));
  }

  #same(code: number, begin: number, end: number): boolean {
    const bytes = this.#bytes;
    const from = this.#spans[2 * code] ?? 0;
    if (this.#spans[2 * code + 1] !== end - begin) return false;
    for (let at = 0; at < end - begin; at++) if (bytes[from + at] !== bytes[begin + at]) return false;
    return true;
  }

  #add(place: number, hash: number, begin: number, end: number, text: string): number {
    const code = this.levels.push(text) - 1;
    if (2 * code + 1 >= this.#spans.length) this.#grow();
    this.#spans[2 * code] = begin;
    this.#spans[2 * code + 1] = end - begin;
    this.#hashes[code] = hash;
    if (2 * code < this.#table.length) this.#table[place] = code + 1;
    else this.#rehash();
    return code;
  }

  #grow(): void {
    const [spans, hashes] = [this.#spans, this.#hashes];
    this.#spans = new Int32Array(2 * spans.length);
    this.#spans.set(spans);
    this.#hashes = new Int32Array(2 * hashes.length);
    this.#hashes.set(hashes);
  }

  #rehash(): void {
    this.#table = new Int32Array(4 * this.#table.length);
    const mask = this.#table.length - 1;
    for (let code = 0; code < this.levels.length; code++) {
      let place = (this.#hashes[code] ?? 0) & mask;
      while (this.#table[place] !== 0) place = (place + 1) & mask;
      this.#table[place] = code + 1;
    }
  }
}

/** The texts of a column: as they stand, but for spaces around those that are not between quotes. An empty one is missing. */
export function textsOf(cut: Cut, column: number): TextColumn {
  const { columns, begin, rows } = cut;
  const codes = new Int32Array(rows);
  const found = new Levels(cut);
  let field = begin * columns + column;
  for (let row = 0; row < rows; row++, field += columns) codes[row] = found.code(field);
  const { levels, hasDoubled } = found;
  const made: TextColumn = { kind: "text", codes, levels };
  return hasDoubled ? joinedTexts([made]) : made;
}

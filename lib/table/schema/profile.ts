// What a column holds, gathered block by block: no more of it is kept than guesses need.
import { type Column, eachLevel, lengthOf, NO_BOOLEAN, type TextColumn } from "../column.js";
import type { Table } from "../table.js";
import { mixed } from "./codes.js";

/** Different values that are counted one by one. */
export const MOST_LEVELS = 10_000;

/** Words that usually stand for a missing value. */
export const MARKERS = ["NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "none", "-", "?", "."];

/** Those that always do, unless a schema says otherwise. */
export const MISSING = ["NA", "N/A", "NaN", "nan", "null", "NULL"];

/** Rows by number, in the order in which numbers come. */
class NumberCounts {
  size = 0;
  #values = new Float64Array(32);
  #rows = new Float64Array(32);
  /** Places of numbers by their bits, one behind what it should be where that is taken. */
  #places = new Int32Array(64).fill(-1);
  readonly #bits = new Int32Array(2);
  readonly #one = new Float64Array(this.#bits.buffer);

  add(value: number): void {
    const place = this.#find(value);
    const index = this.#places[place] ?? -1;
    if (index >= 0) {
      this.#rows[index] = (this.#rows[index] ?? 0) + 1;
      return;
    }
    if (this.size === this.#values.length) {
      this.#grow();
      this.add(value);
      return;
    }
    this.#places[place] = this.size;
    this.#values[this.size] = value;
    this.#rows[this.size] = 1;
    this.size += 1;
  }

  #find(value: number): number {
    this.#one[0] = value + 0; // −0 is 0
    const mask = this.#places.length - 1;
    let place = mixed(mixed(0, this.#bits[0] ?? 0), this.#bits[1] ?? 0) & mask;
    for (let index = this.#places[place] ?? -1; index >= 0 && this.#values[index] !== value; ) {
      place = (place + 1) & mask;
      index = this.#places[place] ?? -1;
    }
    return place;
  }

  #grow(): void {
    const [values, rows] = [new Float64Array(2 * this.size), new Float64Array(2 * this.size)];
    values.set(this.#values);
    rows.set(this.#rows);
    this.#places = new Int32Array(2 * this.#places.length).fill(-1);
    for (let index = 0; index < this.size; index++) this.#places[this.#find(values[index] ?? 0)] = index;
    [this.#values, this.#rows] = [values, rows];
  }

  *[Symbol.iterator](): Generator<readonly [value: number, rows: number]> {
    for (let index = 0; index < this.size; index++) yield [this.#values[index] ?? 0, this.#rows[index] ?? 0];
  }
}

/** Figures of a column. */
export class Profile {
  readonly kind: Column["kind"];
  rows = 0;
  missing = 0;
  /** Rows by text, or by number until there are more than are counted. */
  readonly #texts = new Map<string, number>();
  #numbers: NumberCounts | undefined = new NumberCounts();
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  integers = true;
  /** Whether each value was larger than the one before it. */
  rising = true;
  /** Of texts: words, and characters. */
  words = 0;
  characters = 0;
  #last = Number.NEGATIVE_INFINITY;

  constructor(kind: Column["kind"]) {
    this.kind = kind;
  }

  /** Rows that have a value. */
  get present(): number {
    return this.rows - this.missing;
  }

  /** Rows by value, as text; `undefined` once there are more than are counted. */
  get counts(): ReadonlyMap<string, number> | undefined {
    if (this.kind === "text") return this.#texts;
    if (this.#numbers === undefined) return undefined;
    const words = (value: number): string => (this.kind === "boolean" ? String(value === 1) : String(value));
    return new Map(Array.from(this.#numbers, ([value, rows]) => [words(value), rows]));
  }

  add(column: Column): void {
    if (column.kind === "text") this.#addTexts(column);
    else this.#addValues(column);
    this.rows += lengthOf(column);
  }

  #addTexts(column: TextColumn): void {
    this.missing += column.codes.length;
    eachLevel(column, (level, rows) => {
      this.missing -= rows;
      this.#texts.set(level, (this.#texts.get(level) ?? 0) + rows);
      this.words += rows * wordsIn(level);
      this.characters += rows * level.length;
    });
  }

  #addValues({ kind, values }: Exclude<Column, TextColumn>): void {
    const missing = kind === "boolean" ? NO_BOOLEAN : Number.NaN;
    for (let row = 0; row < values.length && this.#numbers !== undefined; row++) {
      const value = values[row] ?? missing;
      if (value !== missing && !Number.isNaN(value)) this.#numbers.add(value);
      if (this.#numbers.size > MOST_LEVELS) this.#numbers = undefined;
    }
    let [gone, min, max, last] = [0, this.min, this.max, this.#last];
    let { integers, rising } = this;
    for (let row = 0; row < values.length; row++) {
      const value = values[row] ?? missing;
      if (value === missing || Number.isNaN(value)) {
        gone += 1;
        continue;
      }
      if (value < min) min = value;
      if (value > max) max = value;
      integers = integers && Number.isInteger(value);
      rising = rising && value > last;
      last = value;
    }
    this.missing += gone;
    [this.min, this.max, this.#last, this.integers, this.rising] = [min, max, last, integers, rising];
  }
}

function wordsIn(text: string): number {
  return text.split(/\s+/).filter((word) => word !== "").length;
}

/** Figures of all columns of tables. */
export class Profiles {
  readonly columns = new Map<string, Profile>();

  add(table: Table): void {
    for (const name of table.names) {
      const column = table.column(name);
      let profile = this.columns.get(name);
      if (profile === undefined || (profile.present === 0 && profile.kind !== column.kind)) {
        const before = profile?.rows ?? 0;
        profile = new Profile(column.kind);
        [profile.rows, profile.missing] = [before, before];
        this.columns.set(name, profile);
      }
      profile.add(column);
    }
  }
}

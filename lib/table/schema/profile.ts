// What a column holds, gathered block by block: no more of it is kept than guesses need.
import { type Column, eachLevel, lengthOf, NO_BOOLEAN, type TextColumn } from "../column.js";
import type { Table } from "../table.js";

/** Different values that are counted one by one. */
export const MOST_LEVELS = 10_000;

/** Words that usually stand for a missing value. */
export const MARKERS = ["NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "none", "-", "?", "."];

/** Those that always do, unless a schema says otherwise. */
export const MISSING = ["NA", "N/A", "NaN", "nan", "null", "NULL"];

/** Figures of a column. */
export class Profile {
  readonly kind: Column["kind"];
  rows = 0;
  missing = 0;
  /** Rows by value, as text; `undefined` once there are more than are counted. */
  counts: Map<string, number> | undefined = new Map();
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

  add(column: Column): void {
    if (column.kind === "text") this.#addTexts(column);
    else this.#addValues(column);
    this.rows += lengthOf(column);
  }

  #addTexts(column: TextColumn): void {
    this.missing += column.codes.length;
    eachLevel(column, (level, rows) => {
      this.missing -= rows;
      this.#count(level, rows);
      this.words += rows * wordsIn(level);
      this.characters += rows * level.length;
    });
  }

  #addValues({ kind, values }: Exclude<Column, TextColumn>): void {
    const counts = new Map<number, number>();
    for (let row = 0; row < values.length; row++) {
      const value = values[row] ?? Number.NaN;
      if (kind === "boolean" ? value === NO_BOOLEAN : Number.isNaN(value)) {
        this.missing += 1;
        continue;
      }
      if (value < this.min) this.min = value;
      if (value > this.max) this.max = value;
      if (!Number.isInteger(value)) this.integers = false;
      if (value <= this.#last) this.rising = false;
      this.#last = value;
      if (this.counts !== undefined && counts.size <= MOST_LEVELS) counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    for (const [value, rows] of counts) this.#count(kind === "boolean" ? String(value === 1) : String(value), rows);
  }

  #count(level: string, rows: number): void {
    if (this.counts === undefined) return;
    this.counts.set(level, (this.counts.get(level) ?? 0) + rows);
    if (this.counts.size > MOST_LEVELS && this.kind !== "text") this.counts = undefined;
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

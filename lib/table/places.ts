import type { Dialect } from "./csv/dialect.js";

/** Where the rows of a table stand: rows of one file, or of one thing in memory. Plain data, which another thread can be handed. */
export interface Stretch {
  /** Rows of the table. */
  readonly rows: number;
  /** The file, or what the rows are called. */
  readonly source: string;
  /** How the source counts: lines of a text, from 1, or rows, from 0. */
  readonly unit: "line" | "row";
  /** The line, or row, of the first one. */
  readonly first: number;
  /** Lines of all rows, where they do not follow one another. */
  readonly lines?: Int32Array | undefined;
  /** How the source is written, if it is separated text. */
  readonly dialect?: Dialect | undefined;
}

/** Where each row of a table comes from, for errors and explanations. */
export class Places {
  readonly stretches: readonly Stretch[];
  /** Rows of the stretches that were picked; all from `#begin` on, if there is none. */
  readonly #rows: Uint32Array | undefined;
  readonly #begin: number;

  constructor(stretches: readonly Stretch[], rows?: Uint32Array | undefined, begin = 0) {
    this.stretches = stretches;
    this.#rows = rows;
    this.#begin = begin;
  }

  /** Of the rows [0, rows) of something in memory. */
  static inMemory(source: string, rows: number): Places {
    return new Places([{ rows, source, unit: "row", first: 0 }]);
  }

  #placeOf(row: number): number {
    return this.#rows === undefined ? this.#begin + row : (this.#rows[row] ?? row);
  }

  /** `churn.csv, line 17`. */
  of(row: number): string {
    let left = this.#placeOf(row);
    for (const { rows, source, unit, first, lines } of this.stretches) {
      if (left < rows) return `${source}, ${unit} ${lines?.[left] ?? first + left}`;
      left -= rows;
    }
    return `row ${row}`;
  }

  /** Names of the sources, each once. */
  get sources(): readonly string[] {
    return [...new Set(this.stretches.map(({ source }) => source))];
  }

  /** Of the rows of these numbers. */
  picked(rows: ArrayLike<number>): Places {
    return new Places(
      this.stretches,
      Uint32Array.from(rows, (row) => this.#placeOf(row)),
    );
  }

  /** Of the rows from `begin` on. */
  from(begin: number): Places {
    if (this.#rows === undefined) return new Places(this.stretches, undefined, this.#begin + begin);
    return new Places(this.stretches, this.#rows.subarray(begin));
  }

  /** Those of several whole tables, one behind the other. */
  static joined(tables: readonly { readonly rows: number; readonly places: Places }[]): Places {
    const stretches = tables.flatMap(({ places }) => places.stretches);
    const isWhole = ({ rows, places }: (typeof tables)[number]): boolean =>
      places.#rows === undefined && places.#begin === 0 && rows === sizeOf(places.stretches);
    if (tables.every(isWhole)) return new Places(stretches);
    const rows = new Uint32Array(tables.reduce((sum, one) => sum + one.rows, 0));
    let [begin, at] = [0, 0];
    for (const { rows: count, places } of tables) {
      for (let row = 0; row < count; row++) rows[at + row] = begin + places.#placeOf(row);
      begin += sizeOf(places.stretches);
      at += count;
    }
    return new Places(stretches, rows);
  }
}

function sizeOf(stretches: readonly Stretch[]): number {
  return stretches.reduce((sum, { rows }) => sum + rows, 0);
}

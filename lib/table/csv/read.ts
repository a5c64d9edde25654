// Separated text, block by block: columns of numbers and texts, whose kinds the first block decides unless they are given.
import { describe, fail } from "../../errors.js";
import type { Column } from "../column.js";
import { Places } from "../places.js";
import { refuseData } from "../refusal.js";
import type { Bytes } from "../source.js";
import { Table } from "../table.js";
import { Blocks } from "./blocks.js";
import { columnNames, type Dialect, type DialectOptions, sniffDialect, type Written } from "./dialect.js";
import { type Cut, Markers, numbersOf, textsOf } from "./fields.js";
import { type Fault, Scanner } from "./scan.js";

/** What a column of separated text may hold. */
export type FieldKind = "number" | "text";

/** How separated text is read. */
export interface CsvOptions extends DialectOptions {
  /** Names of the columns, in the place of those that the first row has. */
  readonly columns?: readonly string[] | undefined;
  /** Kinds of columns by their names; of the others the first rows tell it. */
  readonly kinds?: Readonly<Record<string, FieldKind>> | undefined;
  /** Those of the kinds whose columns must be there. */
  readonly named: readonly string[];
  /** Words that stand for a missing number in a column, besides nothing at all. */
  missingIn(name: string): readonly string[];
}

/** A column that was taken for numbers, and has something else further on. */
export interface Contradiction {
  readonly column: string;
  /** `churn.csv, line 17`. */
  readonly place: string;
  readonly text: string;
}

/** Bytes of the longest row. */
export const LONGEST_ROW = 67_108_864;

/**
 * The tables of a text, a block each. A value that is no number in a column of numbers is one of the contradictions, and the column's are texts from that
 * block on: then the text is to be read once more, with that column as texts.
 */
export async function* csvTables(
  source: Bytes,
  options: CsvOptions,
  contradictions: Contradiction[],
): AsyncGenerator<Table> {
  const blocks = new Blocks(source, LONGEST_ROW);
  try {
    const first = await firstRows(blocks);
    const reader = new Reader(source.name, sniffDialect(first, options, blocks.last), options, contradictions);
    for (let bytes: Uint8Array | undefined = first; bytes !== undefined; bytes = await blocks.next()) {
      const { table, used } = reader.read(bytes, blocks.last, blocks.offset);
      if (used === 0 && blocks.full) reader.failLong();
      blocks.use(used);
      if (table !== undefined) yield table;
    }
    if (reader.names === undefined) refuseData(source.name, "rows", "an empty file");
    // Names alone are a table of no rows.
    if (!reader.hasRows) yield reader.empty();
  } finally {
    await blocks.close();
  }
}

/** The first block, with the end of a line in it: what the first row is cannot be told before. */
async function firstRows(blocks: Blocks): Promise<Uint8Array> {
  for (;;) {
    const bytes = await blocks.fill();
    if (blocks.last || blocks.full || bytes.includes(10) || bytes.includes(13)) return bytes;
    blocks.use(0);
  }
}

const NO_MARKERS = new Markers([]);

class Reader {
  readonly #name: string;
  readonly #dialect: Dialect;
  readonly #options: CsvOptions;
  readonly #contradictions: Contradiction[];
  readonly #scanner: Scanner;
  #markers: readonly Markers[] = [];
  /** Kinds of the columns, if given or found. */
  #kinds: (FieldKind | undefined)[] = [];
  names: readonly string[] | undefined;
  /** The line that the next block begins with. */
  #line = 1;
  hasRows = false;

  constructor(name: string, { dialect, newline }: Written, options: CsvOptions, contradictions: Contradiction[]) {
    this.#name = name;
    this.#dialect = dialect;
    this.#options = options;
    this.#contradictions = contradictions;
    this.#scanner = new Scanner({ ...dialect, newline });
  }

  #place(line: number): string {
    return `${this.#name}, line ${line}`;
  }

  /** The rows of a block, and how many of its bytes they are. */
  read(bytes: Uint8Array, last: boolean, offset: number): { readonly table: Table | undefined; readonly used: number } {
    const scanner = this.#scanner;
    const { rows, end, fault } = scanner.scan(bytes, 0, bytes.length, { last });
    this.#checkText(bytes, end, offset);
    const begin = rows === 0 ? 0 : this.#start(bytes);
    if (fault !== undefined) this.#failFault(fault);
    if (rows === 0) {
      this.#line += scanner.passed;
      return { table: undefined, used: end };
    }
    const names = this.names ?? [];
    this.#checkCounts(bytes, rows, names.length);
    const cut: Cut = { bytes, scanner, columns: names.length, begin, rows: rows - begin };
    const table = cut.rows === 0 ? undefined : this.#table(cut, names);
    this.#line += scanner.passed;
    return { table, used: end };
  }

  empty(): Table {
    return new Table(
      new Map((this.names ?? []).map((name) => [name, { kind: "text", codes: new Int32Array(), levels: [] }])),
      new Places([{ rows: 0, source: this.#name, unit: "line", first: this.#line, dialect: this.#dialect }]),
    );
  }

  /** Rows of the first block that are no data: that of the names. */
  #start(bytes: Uint8Array): number {
    if (this.names !== undefined) return 0;
    const [first = []] = this.#scanner.texts(bytes, 1);
    const { header } = this.#dialect;
    const { columns } = this.#options;
    if (columns !== undefined && columns.length !== first.length) {
      const where = this.#place(this.#line);
      fail("ERR_DATA", where, `a row of ${columns.length} values, as 'columns' says,`, first.length);
    }
    this.names =
      columns ??
      (header
        ? columnNames(this.#place(this.#line + (this.#scanner.lines[0] ?? 0)), first)
        : first.map((_, at) => `column${at + 1}`));
    return header ? 1 : 0;
  }

  #table(cut: Cut, names: readonly string[]): Table {
    if (!this.hasRows) this.#expect(names);
    this.hasRows = true;
    const kinds = this.#kinds;
    const columns = names.map((name, at): [string, Column] => {
      if (kinds[at] === "text") return [name, textsOf(cut, at)];
      const numbers = this.#numbers(cut, at);
      if (typeof numbers === "number") {
        if (kinds[at] === "number") this.#contradict(cut, at, name, numbers);
        kinds[at] = "text";
        return [name, textsOf(cut, at)];
      }
      kinds[at] = "number";
      return [name, numbers];
    });
    return new Table(new Map(columns), this.#places(cut));
  }

  #numbers(cut: Cut, at: number): ReturnType<typeof numbersOf> {
    return numbersOf(cut, at, this.#markers[at] ?? NO_MARKERS, this.#dialect.decimal.charCodeAt(0));
  }

  /** What is given of the columns; the first block decides the other kinds: numbers where nothing else stands. */
  #expect(names: readonly string[]): void {
    const { kinds = {}, named } = this.#options;
    for (const name of named) {
      if (!names.includes(name)) fail("ERR_DATA", `${this.#name}.kinds`, `columns of '${this.#name}' alone`, name);
    }
    this.#markers = names.map((name) => new Markers(this.#options.missingIn(name)));
    this.#kinds = names.map((name) => (Object.hasOwn(kinds, name) ? kinds[name] : undefined));
  }

  #contradict({ begin, columns, bytes }: Cut, column: number, name: string, row: number): void {
    const place = this.#place(this.#line + (this.#scanner.lines[begin + row] ?? 0));
    const text = this.#scanner.text(bytes, (begin + row) * columns + column);
    const { kinds = {} } = this.#options;
    if (Object.hasOwn(kinds, name)) fail("ERR_DATA", `${place}, column '${name}'`, "a number", text);
    this.#contradictions.push({ column: name, place, text });
  }

  #places({ begin, rows }: Cut): Places {
    const { lines } = this.#scanner;
    const first = this.#line + (lines[begin] ?? 0);
    const regular = (lines[begin + rows - 1] ?? 0) - (lines[begin] ?? 0) === rows - 1;
    const own = regular
      ? undefined
      : Int32Array.from({ length: rows }, (_, row) => this.#line + (lines[begin + row] ?? 0));
    return new Places([{ rows, source: this.#name, unit: "line", first, lines: own, dialect: this.#dialect }]);
  }

  #checkCounts(bytes: Uint8Array, rows: number, columns: number): void {
    const { ends, lines } = this.#scanner;
    for (let row = 0; row < rows; row++) {
      if (ends[row] === (row + 1) * columns) continue;
      const begin = row * columns;
      const fields = (ends[row] ?? 0) - begin;
      const where = this.#place(this.#line + (lines[row] ?? 0));
      const last = describe(this.#scanner.text(bytes, begin + fields - 1));
      refuseData(where, `${columns} value${columns === 1 ? "" : "s"}`, `${fields}, the last of which is ${last}`);
    }
  }

  /** `ERR_DATA` for bytes [0, end) that are no UTF-8. */
  #checkText(bytes: Uint8Array, end: number, offset: number): void {
    const { isUtf8 } = process.getBuiltinModule("node:buffer");
    if (isUtf8(bytes.subarray(0, end))) return;
    let from = 0;
    let line = 0;
    for (let at = 0; at < end; at++) {
      if (bytes[at] !== 10 && at + 1 < end) continue;
      if (!isUtf8(bytes.subarray(from, at + 1))) break;
      from = at + 1;
      line += 1;
    }
    const where = this.#place(this.#line + line);
    const received = `other bytes, in the line that begins at byte ${offset + from}: give { encoding }, such as 'latin1'`;
    refuseData(where, "UTF-8", received);
  }

  #failFault({ kind, field, line }: Fault): never {
    const name = this.names?.[field];
    const column = name === undefined ? `column ${field + 1}` : `column '${name}'`;
    const where = `${this.#place(this.#line + line)}, ${column}`;
    return kind === "open quote"
      ? refuseData(where, "a quote that is closed before the end of the file", "a quote that stays open")
      : refuseData(where, "a delimiter or the end of the line behind a closing quote", "other text");
  }

  /** The row that begins the block does not end within what a row may have. */
  failLong(): never {
    const expected = `a row of at most ${LONGEST_ROW} bytes`;
    return refuseData(this.#place(this.#line), expected, "a longer one, which a quote that is not closed would make");
  }
}

// Where the values of separated text begin and end, row by row.

/** Why no more rows can be cut. */
export interface Fault {
  /** Row among those of the call, and value in it, both from 0. */
  readonly row: number;
  readonly field: number;
  /** Lines from the first byte of the call to the row's beginning. */
  readonly line: number;
  readonly kind: "behind a quote" | "open quote";
}

/** What a call has found. */
export interface Scanned {
  /** Whole rows. */
  readonly rows: number;
  /** Behind the last byte of the last one. */
  readonly end: number;
  readonly fault: Fault | undefined;
}

const RETURN = 13;
const SPACE = 32;
const TAB = 9;

/** Values as they lie: what the spans of {@link Scanner} say of them. */
const UNQUOTED = 0;
const QUOTED = 1;
export const DOUBLED = 2;

/** Where a row cannot be cut on. */
type Stop = "more" | Fault["kind"];

/** Cuts bytes into rows of values. Its arrays are of the last call. */
export class Scanner {
  readonly #delimiter: number;
  readonly #quote: number;
  readonly #newline: number;
  /** Bytes beside values that are none of them: spaces and tabs, unless they delimit. */
  readonly #blank: number;
  readonly #tab: number;
  /** First byte, and the byte behind the last, of each value in turn. */
  spans = new Int32Array(2048);
  /** How each value stands: by itself, between quotes, or with quotes of its own between them. */
  forms = new Uint8Array(1024);
  /** Values up to the end of each row. */
  ends = new Int32Array(1024);
  /** Lines from the first byte of the call to the beginning of each row. */
  lines = new Int32Array(1024);
  /** Lines that the call has gone over. */
  passed = 0;
  #fields = 0;
  #line = 0;
  #stop: Stop | undefined;

  constructor(dialect: { readonly delimiter: string; readonly quote: string; readonly newline: string }) {
    this.#delimiter = dialect.delimiter.charCodeAt(0);
    this.#quote = dialect.quote === "" ? -1 : dialect.quote.charCodeAt(0);
    this.#newline = dialect.newline.charCodeAt(0);
    this.#blank = this.#delimiter === SPACE ? RETURN : SPACE;
    this.#tab = this.#delimiter === TAB ? this.#blank : TAB;
  }

  /**
   * Cuts bytes [begin, end) into whole rows, `most` at most. Empty lines are no rows. What is behind the last end of a line is left for the next
   * call, unless `last` says that nothing follows.
   */
  scan(
    bytes: Uint8Array,
    begin: number,
    end: number,
    { last, most = Number.POSITIVE_INFINITY }: { readonly last: boolean; readonly most?: number },
  ): Scanned {
    let rows = 0;
    let at = begin;
    [this.#fields, this.#line, this.passed] = [0, 0, 0];
    while (at < end && rows < most) {
      const [from, line, first] = [at, this.#line, this.#fields];
      at = this.#row(bytes, at, end, last);
      if (this.#stop !== undefined) {
        const field = this.#fields - first;
        const fault = this.#stop === "more" ? undefined : { row: rows, field, line, kind: this.#stop };
        return { rows, end: from, fault };
      }
      this.passed = this.#line;
      if (this.#fields === first + 1 && this.#isEmpty(first)) {
        this.#fields = first;
        continue;
      }
      if (rows >= this.ends.length) this.#lengthen();
      this.ends[rows] = this.#fields;
      this.lines[rows] = line;
      rows += 1;
    }
    return { rows, end: at, fault: undefined };
  }

  /** The byte behind the row that begins at a byte. */
  #row(bytes: Uint8Array, begin: number, end: number, last: boolean): number {
    let at = begin;
    this.#stop = undefined;
    for (;;) {
      if (this.#fields >= this.forms.length) this.#widen();
      while (at < end && (bytes[at] === this.#blank || bytes[at] === this.#tab)) at += 1;
      at = at < end && bytes[at] === this.#quote ? this.#quoted(bytes, at, end, last) : this.#plain(bytes, at, end);
      if (this.#stop !== undefined) return at;
      this.#fields += 1;
      if (at >= end) {
        if (!last) this.#stop = "more";
        return at;
      }
      const closed = bytes[at] === this.#newline;
      at += 1;
      if (closed) {
        this.#line += 1;
        return at;
      }
    }
  }

  /** Notes the value that begins at a byte, and gives the byte that ends it. */
  #plain(bytes: Uint8Array, start: number, end: number): number {
    const [delimiter, newline] = [this.#delimiter, this.#newline];
    let at = start;
    for (; at < end; at++) {
      const byte = bytes[at];
      if (byte === delimiter || byte === newline) break;
    }
    let close = at;
    if (close > start && bytes[close - 1] === RETURN && (at >= end || bytes[at] === newline)) close -= 1;
    while (close > start && (bytes[close - 1] === this.#blank || bytes[close - 1] === this.#tab)) close -= 1;
    this.#note(start, close, UNQUOTED);
    return at;
  }

  /** The same of a value between quotes, the first of which is at a byte. */
  #quoted(bytes: Uint8Array, start: number, end: number, last: boolean): number {
    const [quote, newline] = [this.#quote, this.#newline];
    let [form, lines] = [QUOTED, 0];
    let close = start + 1;
    for (; close < end; close++) {
      const byte = bytes[close];
      if (byte === newline) lines += 1;
      else if (byte === quote) {
        if (close + 1 >= end || bytes[close + 1] !== quote) break;
        form = DOUBLED;
        close += 1;
      }
    }
    // A quote that is the last byte may be the first of two.
    if (close >= end || (close + 1 >= end && !last)) {
      this.#stop = last ? "open quote" : "more";
      return start;
    }
    this.#line += lines;
    this.#note(start + 1, close, form);
    let at = close + 1;
    while (at < end && (bytes[at] === this.#blank || bytes[at] === this.#tab)) at += 1;
    if (at < end && bytes[at] === RETURN && newline !== RETURN) at += 1;
    if (at < end && bytes[at] !== this.#delimiter && bytes[at] !== newline) this.#stop = "behind a quote";
    return at;
  }

  #note(start: number, close: number, form: number): void {
    const field = this.#fields;
    this.spans[2 * field] = start;
    this.spans[2 * field + 1] = close;
    this.forms[field] = form;
  }

  /** Whether nothing stands in the place of a value. */
  #isEmpty(field: number): boolean {
    return this.forms[field] === UNQUOTED && this.spans[2 * field] === this.spans[2 * field + 1];
  }
  #widen(): void {
    const [spans, forms] = [this.spans, this.forms];
    this.spans = new Int32Array(2 * spans.length);
    this.spans.set(spans);
    this.forms = new Uint8Array(2 * forms.length);
    this.forms.set(forms);
  }

  #lengthen(): void {
    const [ends, lines] = [this.ends, this.lines];
    this.ends = new Int32Array(2 * ends.length);
    this.ends.set(ends);
    this.lines = new Int32Array(2 * lines.length);
    this.lines.set(lines);
  }

  /** A value as text. */
  text(bytes: Uint8Array, field: number): string {
    const text = utf8(bytes, this.spans[2 * field] ?? 0, this.spans[2 * field + 1] ?? 0);
    if (this.forms[field] !== DOUBLED) return text;
    const quote = String.fromCharCode(this.#quote);
    return text.replaceAll(quote + quote, quote);
  }

  /** The values of the first rows as texts. */
  texts(bytes: Uint8Array, rows: number): string[][] {
    return Array.from({ length: rows }, (_, row) => {
      const begin = row === 0 ? 0 : (this.ends[row - 1] ?? 0);
      return Array.from({ length: (this.ends[row] ?? 0) - begin }, (_, index) => this.text(bytes, begin + index));
    });
  }
}

/** Bytes [begin, end) as text; what is no UTF-8 becomes U+FFFD. */
export function utf8(bytes: Uint8Array, begin: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + begin, end - begin).toString("utf8");
}

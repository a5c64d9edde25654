// How a text of separated values is written: told by its first rows, unless the caller says it.
import { fail } from "../../errors.js";
import { checkBoolean, checkOneOf } from "../../options.js";
import { refuseData } from "../refusal.js";
import { numberOf } from "./numbers.js";
import { Scanner } from "./scan.js";

/** How separated values are written. */
export interface Dialect {
  /** What stands between two values: one character. */
  readonly delimiter: string;
  /** What values that hold delimiters or ends of lines stand between; `""` where nothing does. */
  readonly quote: string;
  /** Whether the first row has the names of the columns. */
  readonly header: boolean;
  /** What the fractions of numbers begin with. */
  readonly decimal: "." | ",";
}

/** A dialect, and what no caller needs to know of a text. */
export interface Written {
  readonly dialect: Dialect;
  /** Rows end with a line feed, a carriage return before it or not; in old texts with a carriage return alone. */
  readonly newline: "\n" | "\r";
}

/** Parts of a {@link Dialect} that a caller knows. */
export type DialectOptions = { readonly [K in keyof Dialect]?: Dialect[K] | undefined };

export const DIALECT_OPTIONS = ["delimiter", "quote", "header", "decimal"] as const;

/** Delimiters that are looked for, the likeliest first. */
const DELIMITERS = [",", "\t", ";", "|"];

/** Rows that are looked at. */
const LOOKED_AT = 100;

const isCharacter = (value: string): boolean =>
  value.length === 1 && value >= "\t" && value <= "~" && !/[\r\n]/.test(value);

/** `ERR_OPTION` for what no dialect has. */
export function checkDialect(where: string, { delimiter, quote, header, decimal }: DialectOptions): void {
  if (delimiter !== undefined && !(typeof delimiter === "string" && isCharacter(delimiter)))
    fail("ERR_OPTION", `${where}.delimiter`, "one ASCII character", delimiter);
  if (quote !== undefined && !(typeof quote === "string" && (quote === "" || isCharacter(quote))))
    fail("ERR_OPTION", `${where}.quote`, "one ASCII character, or an empty text", quote);
  if (header !== undefined) checkBoolean(`${where}.header`, header);
  if (decimal !== undefined) checkOneOf(`${where}.decimal`, decimal, [".", ","]);
  if (delimiter !== undefined && (delimiter === quote || delimiter === decimal))
    fail("ERR_OPTION", `${where}.delimiter`, "another character than quote and decimal", delimiter);
}

/** The first rows of `sample`, as a delimiter cuts them. */
function rowsOf(
  sample: Uint8Array,
  dialect: Pick<Dialect, "delimiter" | "quote"> & Pick<Written, "newline">,
  last: boolean,
): string[][] {
  const scanner = new Scanner(dialect);
  const found = scanner.scan(sample, 0, sample.length, { last, most: LOOKED_AT });
  return found.fault === undefined || found.rows > 0 ? scanner.texts(sample, found.rows) : [];
}

/** How well a delimiter cuts rows: all into the same number of values, the more the better; 0 if it cuts none. */
function fitOf(rows: readonly (readonly string[])[]): number {
  const counts = new Map<number, number>();
  for (const { length } of rows) counts.set(length, (counts.get(length) ?? 0) + 1);
  const [fields = 1, often = 0] = [...counts].sort((a, b) => b[1] - a[1] || b[0] - a[0])[0] ?? [];
  return fields < 2 ? 0 : often / rows.length + Math.min(fields, 50) / 10_000;
}

const DECIMAL_COMMA = /^[+-]?\d+,\d+$/;

/** What may as well be a thousand and more. */
const THOUSANDS = /^[+-]?[1-9]\d{0,2}(?:,\d{3})+$/;

/**
 * The dialect of a text by its first bytes. The delimiter is the one that cuts the rows into the same number of values. The first row has names unless each
 * of its values is a number, or it is the only one. Fractions begin with a comma where values are not separated by commas and some are `1,5`.
 *
 * @param whole Whether `sample` is the whole text.
 */
export function sniffDialect(sample: Uint8Array, given: DialectOptions, whole: boolean): Written {
  const newline = !sample.includes(10) && sample.includes(13) ? "\r" : "\n";
  const { quote = '"' } = given;
  let delimiter = given.delimiter;
  if (delimiter === undefined) {
    let best = 0;
    for (const one of DELIMITERS) {
      const fit = fitOf(rowsOf(sample, { delimiter: one, quote, newline }, whole));
      if (fit > best) [best, delimiter] = [fit, one];
    }
  }
  const chosen = { delimiter: delimiter ?? ",", quote, newline } as const;
  const rows = rowsOf(sample, chosen, whole);
  const [first = [], ...others] = rows;
  const commas =
    chosen.delimiter !== "," &&
    others.some((row) => row.some((value) => DECIMAL_COMMA.test(value) && !THOUSANDS.test(value))) &&
    !others.some((row) => row.some((value) => /^[+-]?\d+\.\d+$/.test(value)));
  const decimal = given.decimal ?? (commas ? "," : ".");
  const header = given.header ?? !first.every((value) => !Number.isNaN(numberOf(value, decimal)));
  return { dialect: { delimiter: chosen.delimiter, quote, decimal, header }, newline };
}

/** Names of the columns: those of the first row, where an empty one is told by its place; `ERR_DATA` where one stands twice. */
export function columnNames(where: string, header: readonly string[]): readonly string[] {
  const names = header.map((name, index) => (name.trim() === "" ? `column${index + 1}` : name.trim()));
  const places = new Map<string, number>();
  const twice = names.findIndex((name, index) => {
    if (places.has(name)) return true;
    places.set(name, index);
    return false;
  });
  if (twice < 0) return names;
  const first = places.get(names[twice] ?? "") ?? 0;
  const received = `'${names[twice]}' in columns ${first + 1} and ${twice + 1}: give { columns: [names] }`;
  return refuseData(where, "every column name once", received);
}

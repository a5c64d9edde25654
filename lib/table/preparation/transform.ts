// What a column of a table becomes for a network: how it is fitted, what of that is kept, and how a value goes through it.

import type { Json } from "../../described.js";
import { fail, tagOf } from "../../errors.js";
import type { Part } from "../../io/part.js";
import type { Column } from "../column.js";
import { numberOf } from "../csv/numbers.js";
import type { ColumnSchema } from "../schema/schema.js";

/** The place of a value, in words once somebody asks for them. */
export interface Where {
  toString(): string;
}

/** What a raw value may be: `undefined`, `null`, NaN, a date without a time and what the schema calls missing are missing. */
export type Raw = unknown;

/** Takes in the training rows of a column. */
export interface Fitter {
  add(column: Column): void;
  /** What is kept of them; `ERR_DATA` where nothing can be made of them. */
  finish(where: string): Json;
}

/** Gives numbers: how many, what they are called, and those of a value. */
export interface NumberEncoder {
  readonly gives: "numbers";
  readonly names: readonly string[];
  /** Writes the numbers of a value at a place; whether the value is one that nobody has seen. */
  write(where: Where, value: Raw, target: Float32Array, at: number): boolean;
  /**
   * As `write` of all rows of a column of numbers, `stride` elements apart; tells the row of the first value that it does not take, from which on
   * `write` is asked. Where there is none, `write` is.
   */
  readonly writeNumbers?:
    | ((values: Float64Array, target: Float32Array, at: number, stride: number) => number)
    | undefined;
}

/** Gives numbers that say which of few values it is: in an input of their own, as they are not embedded as other numbers are. */
export interface FlagEncoder extends Omit<NumberEncoder, "gives"> {
  readonly gives: "flags";
}

/** Gives one code: 0 for what is missing and what nobody has seen. */
export interface CodeEncoder {
  readonly gives: "code";
  /** Codes, 0 among them. */
  readonly count: number;
  code(where: Where, value: Raw): number;
  /** Whether a value with code 0 is there, and is one that nobody has seen. */
  isUnseen(value: Raw): boolean;
}

/** Gives ids of a bag. */
export interface BagEncoder {
  readonly gives: "bag";
  /** Rows of the table that they are looked up in. */
  readonly buckets: number;
  /** Most ids of a row. */
  readonly most: number;
  /** In memory that the next call has, too. */
  ids(where: Where, value: Raw): Int32Array;
}

export type Encoder = NumberEncoder | FlagEncoder | CodeEncoder | BagEncoder;

/** What a column becomes. Made by {@link numeric}, {@link categories}, {@link oneHot}, {@link signs}, {@link dateParts} and {@link hashedText}. */
export interface ColumnTransform {
  readonly kind: string;
  /** Kinds of columns that it takes. @internal */
  readonly takes: readonly ColumnSchema["kind"][];
  /** `most`: values that quantiles are told by. @internal */
  fitter(name: string, schema: ColumnSchema, seed: number, most?: number | undefined): Fitter;
  /** Of a state that was fitted; `ERR_FILE` for what is none. @internal */
  encoder(name: string, schema: ColumnSchema, state: Part): Encoder;
}

/** Whether a raw value is missing by a schema. */
export function isMissing(value: Raw, { missing }: ColumnSchema): boolean {
  if (value === undefined || value === null || value === "") return true;
  if (typeof value === "number" || typeof value === "bigint")
    return Number.isNaN(value) || (missing !== undefined && numbersIn(missing).has(Number(value)));
  if (typeof value !== "string") return tagOf(value) === "Date" && Number.isNaN(Number(value));
  const trimmed = value.trim();
  return trimmed === "" || (missing ?? MISSING).includes(trimmed);
}

const known = new WeakMap<readonly string[], ReadonlySet<number>>();

/** The numbers that words write: `-999` is missing as a number too, wherever it was read. */
function numbersIn(words: readonly string[]): ReadonlySet<number> {
  const found = known.get(words);
  if (found !== undefined) return found;
  const numbers = new Set(words.map((word) => numberOf(word)).filter((number) => !Number.isNaN(number)));
  known.set(words, numbers);
  return numbers;
}

/** Words that are missing where a schema says nothing. */
const MISSING = ["NA", "N/A", "NaN", "nan", "null", "NULL"];

/** A value that is no number as a text; `ERR_DATA` for what no column holds. */
export function textOf(where: Where, value: Raw): string {
  switch (typeof value) {
    case "string":
      return value.trim();
    case "number":
    case "bigint":
    case "boolean":
      return String(value);
    default:
      return fail("ERR_DATA", String(where), "a text, a number, true or false", value);
  }
}

/** A function of texts that is asked once for each. */
export function remembering<T>(make: (text: string) => T, most = 65_536): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    const value = make(text);
    if (known.size < most) known.set(text, value);
    return value;
  };
}

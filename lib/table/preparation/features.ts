// What a network is given of a row.
import type { Json } from "../../described.js";
import type { ColumnSchema } from "../schema/schema.js";
import type { ColumnTransform, Encoder } from "./transform.js";

/** A column that a network is given, as it was fitted. */
export interface Feature {
  readonly column: string;
  readonly schema: ColumnSchema;
  readonly transform: ColumnTransform;
  readonly state: Json;
  readonly encoder: Encoder;
}

/** What a network is given of a row. */
export interface PreparedInputs {
  /** Names of the numbers, in their order. */
  readonly numbers: readonly string[];
  /** Names of the numbers that {@link oneHot} makes of columns of few values; an input of their own, `flags`. */
  readonly flags: readonly string[];
  /** Columns of codes, with how many codes each has, 0 for what is missing or unseen among them. */
  readonly categories: readonly { readonly column: string; readonly count: number }[];
  /** Columns of texts, each of which is an input of its own, `text1` and so on: ids of at most `most` pieces, −1 behind them. */
  readonly texts: readonly {
    readonly input: string;
    readonly column: string;
    readonly buckets: number;
    readonly most: number;
  }[];
}

/** A raw row: values by the names of columns. */
export type RawRow = Readonly<Record<string, unknown>>;

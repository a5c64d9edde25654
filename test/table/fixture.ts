import { readFileSync } from "node:fs";

/** A column of numbers, with what scikit-learn and NumPy say of it. */
export interface NumbersFixture {
  readonly values: readonly number[];
  readonly median: number;
  readonly iqr: number;
  readonly mean: number;
  readonly deviation: number;
  readonly min: number;
  readonly max: number;
}

/** Of make_tables_fixture.py. */
export interface TablesFixture {
  readonly parquet: Readonly<Record<string, readonly unknown[]>>;
  readonly numbers: Readonly<Record<string, NumbersFixture>>;
  readonly levels: readonly string[];
  readonly codes: readonly number[];
  readonly texts: readonly string[];
  readonly pieces: readonly (readonly [words: number, characters: number])[];
  readonly dates: readonly string[];
  readonly moments: readonly number[];
}

export const fixture = JSON.parse(
  readFileSync(new URL("fixtures/tables.json", import.meta.url), "utf8"),
) as TablesFixture;

// Tables with one column changed: what a model is asked to see what it makes of that column.

import { permutation } from "../data/permutation.js";
import { quantileOf } from "../data/quantiles.js";
import { fail } from "../errors.js";
import { checkFunction, checkKeys, checkNumber, checkOneOf } from "../options.js";
import { type Column, hasValue, lengthOf } from "../table/column.js";
import { checkSchema, type Schema } from "../table/schema/schema.js";
import { Table } from "../table/table.js";
import { seedKey } from "../tensor/philox.js";
import { spreadOf } from "./bootstrap.js";
import { withDates } from "./dates.js";

/** Keeps these draws apart from others of one seed (ARCHITECTURE.md, Random streams). */
const PURPOSE = 13;

/** The number of a repeat stands above the purpose. */
const REPEAT = 256;

/** The table with another column in the place of the one of this name. */
export function withColumn(table: Table, name: string, column: Column): Table {
  return new Table(new Map(table.names.map((one) => [one, one === name ? column : table.column(one)])), table.places);
}

/** A figure of a table: whatever a model says of its rows. */
export type TableScore = (table: Table) => number | Promise<number>;

/** Options of {@link permutationImportance}. */
export interface ImportanceOptions {
  /** Which columns; all by default. */
  readonly columns?: readonly string[] | undefined;
  /** How often each column is shuffled, 5 by default. */
  readonly repeats?: number | undefined;
  /** Whether a `'high'` score is good (the default), or a `'low'` one, as of errors. */
  readonly best?: "high" | "low" | undefined;
  readonly seed?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a score loses where a column is shuffled. */
export interface Importance {
  readonly column: string;
  /** Mean loss over the repeats. */
  readonly mean: number;
  /** Standard deviation of the repeats. */
  readonly deviation: number;
  readonly repeats: readonly number[];
}

/** Columns that are asked for; `ERR_DATA` names the one that is not there. */
function checkColumns(where: string, table: Table, columns: unknown): readonly string[] {
  if (columns === undefined) return table.names;
  if (!Array.isArray(columns)) return fail("ERR_OPTION", where, "names of columns", columns);
  return columns.map((name: unknown) => {
    const text = typeof name === "string" ? name : fail("ERR_OPTION", where, "names of columns", name);
    table.column(text);
    return text;
  });
}

/**
 * How much worse a score gets where the values of one column are shuffled over the rows of a raw table, by falling loss (Breiman 2001; scikit-learn's
 * `permutation_importance`). What it means: how much *this* model relies on the column. Columns that say the same share it, so that each may
 * seem to matter little. Use rows that the model was not trained on.
 *
 * @param score Asks the model, `(table) => …`.
 * @example
 * const importances = await permutationImportance(people, async (table) => (await model.evaluate(table)).accuracy);
 */
export async function permutationImportance(
  table: Table,
  score: TableScore,
  options: ImportanceOptions = {},
): Promise<readonly Importance[]> {
  const where = "permutationImportance";
  if (!(table instanceof Table)) return fail("ERR_DATA", `${where}.table`, "a table, as table() gives it,", table);
  checkFunction(`${where}.score`, score);
  checkKeys(where, options, ["columns", "repeats", "best", "seed", "signal"]);
  const columns = checkColumns(`${where}.columns`, table, options.columns);
  const count = checkNumber(`${where}.repeats`, options.repeats ?? 5, { min: 1, max: 1000, integer: true });
  const sign = checkOneOf(`${where}.best`, options.best ?? "high", ["high", "low"]) === "high" ? 1 : -1;
  const key = seedKey(`${where}.seed`, options.seed ?? 0);
  const whole = await score(table);
  const found: Importance[] = [];
  for (const column of columns) {
    const repeats: number[] = [];
    for (let repeat = 0; repeat < count; repeat++) {
      options.signal?.throwIfAborted();
      const order = permutation(table.rows, PURPOSE + REPEAT * repeat, key);
      const shuffled = table.select([column]).pick(order).column(column);
      repeats.push(sign * (whole - (await score(withColumn(table, column, shuffled)))));
    }
    const { mean, deviation } = spreadOf(repeats);
    found.push({ column, mean, deviation, repeats });
  }
  return found.sort((a, b) => b.mean - a.mean);
}

/** A value that a column is set to. */
export type ColumnValue = number | string | boolean | Date;

/** Options of {@link partialDependence}. */
export interface DependenceOptions {
  /** The values that the column is set to; by default its quantiles, or its most frequent values. */
  readonly values?: readonly ColumnValue[] | undefined;
  /** How many values there are at most by default: 12. */
  readonly points?: number | undefined;
  /** What the columns are: texts that are dates there are asked as dates, by their quantiles. */
  readonly schema?: Schema | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a model says on average where a column has a value. */
export interface DependencePoint {
  readonly value: ColumnValue;
  /** Mean of what it says. */
  readonly mean: number;
  /** Rows that have this value, or lie nearest to it. */
  readonly rows: number;
}

/** A column with one value in all rows. */
function constantColumn(kind: Column["kind"], value: ColumnValue, rows: number): Column {
  switch (kind) {
    case "text":
      return { kind, codes: new Int32Array(rows), levels: [String(value)] };
    case "boolean":
      return { kind, values: new Uint8Array(rows).fill(value === true ? 1 : 0) };
    default:
      return { kind, values: new Float64Array(rows).fill(Number(value)) };
  }
}

/** Values of a column that are worth looking at: quantiles from 2% to 98% of numbers, else the most frequent ones. */
export function settingsOf(column: Column, points: number): readonly ColumnValue[] {
  if (column.kind === "boolean") return [false, true];
  if (column.kind === "text") {
    const counts = new Uint32Array(column.levels.length);
    for (const code of column.codes) if (code >= 0) counts[code] = (counts[code] ?? 0) + 1;
    const frequent = column.levels.map((level, at) => ({ level, rows: counts[at] ?? 0 }));
    return frequent
      .filter(({ rows }) => rows > 0)
      .sort((a, b) => b.rows - a.rows)
      .slice(0, points)
      .map(({ level }) => level);
  }
  const sorted = column.values.filter((value) => !Number.isNaN(value)).sort();
  const different = new Set(sorted);
  const values =
    different.size <= points
      ? [...different]
      : [...new Set(Array.from({ length: points }, (_, at) => quantileOf(sorted, 0.02 + (0.96 * at) / (points - 1))))];
  return column.kind === "date" ? values.map((value) => new Date(value)) : values;
}

/** Rows of a column at each value, or nearest to it. */
function rowsAt(column: Column, values: readonly ColumnValue[]): readonly number[] {
  const rows = new Array<number>(values.length).fill(0);
  const numbers = values.map(Number);
  for (let row = 0; row < lengthOf(column); row++) {
    if (!hasValue(column, row)) continue;
    let at = -1;
    if (column.kind === "text") at = values.indexOf(column.levels[column.codes[row] ?? -1] ?? "");
    else
      numbers.forEach((number, place) => {
        const own = column.values[row] ?? 0;
        if (at < 0 || Math.abs(number - own) < Math.abs((numbers[at] ?? 0) - own)) at = place;
      });
    if (at >= 0) rows[at] = (rows[at] ?? 0) + 1;
  }
  return rows;
}

/**
 * What a model says on average over the rows of a raw table, with a column set to one value after the other in all of them (Friedman 2001; scikit-learn's
 * `partial_dependence` by brute force). Where columns hang together it asks for rows that never were.
 *
 * @param answer Asks the model: the mean of its values, or of the probability of a class.
 * @example
 * const curve = await partialDependence(people, "age", async (table) => mean((await model.predict(table)).values));
 */
export async function partialDependence(
  table: Table,
  name: string,
  answer: TableScore,
  options: DependenceOptions = {},
): Promise<readonly DependencePoint[]> {
  const where = "partialDependence";
  if (!(table instanceof Table)) return fail("ERR_DATA", `${where}.table`, "a table, as table() gives it,", table);
  checkFunction(`${where}.answer`, answer);
  checkKeys(where, options, ["values", "points", "schema", "signal"]);
  const points = checkNumber(`${where}.points`, options.points ?? 12, { min: 2, max: 1000, integer: true });
  const own = table.select([name]);
  const column = (
    options.schema === undefined ? own : withDates(own, checkSchema(`${where}.schema`, options.schema))
  ).column(name);
  const values = options.values ?? settingsOf(column, points);
  const rows = rowsAt(column, values);
  const found: DependencePoint[] = [];
  for (const [at, value] of values.entries()) {
    options.signal?.throwIfAborted();
    const set = withColumn(table, name, constantColumn(column.kind, value, table.rows));
    found.push({ value, mean: await answer(set), rows: rows[at] ?? 0 });
  }
  return found;
}

import { turn } from "../binding/clock.js";
import { quantileOf } from "../data/quantiles.js";
import { fail } from "../errors.js";
import { checkKeys, checkNumber } from "../options.js";
import { type Column, hasValue } from "../table/column.js";
import { Table } from "../table/table.js";
import { spreadOf } from "./bootstrap.js";
import { finiteOf } from "./chances.js";

/** Options of {@link errorsBySlice}. */
export interface SliceOptions {
  /** Columns whose values make slices; all by default. */
  readonly columns?: readonly string[] | undefined;
  /** Rows that a slice has at least, 20 by default. */
  readonly least?: number | undefined;
  /** How many slices, those that differ most from the rest first; 20 by default. */
  readonly most?: number | undefined;
}

/** Rows that are alike in a column, and how they fare. */
export interface Slice {
  readonly column: string;
  /** What they have there: `basic`, `31 to 40`, `missing`. */
  readonly value: string;
  readonly rows: number;
  /** Mean error of its rows. */
  readonly error: number;
  /** Mean error of all other rows. */
  readonly others: number;
  /** The difference in standard errors of it (Welch's t). */
  readonly apart: number;
}

/** Slices that are told by default. */
const MOST = 20;

/** Levels beyond which a text column makes no slices but of its most frequent ones. */
const LEVELS = 12;

/** Parts of a column of numbers. */
const PARTS = 4;

/** A number for a reader: four digits, and years as they are. */
export function shortNumber(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size >= 1e7 || size < 1e-4) return value.toExponential(2).replace("e+", "e");
  if (Number.isInteger(value) && size < 1e6) return String(value);
  return String(Number(value.toPrecision(4)));
}

/** A moment for a reader: its day. */
export function shortDate(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, 10);
}

/** Number of each row's slice, −1 for none, and the names of the slices. */
function slicesOf(column: Column): { readonly slice: Int32Array; readonly names: readonly string[] } {
  const length = column.kind === "text" ? column.codes.length : column.values.length;
  const slice = new Int32Array(length).fill(-1);
  const names: string[] = [];
  if (column.kind === "text") {
    const counts = new Uint32Array(column.levels.length);
    for (const code of column.codes) if (code >= 0) counts[code] = (counts[code] ?? 0) + 1;
    const order = column.levels.map((_, at) => at).sort((a, b) => (counts[b] ?? 0) - (counts[a] ?? 0));
    const places = new Map(order.slice(0, LEVELS).map((code) => [code, names.push(column.levels[code] ?? "") - 1]));
    column.codes.forEach((code, row) => {
      slice[row] = places.get(code) ?? -1;
    });
  } else if (column.kind === "boolean") {
    names.push("false", "true");
    column.values.forEach((value, row) => {
      slice[row] = value > 1 ? -1 : value;
    });
  } else {
    const shown = column.kind === "date" ? shortDate : shortNumber;
    const sorted = column.values.filter((value) => !Number.isNaN(value)).sort();
    const few = new Set(sorted);
    if (sorted.length === 0) return { slice, names };
    const edges =
      few.size <= PARTS + 2
        ? [...few]
        : [...new Set(Array.from({ length: PARTS }, (_, at) => quantileOf(sorted, (at + 1) / PARTS)))];
    let from = sorted[0] ?? 0;
    for (const to of edges) {
      names.push(few.size <= PARTS + 2 || from === to ? shown(to) : `${shown(from)} to ${shown(to)}`);
      from = to;
    }
    column.values.forEach((value, row) => {
      slice[row] = edges.findIndex((to) => value <= to);
    });
  }
  const missing = names.length;
  for (let row = 0; row < length; row++) if (!hasValue(column, row)) slice[row] = missing;
  return { slice, names: [...names, "missing"] };
}

/**
 * Mean errors of rows that are alike in one column, the value of a category or a quarter of the numbers, by how far they are from those of all other rows: where a model fares badly, or too well. Of
 * many slices some are apart by chance: below 3 standard errors take it for none.
 *
 * @param errors How wrong the model is in each row: |value − prediction|, −ln p of the class, or 1 where it is wrong.
 */
export function errorsBySlice(table: Table, errors: ArrayLike<number>, options: SliceOptions = {}): readonly Slice[] {
  return mostApart([...slicesBehind(table, errors, options)], options);
}

/** {@link errorsBySlice} with a turn of the event loop behind each slice. */
export async function errorsInTurns(
  table: Table,
  errors: ArrayLike<number>,
  options: SliceOptions,
): Promise<readonly Slice[]> {
  const found: (Slice | undefined)[] = [];
  for (const slice of slicesBehind(table, errors, options)) {
    found.push(slice);
    await turn();
  }
  return mostApart(found, options);
}

function mostApart(found: readonly (Slice | undefined)[], { most = MOST }: SliceOptions): readonly Slice[] {
  return found
    .filter((slice) => slice !== undefined)
    .sort((a, b) => Math.abs(b.apart) - Math.abs(a.apart))
    .slice(0, most);
}

/** All slices, one after the other; `undefined` for those of too few rows. */
function* slicesBehind(
  table: Table,
  errors: ArrayLike<number>,
  options: SliceOptions,
): Generator<Slice | undefined, void, void> {
  if (!(table instanceof Table)) return fail("ERR_DATA", "errorsBySlice.table", "a table, as table() gives it,", table);
  checkKeys("errorsBySlice", options, ["columns", "least", "most"]);
  const least = checkNumber("errorsBySlice.least", options.least ?? 20, { min: 2, integer: true });
  checkNumber("errorsBySlice.most", options.most ?? MOST, { min: 1, integer: true });
  const given = finiteOf("errorsBySlice.errors", errors, table.rows);
  for (const name of options.columns ?? table.names) {
    const { slice, names } = slicesOf(table.column(name));
    for (const [number, value] of names.entries()) {
      const [own, others] = [
        given.filter((_, row) => slice[row] === number),
        given.filter((_, row) => slice[row] !== number),
      ];
      if (own.length < least || others.length < least) {
        yield undefined;
        continue;
      }
      const [here, there] = [spreadOf(own), spreadOf(others)];
      const spread =
        (here.deviation * here.deviation) / own.length + (there.deviation * there.deviation) / others.length;
      const difference = here.mean - there.mean;
      const apart = difference === 0 ? 0 : difference / Math.sqrt(spread);
      yield { column: name, value, rows: own.length, error: here.mean, others: there.mean, apart };
    }
  }
}

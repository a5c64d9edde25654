// A table as networks are given it: read, understood, prepared and parted.
import { turn } from "../binding/clock.js";
import type { Affine } from "../data/transform.js";
import { fail } from "../errors.js";
import { type ColumnKind, hasValue } from "../table/column.js";
import { fitPreparation } from "../table/preparation/fit.js";
import type { Preparation } from "../table/preparation/preparation.js";
import type { Targets } from "../table/preparation/target.js";
import { readSchema } from "../table/schema/read.js";
import { type Schema, targetsOf } from "../table/schema/schema.js";
import type { Warning } from "../table/schema/warnings.js";
import type { Table } from "../table/table.js";
import { chosenRows, divide, type MemberRows } from "./divisions.js";
import type { EncodedRows } from "./encoded.js";
import { encodeTables, unitsOf, writeTargets } from "./encoding.js";
import type { TabularEvent } from "./events.js";
import type { CheckedTabular, TabularFitOptions } from "./options.js";
import { KINDS, secondFor, transformsFor } from "./plan.js";

/** A table as networks are given it. */
export interface Prepared {
  readonly preparation: Preparation;
  /** What networks are given of all rows, once for all of them; targets in the units of the networks. */
  readonly encoded: EncodedRows;
  /** As the table has them. */
  readonly targets: Targets;
  readonly units: Affine | undefined;
  /** Rows of each fold, by their places in `encoded`. */
  readonly parts: readonly MemberRows[];
  /** Numbers of the encoded rows in the table that was given; `undefined`: they are all of it. */
  readonly numbers: Uint32Array | undefined;
  /** Kinds of the columns of the table. */
  readonly kinds: Readonly<Record<string, ColumnKind>>;
  readonly warnings: readonly Warning[];
}

/** Who is told what is done, and since when. */
export interface Telling {
  emit(event: TabularEvent): void;
  seconds(): number;
}

/** The whole table, or the rows of it that are asked for. */
export async function prepareTable(
  settings: CheckedTabular,
  whole: Table,
  options: TabularFitOptions,
  { emit, seconds }: Telling,
): Promise<Prepared> {
  const { schema: known, signal } = options;
  const tell = (stage: "schema" | "preparing", rows: number): void =>
    emit({ kind: "stage", stage, step: 0, rows, seconds: seconds() });
  const chosen = chosenRows(options.rows, whole.rows);
  const table = options.rows === undefined ? whole : whole.pick(chosen.all);
  tell("schema", table.rows);
  await turn();
  signal?.throwIfAborted();
  const { schema, warnings } = await schemaFor(table, targetAsked(options), known);
  tell("preparing", table.rows);
  await turn();
  signal?.throwIfAborted();
  const { folds, seed } = settings;
  const all = Uint32Array.from({ length: table.rows }, (_, row) => row);
  const given = chosen.parts;
  const single: readonly MemberRows[] | undefined =
    given !== undefined
      ? [{ train: all.subarray(0, given.train.length), validation: all.subarray(given.train.length) }]
      : folds === 1
        ? divide(all, undefined, 1, seed)
        : undefined;
  const trainRows = single?.[0]?.train ?? all;
  const members = KINDS[settings.preset];
  const { transforms: asked = {} } = options;
  const used = withoutEmpty(schema, table, trainRows);
  const transforms = transformsFor(used, members[0] ?? "realMlp", asked, (name) => levelsOf(table, name));
  const preparation = await fitPreparation(
    table,
    { schema: used, transforms, second: secondFor(used, members, transforms, asked), rows: trainRows, seed },
    all,
  );
  const keeping = { most: Number.POSITIVE_INFINITY, seed };
  const made = await encodeTables(preparation, [table], table.rows, keeping, signal);
  const { encoded, targets } = made;
  const labels = "shape" in targets ? undefined : targets;
  const units = await unitsOf(targets, preparation.target?.task ?? "value", trainRows, signal);
  await writeTargets(made, units, signal);
  const parts = single ?? divide(all, labels, folds, seed);
  const { kinds } = table;
  return { preparation, encoded, targets, units, parts, numbers: chosen.all, kinds, warnings };
}

/** The columns that are to be predicted; `ERR_OPTION` where nobody has said. */
export function targetAsked({ target, schema }: TabularFitOptions): string | readonly string[] {
  const wanted = target ?? schema?.target;
  return wanted ?? fail("ERR_OPTION", "fit.target", "the name of a column, or several", wanted);
}

/** What columns are: those that nobody has named are guessed. */
async function schemaFor(
  table: Table,
  wanted: string | readonly string[],
  known: Partial<Schema> | undefined,
): Promise<{ readonly schema: Schema; readonly warnings: readonly Warning[] }> {
  const names = typeof wanted === "string" ? [wanted] : wanted;
  for (const name of names) table.column(name);
  const columns = known?.columns ?? {};
  const found = await readSchema(table, { target: wanted, schema: { columns } });
  return { schema: found.schema, warnings: found.warnings };
}

/** Columns of which no training row has a value are left out: nothing can be learned of them. */
function withoutEmpty(schema: Schema, table: Table, rows: Uint32Array): Schema {
  const targets = targetsOf(schema);
  const columns = Object.entries(schema.columns).map(([name, column]) => {
    if (targets.includes(name) || column.kind === "ignore" || column.kind === "id") return [name, column] as const;
    const values = table.column(name);
    return rows.some((row) => hasValue(values, row))
      ? ([name, column] as const)
      : ([name, { kind: "ignore", why: "no training row has a value" }] as const);
  });
  return { ...schema, columns: Object.fromEntries(columns) };
}

/** Different values of a column, those that stand for nothing among them. */
function levelsOf(table: Table, name: string): number {
  const column = table.column(name);
  if (column.kind !== "text") return new Set(column.values).size;
  return new Set(column.codes.filter((code) => code >= 0)).size;
}

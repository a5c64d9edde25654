// A schema of a source: figures of all its rows, or of the first.
import { CarillonError } from "../../errors.js";
import { checkKeys, checkNumber } from "../../options.js";
import type { ColumnKind } from "../column.js";
import { checkTableOptions, TABLE_OPTIONS, type TableOptions } from "../options.js";
import { held, scanTables } from "../read.js";
import { joinTables, type Table } from "../table.js";
import { elsewhere, resultElsewhere, workOf } from "../thread.js";
import { inTurns } from "../turns.js";
import { type InferOptions, schemaOfProfiles } from "./infer.js";
import { Profiles } from "./profile.js";
import type { Schema } from "./schema.js";
import { type Warning, warningsOf } from "./warnings.js";

/** Options of {@link schemaOf}. */
export interface SchemaOptions extends Omit<TableOptions, "schema">, InferOptions {}

/** A schema, and what should be looked at. */
export interface Inferred {
  readonly schema: Schema;
  readonly warnings: readonly Warning[];
  /** Rows that were looked at. */
  readonly rows: number;
  /** What is in the columns. */
  readonly columns: Readonly<Record<string, ColumnCounts>>;
}

/** What a column was found to hold. */
export interface ColumnCounts {
  /** As the source has it. */
  readonly kind: ColumnKind;
  /** Rows that have a value. */
  readonly present: number;
  /** Different values, among texts also those that stand for none; of numbers and dates with more than 10,000 `undefined`. */
  readonly values: number | undefined;
}

/** Rows of a table that are kept to look for leaks and duplicates. */
const KEPT = 100_000;

/** {@link schemaOf} */
export async function readSchema(from: unknown, given: SchemaOptions): Promise<Inferred> {
  checkKeys("schemaOf", given, [...TABLE_OPTIONS, "target", "schema"]);
  const { target, schema, ...others } = given;
  const options = checkTableOptions("schemaOf", others);
  const source = held(from, options);
  const there = await elsewhere(source, options.thread);
  if (there !== undefined) return (await resultElsewhere(workOf("schema", there, given), options)) as Inferred;
  checkNumber("schemaOf.rows", Math.min(options.rows, Number.MAX_SAFE_INTEGER), { min: 1 });
  let profiles = new Profiles();
  let kept: Table[] = [];
  let names: string[] = [];
  let rows = 0;
  await scanTables(source, options, {
    begin() {
      [profiles, kept, names, rows] = [new Profiles(), [], [], 0];
    },
    async add(table) {
      for (const name of table.names) if (!names.includes(name)) names.push(name);
      if (rows < KEPT) kept.push(table.head(KEPT - rows));
      rows += table.rows;
      await inTurns(table, options.signal, (part) => profiles.add(part));
    },
  });
  if (rows === 0) throw new CarillonError("ERR_DATA", "schemaOf", "expected rows for 'schemaOf' but received none");
  const found = schemaOfProfiles("schemaOf", profiles, names, { target, schema });
  const columns = Object.fromEntries(
    [...profiles.columns].map(([name, { kind, present, counts }]) => [name, { kind, present, values: counts?.size }]),
  );
  return { schema: found, warnings: await warningsOf(joinTables("schemaOf", kept, true), found), rows, columns };
}

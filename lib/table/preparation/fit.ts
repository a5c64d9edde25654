// Fits what each column becomes, on training rows alone.
import { turn } from "../../binding/clock.js";
import type { Json } from "../../described.js";
import { CarillonError, fail } from "../../errors.js";
import { Part } from "../../io/part.js";
import { checkKeys, checkNumber } from "../../options.js";
import { type FoldOptions, foldTaker } from "../fold.js";
import { checkTableOptions, TABLE_OPTIONS, type TableOptions } from "../options.js";
import { held, scanTables } from "../read.js";
import { type ColumnSchema, checkSchema, type Schema, targetsOf } from "../schema/schema.js";
import { checkRows, failColumn, Table } from "../table.js";
import { elsewhere, resultElsewhere, workOf } from "../thread.js";
import { inTurns } from "../turns.js";
import type { Feature } from "./features.js";
import { columnTransforms } from "./kinds.js";
import { Preparation, readPreparation } from "./preparation.js";
import { TargetFitter } from "./target.js";
import type { ColumnTransform, Fitter } from "./transform.js";

/** Options of {@link prepare}. */
export interface PrepareOptions extends Omit<TableOptions, "rows"> {
  /** What the columns are, such as {@link schemaOf} has guessed and somebody has edited. */
  readonly schema: Schema;
  /**
   * What columns become, in the place of the defaults: `{ review: { kind: "hashedText", options: { buckets: 65536 } } }`. Numbers are `numeric`, categories
   * `categories`, booleans `signs`, dates `dateParts`, texts `hashedText`.
   */
  readonly transforms?: Readonly<Record<string, unknown>> | undefined;
  /** Columns that become something else a second time, and what, for networks that are given another form: inputs `numbers2`, `flags2` and `categories2`. No texts. */
  readonly second?: Readonly<Record<string, unknown>> | undefined;
  /** The training rows of a table, by their numbers; all by default. */
  readonly rows?: ArrayLike<number> | undefined;
  /** Of a source that is read, the side of a fold whose rows are trained on; all by default. Classes are those of all rows. */
  readonly fold?: FoldOptions | undefined;
  /** Rows up to which quantiles are exact, and of more the size of the sample that they are told by; 1,000,000 by default: 8 bytes each of every number. */
  readonly sample?: number | undefined;
  /** Of the samples that quantiles of more rows are told by; 0 by default. */
  readonly seed?: number | undefined;
}

/** Transforms of kinds of columns, by default. */
const DEFAULTS: Readonly<Partial<Record<ColumnSchema["kind"], string>>> = {
  number: "numeric",
  category: "categories",
  boolean: "signs",
  date: "dateParts",
  text: "hashedText",
};

interface Fitting {
  readonly column: string;
  readonly schema: ColumnSchema;
  readonly transform: ColumnTransform;
}

/** The columns that a network is given, and what they are to become. */
function fittingsOf(schema: Schema, given: Readonly<Record<string, unknown>>): readonly Fitting[] {
  const targets = targetsOf(schema);
  const used = Object.entries(schema.columns).filter(
    ([name, { kind }]) => !targets.includes(name) && DEFAULTS[kind] !== undefined,
  );
  const unknown = Object.keys(given).find((name) => !used.some(([one]) => one === name));
  if (unknown !== undefined) fail("ERR_OPTION", "prepare.transforms", "columns that the schema uses", unknown);
  return used.map(([column, one]) => {
    const described = Object.hasOwn(given, column) ? given[column] : { kind: DEFAULTS[one.kind] };
    const where = `prepare.transforms.${column}`;
    const transform = columnTransforms.make(where, described);
    if (!transform.takes.includes(one.kind)) fail("ERR_OPTION", where, `a transform of a ${one.kind}`, transform.kind);
    return { column, schema: one, transform };
  });
}

/** {@link prepare}; `targets` are the rows of a table that classes are told by, where they are more than those that columns are fitted on. */
export async function fitPreparation(
  from: unknown,
  given: PrepareOptions,
  targets?: ArrayLike<number> | undefined,
): Promise<Preparation> {
  checkKeys("prepare", given, [...TABLE_OPTIONS, "transforms", "second", "sample", "seed", "fold"]);
  const { schema: wanted, transforms = {}, second = {}, rows: chosen, seed = 0, sample, fold, ...others } = given;
  if (wanted === undefined) fail("ERR_OPTION", "prepare.schema", "a schema, such as schemaOf() gives,", wanted);
  checkNumber("prepare.seed", seed, { min: 0, integer: true });
  if (sample !== undefined) checkNumber("prepare.sample", sample, { min: 1, integer: true });
  const schema = checkSchema("prepare.schema", wanted);
  const options = checkTableOptions("prepare", { ...others, schema });
  const source = chosen === undefined ? held(from, options) : from;
  const there = chosen === undefined ? await elsewhere(source, options.thread) : undefined;
  if (there !== undefined) return readPreparation(await resultElsewhere(workOf("prepare", there, given), options));
  const firsts = fittingsOf(schema, transforms);
  const seconds = fittingsOf(schema, second).filter(({ column }) => Object.hasOwn(second, column));
  const text = seconds.find(({ transform }) => transform.kind === "hashedText");
  if (text !== undefined) fail("ERR_OPTION", "prepare.second", "numbers, flags or codes", text.transform.kind);
  const fittings = [...firsts, ...seconds];
  if (firsts.length === 0)
    fail("ERR_OPTION", "prepare.schema", "a column besides the target that something is learned from", schema);
  let fitters: readonly Fitter[] = [];
  let target = new TargetFitter(schema);
  let rows = 0;
  let taken = foldTaker("prepare.fold", fold);
  const add = (table: Table): void => {
    fittings.forEach(({ column }, at) => {
      fitters[at]?.add(table.column(column));
    });
    rows += table.rows;
  };
  const names = [...firsts.map(({ column }) => column), ...targetsOf(schema)];
  const used = (table: Table): Table => {
    for (const name of names) if (!table.has(name)) failColumn("prepare", name, table.names, table.places.sources);
    return table.select(names);
  };
  const begin = (): void => {
    fitters = fittings.map(({ transform, column, schema: one }) => transform.fitter(column, one, seed, sample));
    [target, rows, taken] = [new TargetFitter(schema), 0, foldTaker("prepare.fold", fold)];
  };
  if (chosen !== undefined) {
    if (!(source instanceof Table))
      fail("ERR_OPTION", "prepare.rows", "a table, of which there are rows by number,", source);
    checkRows("prepare.rows", chosen, source.rows);
    begin();
    const table = used(source);
    await inTurns(table, options.signal, add, chosen);
    await inTurns(table, options.signal, (part) => target.add(part), targets ?? chosen);
  } else {
    await scanTables(source, options, {
      begin,
      add: (table) =>
        inTurns(used(table), options.signal, (part) => {
          add(taken(part));
          target.add(part);
        }),
    });
  }
  if (rows === 0)
    throw new CarillonError("ERR_DATA", "prepare", "expected training rows for 'prepare' but received none");
  const features: Feature[] = [];
  for (const [at, { column, schema: one, transform }] of fittings.entries()) {
    await turn();
    options.signal?.throwIfAborted();
    const where = `column '${column}'`;
    // As a file has it, to the bit: JSON has no −0.
    const state = JSON.parse(JSON.stringify(fitters[at]?.finish(where) ?? null)) as Json;
    const encoder = transform.encoder(column, one, new Part("prepare", where, state));
    features.push({ column, schema: one, transform, state, encoder });
  }
  const { length } = firsts;
  return new Preparation(schema, rows, features.slice(0, length), target.finish("prepare"), features.slice(length));
}

// A source that is too large to be held as a table: measured, fitted and encoded block by block.

import { EXACT } from "../data/quantiles.js";
import { Turns } from "../data/turns.js";
import { CarillonError } from "../errors.js";
import { foldOf } from "../table/fold.js";
import type { LargeSource } from "../table/large.js";
import { fitPreparation } from "../table/preparation/fit.js";
import type { ReadEvent } from "../table/progress.js";
import { readBlocks } from "../table/read.js";
import { type Inferred, readSchema } from "../table/schema/read.js";
import { type Schema, targetsOf } from "../table/schema/schema.js";
import type { MemberRows } from "./divisions.js";
import { encodeTables, unitsOf, writeTargets } from "./encoding.js";
import type { CheckedTabular, TabularFitOptions } from "./options.js";
import { KINDS, secondFor, transformsFor } from "./plan.js";
import { type Prepared, type Telling, targetAsked } from "./prepared.js";

/** Parts of the rows of which a single member does not see the first. */
const PARTS = 5;

/** Rows that quantiles are told by where there are more than of which they are exact: a megabyte a number. */
const SAMPLE = 131_072;

/** How many times as many bytes as a table that is held may have what networks are given of a larger one, and be held. */
const HELD = 2;

/** Rows between two looks at the clock. */
const PIECE = { least: 512, most: 16_384 };

/**
 * Reads the source three times: what columns are, what they become, what networks are given of them. Row i is of the part that a draw of the seed and of i says, and no more than
 * what networks are given is kept: in memory up to twice `most` bytes, else in a file.
 */
export async function prepareLarge(
  settings: CheckedTabular,
  large: LargeSource,
  options: TabularFitOptions,
  most: number,
  { emit, seconds }: Telling,
): Promise<Prepared> {
  const { source } = large;
  const { schema: known, signal, read = {} } = options;
  const { schema: _, rows: __, onEvent, ...how } = read;
  const told = (stage: "reading" | "schema" | "preparing") => {
    const tell = (rows: number | undefined): void => emit({ kind: "stage", stage, step: 0, rows, seconds: seconds() });
    const listener = (event: ReadEvent): void => {
      tell(event.rows);
      onEvent?.(event);
    };
    return { ...how, signal, onEvent: listener };
  };
  const target = targetAsked(options);
  const found = await readSchema(source, { ...told("schema"), target, schema: { columns: known?.columns ?? {} } });
  const { folds, seed } = settings;
  const { rows, warnings, columns } = found;
  const schema = withoutEmpty(found);
  const { transforms: asked = {} } = options;
  const members = KINDS[settings.preset];
  const transforms = transformsFor(schema, members[0] ?? "realMlp", asked, (name) => {
    return columns[name]?.values ?? Number.POSITIVE_INFINITY;
  });
  const second = secondFor(schema, members, transforms, asked);
  const fold = folds === 1 ? { fold: { folds: PARTS, fold: 0, seed } } : {};
  const preparation = await fitPreparation(source, {
    ...told("preparing"),
    schema,
    transforms,
    second,
    seed,
    ...fold,
    ...(rows > EXACT ? { sample: SAMPLE } : {}),
  });
  const blocks = readBlocks(source, { ...told("preparing"), schema });
  const made = await encodeTables(preparation, blocks, rows, { most: most * HELD, seed }, signal);
  const { encoded, targets } = made;
  try {
    await large.checkUnchanged();
    const parts = await partsOf(rows, folds, seed, signal);
    const all = new Uint32Array(folds === 1 ? 0 : rows);
    for (let row = 0; row < all.length; row++) all[row] = row;
    const trained = folds === 1 ? (parts[0]?.train ?? all) : all;
    const units = await unitsOf(targets, preparation.target?.task ?? "value", trained, signal);
    await writeTargets(made, units, signal);
    const kinds = Object.fromEntries(Object.entries(columns).map(([name, { kind }]) => [name, kind]));
    return { preparation, encoded, targets, units, parts, numbers: undefined, kinds, warnings };
  } catch (error) {
    await encoded.close();
    throw error;
  }
}

/** Columns of which no row has a value are left out: nothing can be learned of them. */
function withoutEmpty({ schema, columns }: Inferred): Schema {
  const targets = targetsOf(schema);
  const used = Object.entries(schema.columns).map(([name, column]) => {
    const isEmpty = columns[name]?.present === 0 && column.kind !== "id" && !targets.includes(name);
    return [name, isEmpty ? ({ kind: "ignore", why: "no row has a value" } as const) : column] as const;
  });
  return { ...schema, columns: Object.fromEntries(used) };
}

/** Rows of the members: of one a fifth held out, of several each without its part. */
async function partsOf(
  rows: number,
  folds: number,
  seed: number,
  signal: AbortSignal | undefined,
): Promise<readonly MemberRows[]> {
  const count = folds === 1 ? PARTS : folds;
  const of = foldOf("fit", count, seed);
  const own = new Uint16Array(rows);
  const sizes = new Uint32Array(count);
  const turns = new Turns(signal);
  await turns.inPieces(rows, PIECE, (begin, end) => {
    for (let row = begin; row < end; row++) {
      const fold = of(row);
      own[row] = fold;
      sizes[fold] = (sizes[fold] ?? 0) + 1;
    }
  });
  if (sizes.includes(0) || sizes.includes(rows))
    throw new CarillonError(
      "ERR_DATA",
      "fit",
      `expected rows in each of ${count} parts for 'fit' but received ${rows} rows`,
    );
  const parts: MemberRows[] = [];
  for (let fold = 0; fold < folds; fold++) {
    const size = sizes[fold] ?? 0;
    const [train, validation] = [new Uint32Array(rows - size), new Uint32Array(size)];
    let [trained, held] = [0, 0];
    await turns.inPieces(rows, PIECE, (begin, end) => {
      for (let row = begin; row < end; row++) {
        if (own[row] === fold) validation[held++] = row;
        else train[trained++] = row;
      }
    });
    parts.push({ train, validation });
  }
  return parts;
}

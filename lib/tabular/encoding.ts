// Rows of a table as networks read them: encoded once, for all members.
import { turn } from "../binding/clock.js";
import { Packed, type PackedForm, type WrittenInputs } from "../data/packed.js";
import { type Affine, ColumnStatistics, standardize } from "../data/transform.js";
import { Turns } from "../data/turns.js";
import { CarillonError } from "../errors.js";
import { TURN_ROWS } from "../table/preparation/joined.js";
import type { Preparation, PreparedExamples } from "../table/preparation/preparation.js";
import type { Targets } from "../table/preparation/target.js";
import type { Task } from "../table/schema/schema.js";
import type { Table } from "../table/table.js";
import { isFloats, isInts } from "../tensor/arrays.js";
import { extent } from "../tensor/shape.js";
import type { EncodedRows } from "./encoded.js";
import { SpooledRows } from "./spooled.js";

/** Rows between two looks at the clock. */
const PIECE = { least: 512, most: 16_384 };

/** The rows of a table, encoded, and their targets as the table has them. */
export interface EncodedTable {
  readonly encoded: EncodedRows;
  readonly targets: Targets;
}

/** Where encoded rows are kept: in memory up to so many bytes, else in a file, whose order is of the seed. */
export interface Keeping {
  readonly most: number;
  readonly seed: number;
}

/** Rows that are encoded, texts in one form or the other. */
type Examples = Pick<PreparedExamples, "y"> & { readonly x: WrittenInputs };

/** Encodes tables that follow one another, `rows` in all, in turns of the event loop, in each of which the signal may abort. */
export async function encodeTables(
  preparation: Preparation,
  tables: AsyncIterable<Table> | Iterable<Table>,
  rows: number,
  keeping: Keeping,
  signal: AbortSignal | undefined,
): Promise<EncodedTable> {
  let made: EncodedTable | undefined;
  let at = 0;
  try {
    for await (const table of tables) {
      for (let begin = 0; begin < table.rows || made === undefined; begin += TURN_ROWS) {
        const part = table.slice(begin, begin + TURN_ROWS);
        let examples: Examples = preparation.examples(part, { texts: "lists" });
        made ??= await roomFor(preparation, examples, rows, keeping, signal);
        const count = Math.min(TURN_ROWS, table.rows - begin);
        if (at + count > rows) failCount(rows, "more");
        if (!made.encoded.takesLists && preparation.inputs.texts.length > 0) examples = preparation.examples(part);
        await made.encoded.write(at, examples.x);
        put(made.targets, at, examples.y);
        at += count;
        await turn();
        signal?.throwIfAborted();
      }
    }
    if (made === undefined || at !== rows) return failCount(rows, String(at));
    return made;
  } catch (error) {
    await made?.encoded.close();
    throw error;
  }
}

function failCount(rows: number, received: string): never {
  const expected = `the ${rows} rows of the reading before`;
  const hint = "the source must give the same rows at every reading";
  throw new CarillonError("ERR_DATA", "fit", `expected ${expected} for 'fit' but received ${received}: ${hint}`);
}

/** Room for rows that are encoded as these are. */
async function roomFor(
  { inputs: { texts } }: Preparation,
  { x, y }: Examples,
  rows: number,
  { most, seed }: Keeping,
  signal: AbortSignal | undefined,
): Promise<EncodedTable> {
  const inputs = Object.entries(x).map(([name, given]): PackedForm => {
    const most = texts.find(({ input }) => input === name)?.most ?? 1;
    if ("offsets" in given) return { name, shape: [most], dtype: "i32", lists: true };
    const { shape, data } = given;
    return { name, shape: shape.slice(1), dtype: isFloats(data) ? "f32" : "i32" };
  });
  const width = "shape" in y ? (y.shape[1] ?? 1) : 1;
  const target: PackedForm = { name: "y", shape: [width], dtype: "shape" in y ? "f32" : "i32" };
  const numbers = inputs.reduce((sum, { shape }) => sum + extent(shape), 0);
  const isHeld = 4 * numbers * rows <= most;
  const encoded = isHeld
    ? await Packed.make(rows, inputs, target, signal)
    : await SpooledRows.make(rows, inputs, target, seed);
  const targets = "shape" in y ? { shape: [rows, width], data: new Float64Array(rows * width) } : new Int32Array(rows);
  return { encoded, targets };
}

function put(targets: Targets, begin: number, y: Targets): void {
  if ("shape" in targets) {
    if ("shape" in y) targets.data.set(y.data, begin * (targets.shape[1] ?? 1));
  } else if (!("shape" in y)) targets.set(y, begin);
}

/** The change of units of targets that are values, so that those of `rows` have mean 0 and deviation 1, in double. */
export async function unitsOf(
  targets: Targets,
  task: Task,
  rows: Uint32Array,
  signal?: AbortSignal | undefined,
): Promise<Affine | undefined> {
  if (!("shape" in targets) || task === "labels") return undefined;
  const { shape, data } = targets;
  const width = shape[1] ?? 1;
  const statistics = new ColumnStatistics(width);
  await new Turns(signal).inPieces(rows.length, PIECE, (begin, end) => {
    for (let at = begin; at < end; at++) statistics.add(data, (rows[at] ?? 0) * width);
  });
  return statistics.fit("target", standardize(), true);
}

/** A target in the units of the network. */
function inUnits(value: number, at: number, units: Affine | undefined): number {
  return units === undefined ? value : (value - (units.shift[at] ?? 0)) / (units.scale[at] ?? 1);
}

/** Writes the targets of all rows in the units of the network. */
export async function writeTargets(
  { encoded, targets }: EncodedTable,
  units: Affine | undefined,
  signal?: AbortSignal | undefined,
): Promise<void> {
  const { shape, data } = "shape" in targets ? targets : { shape: [targets.length, 1], data: targets };
  const width = shape[1] ?? 1;
  await new Turns(signal).inPieces(shape[0] ?? 0, PIECE, (begin, end) => {
    const part = data.subarray(begin * width, end * width);
    if (isInts(part)) encoded.writeTargets(begin, part);
    else
      encoded.writeTargets(
        begin,
        Float32Array.from(part, (value, at) => inUnits(value, at % width, units)),
      );
  });
}

/** The least and the largest targets of rows, by column, in the units of the network; `undefined` of classes. */
export function boundsOf(
  targets: Targets,
  rows: Uint32Array,
  units: Affine | undefined,
): { readonly low: readonly number[]; readonly high: readonly number[] } | undefined {
  if (!("shape" in targets)) return undefined;
  const { shape, data } = targets;
  const width = shape[1] ?? 1;
  const low = new Float64Array(width).fill(Number.POSITIVE_INFINITY);
  const high = new Float64Array(width).fill(Number.NEGATIVE_INFINITY);
  for (let index = 0; index < rows.length; index++) {
    const from = (rows[index] ?? 0) * width;
    for (let at = 0; at < width; at++) {
      const value = data[from + at] ?? 0;
      if (value < (low[at] ?? value)) low[at] = value;
      if (value > (high[at] ?? value)) high[at] = value;
    }
  }
  return {
    low: Array.from(low, (value, at) => inUnits(value, at, units)),
    high: Array.from(high, (value, at) => inUnits(value, at, units)),
  };
}

/** Targets of rows, in their order: classes, or numbers one row after another. */
export function targetsOfRows(targets: Targets, rows: Uint32Array): Int32Array | Float64Array {
  if (!("shape" in targets)) {
    const picked = new Int32Array(rows.length);
    for (let at = 0; at < rows.length; at++) picked[at] = targets[rows[at] ?? 0] ?? 0;
    return picked;
  }
  const width = targets.shape[1] ?? 1;
  const picked = new Float64Array(rows.length * width);
  for (let at = 0; at < rows.length; at++) {
    for (let place = 0; place < width; place++)
      picked[at * width + place] = targets.data[(rows[at] ?? 0) * width + place] ?? 0;
  }
  return picked;
}

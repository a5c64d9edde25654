import { type NativeSlab, native } from "../binding/native.js";
import { fail } from "../errors.js";
import type { Binding } from "../graph/binding.js";
import type { FedSet } from "../graph/compiled.js";
import { pathsOf } from "../tensor/row_spec.js";
import { extent } from "../tensor/shape.js";
import { type BoundLists, bindLists } from "./bind_lists.js";
import {
  Block,
  blockForm,
  type ExampleShape,
  type TargetRows,
  type TargetShape,
  targetColumns,
  weightNames,
} from "./block.js";
import { ByLength, type CheckedBatchBy, lengthsOfRows } from "./by_length.js";
import { bindOrder, CARRY, type CarriedRows, laneOrder, readCarry } from "./carry.js";
import { CHUNK, type Interruption, inChunks } from "./chunks.js";
import type { AnyExamples, AnyInputs } from "./dataset.js";
import { areLists } from "./lists.js";
import { type Answers, type ClassFactors, dividedFactors, Measurement, type Questions } from "./measure.js";
import { bytesIn, floatsOf, hasBytes, integersOf, type Member } from "./member.js";
import { makeRoom } from "./room.js";
import type { Flat, RowPart } from "./row_store.js";
import type { StreamFeed } from "./stream_feed.js";
import { type Affine, fitsProgram, NO_UNITS, type UnitsOfRows, unitsLeft } from "./transform.js";

/** Examples copied into native memory, as programs read them. */
export interface BoundExamples {
  /** Rows of the memory: all examples, or those of a block of a stream. */
  readonly samples: number;
  readonly set: FedSet;
  /** Their numbers among the rows of the memory, i32; `undefined`: they are all of it. */
  readonly rows?: NativeSlab | undefined;
  readonly bindings: ReadonlyMap<string, Binding>;
  /** The change of units that is left to the program, for an input of bytes. */
  readonly inputs: readonly (Affine | undefined)[];
  /** Of inputs whose rows are lists. */
  readonly lists: readonly (BoundLists | undefined)[];
  readonly outputs: readonly BoundTargets[];
  /** Where the rows come from a stream. */
  readonly stream?: StreamFeed | undefined;
  /** Where rows go on from one another. */
  readonly carry?: CarriedRows | undefined;
  /** Where batches are of rows of like length, in an order that is made for each epoch. */
  readonly byLength?: ByLength | undefined;
}

/** Targets of an output in native memory. */
export interface BoundTargets {
  /** Name of the weights in the bindings, if there are some; outputs may have the same ones. */
  readonly weight: string | undefined;
  /** Whether a weight may be 0. */
  readonly zeros: boolean;
  /** The change of units of the targets. */
  readonly units: Affine | undefined;
  /** Factors of the classes, where a row has one for each of several places. */
  readonly factors?: readonly number[] | undefined;
}

type Data = AnyExamples | AnyInputs;

/** Factors of the classes: `'balanced'`, or one number ≥ 0 a class. */
export type ClassWeights = "balanced" | readonly number[];

/** Finds out what is asked about a set in memory; errors as for {@link bindExamples}. */
export async function measureExamples(
  where: string,
  data: Data,
  shape: ExampleShape,
  questions: Questions,
  interruption: Interruption = {},
): Promise<Answers> {
  const form = blockForm(where, shape);
  const measurement = new Measurement(form, questions);
  if (Measurement.needed(questions)) {
    interruption.unchanged?.();
    const block = new Block(form, data);
    await inChunks(block.rows, numbersOf(shape), interruption, (begin, end) => {
      for (let row = begin; row < end; row++) measurement.take(block, row);
    });
  }
  return measurement.answers();
}

/** Numbers of a row. */
function numbersOf({ inputs, targets }: ExampleShape): number {
  return [...inputs, ...targets].reduce((sum, { shape }) => sum + extent(shape), 0);
}

/** Options of {@link bindExamples}. */
export interface BindOptions extends Interruption {
  /** A factor ≥ 0 a class, of outputs with classes or a column of zeros and ones. */
  readonly classFactors?: ClassFactors | undefined;
  readonly units?: UnitsOfRows | undefined;
  /** Rows of a batch, all by default: lanes of rows that go on from one another. */
  readonly batch?: number | undefined;
  /** Batches of rows of like length. */
  readonly batchBy?: CheckedBatchBy | undefined;
  /** Whether their order is drawn. */
  readonly shuffle?: boolean | undefined;
}

/** A part to be written. */
interface Source extends Omit<RowPart, "name"> {
  /** Makes what gives the rows [begin, end): as they lie, or written anew to memory for so many values. */
  reader(room: number): (begin: number, end: number) => Flat;
}

/** Rows of a part in native memory. The first row is looked at before memory is taken for all. */
async function copyPart(
  rows: number,
  { columns, dtype, reader }: Source,
  interruption: Interruption,
): Promise<NativeSlab> {
  const read = reader(Math.max(CHUNK, columns));
  interruption.unchanged?.();
  read(0, 1);
  const slab = await makeRoom(rows * columns, dtype, interruption.signal);
  await inChunks(rows, columns, interruption, (begin, end) => {
    native.slabWrite(slab, begin * columns, read(begin, end));
  });
  return slab;
}

/** Weights of all rows, those of their classes included: finite, ≥ 0, not all 0 (`ERR_DATA`). */
async function weightsOf(
  where: string,
  rows: number,
  target: TargetRows,
  factors: readonly number[] | undefined,
  interruption: Interruption,
): Promise<Float32Array> {
  const weights = new Float32Array(rows);
  await inChunks(rows, 1, interruption, (begin, end) => {
    for (let row = begin; row < end; row++) weights[row] = target.weigh(row, factors);
  });
  if (!weights.some((weight) => weight > 0)) fail("ERR_DATA", where, "a weight above 0 somewhere", "only zeros");
  return weights;
}

/** An input: bytes as they are, everything else in the new units; 0 in a row that weighs nothing in any output. */
function inputOf(
  member: Member,
  affine: Affine | undefined,
  leftOut: Float32Array | undefined,
  bytes: boolean,
): Source {
  const { columns, dtype } = member;
  const isLeftOut = (row: number): boolean => leftOut?.[row] === 0;
  const values = (room: number): ((begin: number, end: number) => Flat) => {
    if (bytes) {
      const scratch = new Uint8Array(hasBytes(member) ? 0 : room);
      return (begin, end) => bytesIn(member, begin, end, scratch);
    }
    if (dtype === "i32") {
      const scratch = new Int32Array(room);
      return (begin, end) => integersOf(member, begin, end, scratch, isLeftOut);
    }
    const scratch = new Float32Array(room);
    return (begin, end) => floatsOf(member, begin, end, affine, scratch, isLeftOut);
  };
  const reader: Source["reader"] = (room) => {
    const read = values(room);
    return (begin, end) => {
      const given = read(begin, end);
      if (leftOut === undefined || !leftOut.subarray(begin, end).includes(0)) return given;
      const own = given.slice();
      for (let row = begin; row < end; row++) {
        if (isLeftOut(row)) own.fill(0, (row - begin) * columns, (row - begin + 1) * columns);
      }
      return own;
    };
  };
  return { columns, dtype: bytes ? "u8" : dtype, reader };
}

function targetsOf(
  target: TargetRows,
  shape: TargetShape,
  affine: Affine | undefined,
  weights: Float32Array | undefined,
): Source {
  const columns = targetColumns(shape);
  if (shape.target === "classes") {
    const read = (begin: number, end: number): Flat => {
      const labels = new Int32Array((end - begin) * columns);
      for (let row = begin; row < end; row++) {
        target.writeLabels(row, labels, (row - begin) * columns, weights?.[row] === 0);
      }
      return labels;
    };
    return { columns, dtype: "i32", reader: () => read };
  }
  const reader: Source["reader"] = (room) => {
    const scratch = new Float32Array(room);
    return (begin, end) => {
      for (let row = begin; row < end; row++) {
        target.write(row, affine, scratch, (row - begin) * columns, weights?.[row] === 0);
      }
      return scratch.subarray(0, (end - begin) * columns);
    };
  };
  return { columns, dtype: "f32", reader };
}

/** The weights that say which rows are left out, 0 in each: those of the output, or of several what any of them weighs; `undefined` for none. */
function leavesOut(weights: readonly (Float32Array | undefined)[]): Float32Array | undefined {
  if (!weights.every((own) => own?.includes(0))) return undefined;
  const [first, ...others] = weights;
  if (first === undefined || others.length === 0) return first;
  const largest = first.map((weight, row) => Math.max(weight, ...others.map((own) => own?.[row] ?? 0)));
  return largest.includes(0) ? largest : undefined;
}

/**
 * Checks and copies { x, y, weight } into slabs named by their paths, x, y and weight, the weights times the factors of their classes. Errors
 * name `where` and the row. Long work is done in turns; the data must not change meanwhile.
 */
export async function bindExamples(
  where: string,
  data: Data,
  shape: ExampleShape,
  { classFactors = [], units = NO_UNITS, batch, batchBy, shuffle = false, ...interruption }: BindOptions = {},
): Promise<BoundExamples> {
  interruption.unchanged?.();
  const block = new Block(blockForm(where, shape), data);
  const { rows: samples } = block;
  const bindings = new Map<string, Binding>();
  const feed = async (name: string, source: Source, scale = 1): Promise<void> => {
    const slab = await copyPart(samples, source, interruption);
    bindings.set(name, { kind: "feed", slab, dtype: source.dtype, samples, scale });
  };
  const { ofRows, ofPlaces } = dividedFactors(shape, classFactors);
  const names = weightNames(block, shape, ofRows);
  const weights = new Map<string, Float32Array>();
  for (const [at, target] of block.targets.entries()) {
    const name = names[at];
    if (name === undefined || weights.has(name)) continue;
    weights.set(name, await weightsOf(`${where}.${name}`, samples, target, ofRows[at], interruption));
  }
  const own = names.map((name) => (name === undefined ? undefined : weights.get(name)));
  const leftOut = leavesOut(own);
  const inputs: (Affine | undefined)[] = shape.inputs.map(() => undefined);
  const lists: (BoundLists | undefined)[] = shape.inputs.map(() => undefined);
  for (const [at, path] of pathsOf("x", shape.inputs).entries()) {
    const [member, affine] = [block.inputs[at], units.inputs[at]];
    if (member === undefined) continue;
    if (areLists(member)) {
      lists[at] = await bindLists(path, member, leftOut, bindings, interruption);
      continue;
    }
    const bytes = member.bytes ?? (hasBytes(member) && fitsProgram(affine));
    const left = unitsLeft(affine, bytes);
    await feed(path, inputOf(member, affine, leftOut, bytes), left.scale);
    inputs[at] = left.affine;
  }
  for (const [at, path] of pathsOf("y", shape.targets).entries()) {
    const [target, form] = [block.targets[at], shape.targets[at]];
    if (target === undefined || form === undefined) continue;
    await feed(path, targetsOf(target, form, units.targets[at], own[at]));
  }
  for (const [name, values] of weights) {
    await feed(name, { columns: 1, dtype: "f32", reader: () => (begin, end) => values.subarray(begin, end) });
  }
  const outputs = names.map((weight, at) => {
    const factors = ofPlaces[at];
    if (factors?.every((factor) => factor === 0))
      fail("ERR_DATA", `${where}.weight`, "a weight above 0 somewhere", "only zeros");
    return { weight, zeros: own[at]?.includes(0) ?? false, units: units.targets[at], factors };
  });
  const bound = { samples, set: { whole: `'${where}'` }, bindings, inputs, lists, outputs };
  if (batchBy !== undefined) {
    const at = shape.inputs.findIndex(({ name }) => name === batchBy.lengths);
    const lengths = lengthsOfRows("fit.batchBy.lengths", block.inputs[at], batchBy.lengths);
    const byLength = new ByLength(at, lengths, Math.min(batch ?? samples, samples), batchBy.pool, shuffle);
    return { ...bound, rows: byLength.rows, byLength };
  }
  if (block.carry === undefined) return bound;
  const lanes = Math.min(batch ?? samples, samples);
  const { rows, places } = bindOrder(laneOrder(readCarry(block.carry), lanes));
  bindings.set(CARRY, { kind: "feed", slab: places, dtype: "i32", samples, scale: 1 });
  return { ...bound, rows, carry: { where: block.carry.where, lanes } };
}

import { type NativeSlab, native } from "../binding/native.js";
import { fail } from "../errors.js";
import type { Binding } from "../graph/binding.js";
import { unlessAborted } from "../signals.js";
import { Block, type ExampleShape, rowShape } from "./block.js";
import type { Examples, Features, Labels, Targets } from "./dataset.js";
import { type Answers, Measurement, type Questions } from "./measure.js";
import { bytesOf, floatsOf, hasBytes } from "./member.js";
import type { StreamFeed } from "./stream_feed.js";
import { type Affine, commonFactor, fitsProgram, type Transforms } from "./transform.js";
import { Turns } from "./turns.js";

/** Examples copied into native memory, as programs read them. */
export interface BoundExamples {
  /** Rows of the memory: all examples, or those of a block of a stream. */
  readonly samples: number;
  readonly bindings: ReadonlyMap<string, Binding>;
  readonly weighted: boolean;
  /** Whether a weight may be 0. */
  readonly zeros: boolean;
  readonly units: Units;
  /** Where the rows come from a stream. */
  readonly stream?: StreamFeed | undefined;
}

/** Units that differ between a set and what the network sees. */
export interface Units {
  /** What the program has still to do to the inputs: they are bytes. */
  readonly inputs: Affine | undefined;
  /** What the targets went through. */
  readonly targets: Affine | undefined;
}

/** Units of bound data: bytes are left to the program, and to the gather where one factor does it. */
export function unitsOf({ inputs, targets }: Transforms, dtype: "f32" | "u8"): Units & { readonly scale: number } {
  if (dtype === "f32" || inputs === undefined) return { inputs: undefined, targets, scale: 1 };
  const factor = commonFactor(inputs);
  return factor === undefined ? { inputs, targets, scale: 1 } : { inputs: undefined, targets, scale: factor };
}

type Data = Examples<Features, Labels | Targets>;

/** Elements that are worked on between two looks at the clock, at first and at most. */
const FEW = 512;
const CHUNK = 16_384;

/** Factors of the classes: `'balanced'`, or one number ≥ 0 a class. */
export type ClassWeights = "balanced" | readonly number[];

/** What may end long work between two turns: an abort, or that data of the caller has gone, of which `unchanged` throws. */
export interface Interruption {
  readonly signal?: AbortSignal | undefined;
  readonly unchanged?: (() => void) | undefined;
}

/** Calls `work` for one range of rows after another; the event loop has its turns in between. */
async function inChunks(
  rows: number,
  columns: number,
  { signal, unchanged }: Interruption,
  work: (begin: number, end: number) => void,
): Promise<void> {
  const rowsOf = (elements: number): number => Math.max(1, Math.floor(elements / columns));
  await new Turns(signal).inPieces(rows, { least: rowsOf(FEW), most: rowsOf(CHUNK) }, (begin, end) => {
    unchanged?.();
    work(begin, end);
  });
}

/** Finds out what is asked about a set in memory; errors as for {@link bindExamples}. */
export async function measureExamples(
  where: string,
  data: Data,
  shape: ExampleShape,
  questions: Questions,
  interruption: Interruption = {},
): Promise<Answers> {
  const measurement = new Measurement(where, shape, questions);
  if (Measurement.needed(questions)) {
    interruption.unchanged?.();
    const block = new Block(where, data, rowShape(shape));
    await inChunks(block.rows, shape.inputs + shape.outputs, interruption, (begin, end) => {
      for (let row = begin; row < end; row++) measurement.take(block, row);
    });
  }
  return measurement.answers();
}

/** What {@link bindExamples} does to a set. */
export interface BindOptions extends Interruption {
  /** A factor ≥ 0 a class, for classes or a column of zeros and ones. */
  readonly classFactors?: readonly number[] | undefined;
  readonly transforms?: Transforms | undefined;
}

/** Bytes from which the system is made to find memory before it is filled. */
const LARGE = 2_097_152;

/** Memory for a member; where there is much of it a native thread writes to it first, as that may take long. */
async function makeRoom(count: number, dtype: "f32" | "i32" | "u8", signal?: AbortSignal): Promise<NativeSlab> {
  const slab = native.slabCreate(count, dtype);
  const bytes = dtype === "u8" ? count : count * Float32Array.BYTES_PER_ELEMENT;
  if (bytes >= LARGE) await unlessAborted(signal, native.slabClear(slab));
  return slab;
}

/** A member to be written, rows of so many values. */
interface Part {
  readonly columns: number;
  readonly dtype: "f32" | "i32" | "u8";
  /** The rows [begin, end), in `scratch` if they have to be written anew. */
  read(begin: number, end: number, scratch: Float32Array): Float32Array | Int32Array | Uint8Array;
}

/** Rows of a part in native memory. The first row is looked at before memory is taken for all. */
async function copyPart(rows: number, part: Part, interruption: Interruption): Promise<NativeSlab> {
  const { columns, dtype, read } = part;
  const scratch = new Float32Array(Math.max(CHUNK, columns));
  interruption.unchanged?.();
  read(0, 1, scratch);
  const slab = await makeRoom(rows * columns, dtype, interruption.signal);
  await inChunks(rows, columns, interruption, (begin, end) => {
    native.slabWrite(slab, begin * columns, read(begin, end, scratch));
  });
  return slab;
}

/** Weights of all rows, those of their classes included: finite, ≥ 0, not all 0 (`ERR_DATA`). */
async function weightsOf(
  where: string,
  block: Block,
  factors: readonly number[] | undefined,
  interruption: Interruption,
): Promise<Float32Array | undefined> {
  if (block.weight === undefined && factors === undefined) return undefined;
  const weights = new Float32Array(block.rows);
  await inChunks(block.rows, 1, interruption, (begin, end) => {
    for (let row = begin; row < end; row++) weights[row] = block.weigh(row, factors);
  });
  if (!weights.some((weight) => weight > 0)) fail("ERR_DATA", where, "a weight above 0 somewhere", "only zeros");
  return weights;
}

/** Inputs: bytes as they are, everything else as f32 in the new units; 0 in a row that weighs nothing. */
function inputsOf(
  { x }: Block,
  affine: Affine | undefined,
  weights: Float32Array | undefined,
  dtype: "f32" | "u8",
): Part {
  const { columns } = x;
  const leftOut = (row: number): boolean => weights?.[row] === 0;
  const read: Part["read"] = (begin, end, scratch) => {
    const given = dtype === "u8" ? bytesOf(x, begin, end) : floatsOf(x, begin, end, affine, scratch, leftOut);
    if (weights === undefined || !weights.subarray(begin, end).includes(0)) return given;
    const own = given.slice();
    for (let row = begin; row < end; row++) {
      if (leftOut(row)) own.fill(0, (row - begin) * columns, (row - begin + 1) * columns);
    }
    return own;
  };
  return { columns, dtype, read };
}

function targetsOf(
  block: Block,
  { target }: ExampleShape,
  affine: Affine | undefined,
  weights: Float32Array | undefined,
): Part {
  if (target === "classes") {
    const read: Part["read"] = (begin, end) =>
      Int32Array.from({ length: end - begin }, (_, index) => block.label(begin + index));
    return { columns: 1, dtype: "i32", read };
  }
  const { columns } = block.y;
  const read: Part["read"] = (begin, end, scratch) => {
    for (let row = begin; row < end; row++) {
      block.writeTargets(row, affine, scratch, (row - begin) * columns, weights?.[row] === 0);
    }
    return scratch.subarray(0, (end - begin) * columns);
  };
  return { columns, dtype: "f32", read };
}

/**
 * Checks and copies { x, y, weight } into slabs named x, y and weight, the weights times the factors of their classes. Errors
 * name `where` and the row. Long work is done in turns; the data must not change meanwhile.
 */
export async function bindExamples(
  where: string,
  data: Data,
  shape: ExampleShape,
  { classFactors, transforms = {}, ...interruption }: BindOptions = {},
): Promise<BoundExamples> {
  interruption.unchanged?.();
  const block = new Block(where, data, rowShape(shape));
  const { rows: samples } = block;
  const dtype = hasBytes(block.x) && fitsProgram(transforms.inputs) ? "u8" : "f32";
  const units = unitsOf(transforms, dtype);
  const bindings = new Map<string, Binding>();
  const feed = async (name: string, part: Part, scale = 1): Promise<void> => {
    const slab = await copyPart(samples, part, interruption);
    bindings.set(name, { kind: "feed", slab, dtype: part.dtype, samples, scale });
  };
  const weights = await weightsOf(`${where}.weight`, block, classFactors, interruption);
  const zeros = weights?.includes(0) ?? false;
  await feed("x", inputsOf(block, transforms.inputs, zeros ? weights : undefined, dtype), units.scale);
  await feed("y", targetsOf(block, shape, transforms.targets, weights));
  if (weights !== undefined) {
    await feed("weight", { columns: 1, dtype: "f32", read: (begin, end) => weights.subarray(begin, end) });
  }
  return { samples, bindings, weighted: weights !== undefined, zeros, units };
}

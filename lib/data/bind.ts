import { type NativeSlab, native } from "../binding/native.js";
import { CarillonError, describe, fail } from "../errors.js";
import type { Binding } from "../graph/plan.js";
import { checkKeys } from "../options.js";
import {
  bindFeatures,
  bindProbabilities,
  bindTargets,
  bindWeights,
  checkElement,
  type Examples,
  type Features,
  isTensorLike,
  type Labels,
  rowParts,
  type Targets,
} from "./dataset.js";
import { binaryTargets, bindLabels, type ClassNames } from "./labels.js";
import type { StreamFeed } from "./stream_feed.js";
import { type Affine, ColumnStatistics, commonFactor, type Transform, type Transforms } from "./transform.js";
import { Turns, unlessAborted } from "./turns.js";

/** What a set of examples must fit. */
export interface ExampleShape {
  readonly inputs: number;
  readonly outputs: number;
  readonly target: "classes" | "probabilities" | "values";
  /** Labels may be these. */
  readonly names?: ClassNames | undefined;
}

/** Examples copied into native memory, as programs read them. */
export interface BoundExamples {
  /** Rows of the memory: all examples, or those of a block of a stream. */
  readonly samples: number;
  readonly bindings: ReadonlyMap<string, Binding>;
  readonly weighted: boolean;
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

function expectRows(where: string, rows: number, samples: number): void {
  if (rows === samples) return;
  throw new CarillonError("ERR_DATA", where, `expected ${samples} rows for '${where}', as x has, but received ${rows}`);
}

/** Factors of the classes: `'balanced'`, or one number ≥ 0 a class. */
export type ClassWeights = "balanced" | readonly number[];

/**
 * A factor a class: n/(classes·count) for `'balanced'`, so that all classes that occur weigh the same and a balanced set
 * keeps its weights; a class that does not occur has 0.
 */
export function balancedFactors(counts: readonly number[]): readonly number[] {
  const examples = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => (count === 0 ? 0 : examples / (counts.length * count)));
}

function classFactors(labels: Int32Array, classes: number, weights: ClassWeights): readonly number[] {
  if (weights !== "balanced") return weights;
  const counts = new Array<number>(classes).fill(0);
  for (const label of labels) counts[label] = (counts[label] ?? 0) + 1;
  return balancedFactors(counts);
}

/** Targets of a single column as the classes 0 and 1; `ERR_LABEL` where one is neither. */
function binaryLabels(where: string, targets: Float32Array): Int32Array {
  const row = targets.findIndex((value) => value !== 0 && value !== 1);
  if (row < 0) return Int32Array.from(targets);
  const problem = `expected 0 or 1 for '${where}', as there are class weights, but received ${describe(targets[row])}`;
  throw new CarillonError("ERR_LABEL", where, `${problem} in row ${row}`);
}

/** The weights of examples, 1 where there are none, times the factors of their classes. */
function weightByClass(
  where: string,
  labels: Int32Array,
  factors: readonly number[],
  weights: Float32Array | undefined,
): Float32Array {
  const products = new Float32Array(labels.length);
  for (let row = 0; row < labels.length; row++) {
    products[row] = (factors[labels[row] ?? 0] ?? 0) * (weights?.[row] ?? 1);
  }
  return bindWeights(where, products, labels.length);
}

/** Elements that are worked on between two looks at the clock. */
const CHUNK = 16_384;

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
  const turns = new Turns(signal);
  const step = Math.max(1, Math.floor(CHUNK / columns));
  for (let begin = 0; begin < rows; begin += step) {
    unchanged?.();
    work(begin, Math.min(begin + step, rows));
    if (turns.over) await turns.next();
  }
}

type Data = Examples<Features, Labels | Targets>;

function checkData(where: string, data: Data): void {
  checkKeys(where, data, ["x", "y", "weight"]);
  if (data.x === undefined || data.y === undefined) fail("ERR_DATA", where, "{ x, y }", data);
}

/** Figures of the columns of one member of a set, from its own numbers: nothing is rounded to f32 before. */
async function measure(
  where: string,
  value: unknown,
  columns: number,
  interruption: Interruption,
): Promise<ColumnStatistics> {
  const statistics = new ColumnStatistics(columns);
  interruption.unchanged?.();
  const { rows, part } = rowParts(where, value, columns);
  await inChunks(rows, columns, interruption, (begin, end) => {
    const chunk = part(begin, end);
    for (let row = begin; row < end; row++) {
      const nested: unknown = Array.isArray(chunk) ? chunk[row - begin] : undefined;
      const values = (typeof nested === "object" && nested !== null ? nested : chunk) as ArrayLike<unknown>;
      const offset = values === chunk ? (row - begin) * columns : 0;
      if (values !== chunk && values.length !== columns) {
        fail("ERR_DATA", where, `${columns} values in row ${row}`, values);
      }
      for (let column = 0; column < columns; column++) checkElement(where, row, column, values[offset + column]);
      statistics.add(values as ArrayLike<number>, offset);
    }
  });
  return statistics;
}

/** Fits transforms on a set; those that are `undefined` stay so. */
export async function fitTransforms(
  where: string,
  data: Data,
  { inputs, outputs }: ExampleShape,
  transforms: { readonly inputs: Transform | undefined; readonly targets: Transform | undefined },
  interruption: Interruption = {},
): Promise<Transforms> {
  checkData(where, data);
  const fitted = async (name: "x" | "y", columns: number, transform: Transform | undefined) =>
    transform === undefined
      ? undefined
      : (await measure(`${where}.${name}`, data[name], columns, interruption)).fit(transform);
  return {
    inputs: await fitted("x", inputs, transforms.inputs),
    targets: await fitted("y", outputs, transforms.targets),
  };
}

/** What {@link bindExamples} does to a set. */
export interface BindOptions extends Interruption {
  readonly classWeights?: ClassWeights | undefined;
  readonly transforms?: Transforms | undefined;
}

/** Units that a member goes to, and what ends the work. */
interface To extends Interruption {
  readonly affine: Affine | undefined;
}

type Matrix = { readonly dtype: "f32" | "u8"; readonly rows: number; readonly slab: NativeSlab };

/** Bytes from which the system is made to find memory before it is filled. */
const LARGE = 2_097_152;

/** Memory for a member; where there is much of it a native thread writes to it first, as that may take long. */
async function makeRoom(count: number, dtype: "f32" | "u8", signal: AbortSignal | undefined): Promise<NativeSlab> {
  const slab = native.slabCreate(count, dtype);
  const bytes = dtype === "u8" ? count : count * Float32Array.BYTES_PER_ELEMENT;
  if (bytes >= LARGE) await unlessAborted(signal, native.slabClear(slab));
  return slab;
}

/** Inputs in native memory: bytes as they are, everything else as f32 in the new units. */
async function bindInputs(
  where: string,
  x: Features,
  columns: number,
  { affine, ...interruption }: To,
): Promise<Matrix> {
  const { rows, part } = rowParts(where, x, columns);
  const bytes = (isTensorLike(x) ? x.data : x) instanceof Uint8Array;
  const dtype = bytes ? "u8" : "f32";
  // Checked before memory is taken for all of it.
  bindFeatures(where, part(0, 1) as Features, columns, { affine });
  const slab = await makeRoom(rows * columns, dtype, interruption.signal);
  await inChunks(rows, columns, interruption, (begin, end) => {
    const bound = bindFeatures(where, part(begin, end) as Features, columns, { firstRow: begin, affine });
    native.slabWrite(slab, begin * columns, bound.data);
  });
  return { dtype, rows, slab };
}

async function bindValues(
  where: string,
  y: Targets,
  { outputs, target }: ExampleShape,
  { affine, ...interruption }: To,
): Promise<Matrix> {
  const bind = target === "probabilities" ? bindProbabilities : bindTargets;
  const { rows, part } = rowParts(where, y, outputs);
  bind(where, part(0, 1) as Targets, outputs, { affine });
  const slab = await makeRoom(rows * outputs, "f32", interruption.signal);
  await inChunks(rows, outputs, interruption, (begin, end) => {
    const bound = bind(where, part(begin, end) as Targets, outputs, { firstRow: begin, affine });
    native.slabWrite(slab, begin * outputs, bound.data);
  });
  return { dtype: "f32", rows, slab };
}

/**
 * Checks and copies { x, y, weight } into slabs named x, y and weight, the weights times `classWeights` (which needs
 * classes, or a column of zeros and ones). Errors name `where` and the row. Long work is done in turns; the data must not
 * change meanwhile.
 */
export async function bindExamples(
  where: string,
  data: Data,
  shape: ExampleShape,
  { classWeights, transforms = {}, ...interruption }: BindOptions = {},
): Promise<BoundExamples> {
  checkData(where, data);
  interruption.unchanged?.();
  const { inputs, outputs, target, names } = shape;
  const x = await bindInputs(`${where}.x`, data.x, inputs, { affine: transforms.inputs, ...interruption });
  interruption.unchanged?.();
  const samples = x.rows;
  const units = unitsOf(transforms, x.dtype);
  const bindings = new Map<string, Binding>();
  const feed = (name: string, slab: NativeSlab, dtype: "f32" | "i32" | "u8", scale = 1): void => {
    bindings.set(name, { kind: "feed", slab, dtype, samples, scale });
  };
  const slabOf = (values: Float32Array | Int32Array, dtype: "f32" | "i32"): NativeSlab => {
    const slab = native.slabCreate(values.length, dtype);
    native.slabWrite(slab, 0, values);
    return slab;
  };
  let weight = data.weight === undefined ? undefined : bindWeights(`${where}.weight`, data.weight, samples);
  if (target === "classes") {
    const labels = bindLabels(`${where}.y`, data.y, outputs, { names, rows: samples });
    expectRows(`${where}.y`, labels.length, samples);
    feed("y", slabOf(labels, "i32"), "i32");
    if (classWeights !== undefined) {
      weight = weightByClass(`${where}.weight`, labels, classFactors(labels, outputs, classWeights), weight);
    }
  } else {
    const yesOrNo = target === "probabilities" && outputs === 1;
    const y = (yesOrNo ? binaryTargets(`${where}.y`, data.y, names) : data.y) as Targets;
    const to = { affine: transforms.targets, ...interruption };
    const values = await bindValues(`${where}.y`, y, shape, to);
    expectRows(`${where}.y`, values.rows, samples);
    feed("y", values.slab, "f32");
    if (classWeights !== undefined) {
      const column = new Float32Array(samples * outputs);
      native.slabRead(values.slab, 0, column);
      const labels = binaryLabels(`${where}.y`, column);
      weight = weightByClass(`${where}.weight`, labels, classFactors(labels, 2, classWeights), weight);
    }
  }
  feed("x", x.slab, x.dtype, units.scale);
  if (weight !== undefined) feed("weight", slabOf(weight, "f32"), "f32");
  return { samples, bindings, weighted: weight !== undefined, units };
}

import { type NativeSlab, native } from "../binding/native.js";
import { CarillonError, describe, fail } from "../errors.js";
import type { Binding } from "../graph/plan.js";
import { checkKeys } from "../options.js";
import {
  bindFeatures,
  bindLabels,
  bindProbabilities,
  bindTargets,
  bindWeights,
  type Examples,
  type Features,
  type Labels,
  type Targets,
} from "./dataset.js";

/** What a set of examples must fit. */
export interface ExampleShape {
  readonly inputs: number;
  readonly outputs: number;
  readonly target: "classes" | "probabilities" | "values";
}

/** Examples copied into native memory, as programs read them. */
export interface BoundExamples {
  readonly samples: number;
  readonly bindings: ReadonlyMap<string, Binding>;
  readonly weighted: boolean;
}

function slabOf(data: Float32Array | Int32Array | Uint8Array, dtype: "f32" | "i32" | "u8"): NativeSlab {
  const slab = native.slabCreate(data.length, dtype);
  native.slabWrite(slab, 0, data);
  return slab;
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
function classFactors(labels: Int32Array, classes: number, weights: ClassWeights): readonly number[] {
  if (weights !== "balanced") return weights;
  const counts = new Array<number>(classes).fill(0);
  for (const label of labels) counts[label] = (counts[label] ?? 0) + 1;
  return counts.map((count) => (count === 0 ? 0 : labels.length / (classes * count)));
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
  const products = Array.from(labels, (label, row) => (factors[label] ?? 0) * (weights?.[row] ?? 1));
  return bindWeights(where, products, labels.length);
}

/**
 * Checks and copies { x, y, weight } into slabs named x, y and weight, the weights times `classWeights` (which needs
 * classes, or a column of zeros and ones). Errors name `where` and the row.
 */
export function bindExamples(
  where: string,
  data: Examples<Features, Labels | Targets>,
  { inputs, outputs, target }: ExampleShape,
  classWeights?: ClassWeights | undefined,
): BoundExamples {
  checkKeys(where, data, ["x", "y", "weight"]);
  if (data.x === undefined || data.y === undefined) fail("ERR_DATA", where, "{ x, y }", data);
  const x = bindFeatures(`${where}.x`, data.x, inputs);
  const samples = x.rows;
  const bindings = new Map<string, Binding>();
  const feed = (name: string, slab: NativeSlab, dtype: "f32" | "i32" | "u8"): void => {
    bindings.set(name, { kind: "feed", slab, dtype, samples, scale: 1 });
  };
  let weight = data.weight === undefined ? undefined : bindWeights(`${where}.weight`, data.weight, samples);
  if (target === "classes") {
    const labels = bindLabels(`${where}.y`, data.y as Labels, outputs);
    expectRows(`${where}.y`, labels.length, samples);
    feed("y", slabOf(labels, "i32"), "i32");
    if (classWeights !== undefined) {
      weight = weightByClass(`${where}.weight`, labels, classFactors(labels, outputs, classWeights), weight);
    }
  } else {
    const bind = target === "probabilities" ? bindProbabilities : bindTargets;
    const values = bind(`${where}.y`, data.y as Targets, outputs);
    expectRows(`${where}.y`, values.rows, samples);
    feed("y", slabOf(values.data, "f32"), "f32");
    if (classWeights !== undefined) {
      const labels = binaryLabels(`${where}.y`, values.data);
      weight = weightByClass(`${where}.weight`, labels, classFactors(labels, 2, classWeights), weight);
    }
  }
  feed("x", slabOf(x.data, x.dtype), x.dtype);
  if (weight !== undefined) feed("weight", slabOf(weight, "f32"), "f32");
  return { samples, bindings, weighted: weight !== undefined };
}

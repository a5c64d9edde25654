import { type NativeSlab, native } from "../binding/native.js";
import { CarillonError, fail } from "../errors.js";
import type { Binding } from "../graph/plan.js";
import { checkKeys } from "../options.js";
import {
  bindFeatures,
  bindLabels,
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
  readonly target: "classes" | "values";
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

/** Checks and copies { x, y, weight } into slabs named x, y and weight. Errors name `where` and the row. */
export function bindExamples(
  where: string,
  data: Examples<Features, Labels | Targets>,
  { inputs, outputs, target }: ExampleShape,
): BoundExamples {
  checkKeys(where, data, ["x", "y", "weight"]);
  if (data.x === undefined || data.y === undefined) fail("ERR_DATA", where, "{ x, y }", data);
  const x = bindFeatures(`${where}.x`, data.x, inputs);
  const samples = x.rows;
  const bindings = new Map<string, Binding>();
  const feed = (name: string, slab: NativeSlab, dtype: "f32" | "i32" | "u8"): void => {
    bindings.set(name, { kind: "feed", slab, dtype, samples, scale: 1 });
  };
  if (target === "classes") {
    const labels = bindLabels(`${where}.y`, data.y as Labels, outputs);
    expectRows(`${where}.y`, labels.length, samples);
    feed("y", slabOf(labels, "i32"), "i32");
  } else {
    const values = bindTargets(`${where}.y`, data.y as Targets, outputs);
    expectRows(`${where}.y`, values.rows, samples);
    feed("y", slabOf(values.data, "f32"), "f32");
  }
  feed("x", slabOf(x.data, x.dtype), x.dtype);
  if (data.weight !== undefined) {
    feed("weight", slabOf(bindWeights(`${where}.weight`, data.weight, samples), "f32"), "f32");
  }
  return { samples, bindings, weighted: data.weight !== undefined };
}

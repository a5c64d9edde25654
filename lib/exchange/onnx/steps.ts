// What a graph of ONNX becomes: steps, each a layer or an operation, and for each value of the graph the step that gives it, with how its axes lie there.
import { CarillonError } from "../../errors.js";
import { flatten, type Layer, ops, reshape, type Value } from "../../index.js";
import type { OnnxTensor } from "./format.js";

/** Sizes of what a step gives, the batch first. */
export type Dims = readonly ["batch", ...number[]];

/** What a step does. */
export type Work =
  | { readonly kind: "input"; readonly name: string; readonly dtype: "f32" | "i32" }
  | { readonly kind: "layer"; readonly layer: Layer; readonly weights: Readonly<Record<string, Float32Array>> }
  | { readonly kind: "operation"; readonly apply: Operation };

/** Records an operation on what the steps before give, in their order. */
export type Operation = (values: readonly Value[]) => Value;

function operand(values: readonly Value[], at: number): Value {
  const value = values[at];
  if (value === undefined) throw new CarillonError("ERR_TRACE", "importOnnx", "an operation lacks an operand");
  return value;
}

export const unary =
  (of: (x: Value) => Value): Operation =>
  (values) =>
    of(operand(values, 0));

export const binary =
  (of: (a: Value, b: Value) => Value): Operation =>
  (values) =>
    of(operand(values, 0), operand(values, 1));

/** Something that is computed from what others give. */
export interface Step {
  readonly from: readonly Step[];
  readonly dims: Dims;
  readonly dtype: "f32" | "i32";
  /** Another one, once more is known of it: a bias that is added behind a product. */
  work: Work;
  /** A product whose bias may still come. */
  openBias?: ((bias: Float32Array) => Work) | undefined;
}

/** A value that is computed: axis i of the file's is the axes `groups[i]` of the step's, one within another; of none it has the size 1. */
export interface Computed {
  readonly kind: "computed";
  readonly step: Step;
  readonly groups: readonly (readonly number[])[];
}

/** A size of the graph's own arithmetic: a number, that of the batch, or so many times that. */
export type Entry = number | "batch" | `batch*${number}`;

/** A size for one row of the batch. */
export const perRow = (size: Entry): number =>
  typeof size === "number" ? size : size === "batch" ? 1 : Number(size.slice("batch*".length));

/** So many times the size of the batch. */
export const ofBatch = (times: number): Entry => (times === 1 ? "batch" : `batch*${times}`);

/** Whether the batch is a part of a size. */
export const isOfBatch = (size: Entry | undefined): boolean => typeof size === "string";

/** A value that is known: numbers of a tensor of the file, or sizes. */
export interface Constant {
  readonly kind: "constant";
  readonly dims: readonly Entry[];
  /** Its numbers, unless they are all `fill`. */
  readonly tensor?: OnnxTensor | undefined;
  readonly floats?: Float32Array | undefined;
  readonly entries?: readonly Entry[] | undefined;
  readonly fill?: number | undefined;
  /** Whether its numbers are floats, of which quotients are not cut; by default as its tensor says, and sizes are integers. */
  readonly isFloat?: boolean | undefined;
}

export type Known = Computed | Constant;

/** Axes one by one. */
export const oneByOne = (count: number): readonly (readonly number[])[] =>
  Array.from({ length: count }, (_, at) => [at]);

/** What a step gives, axis by axis. */
export const computed = (step: Step): Computed => ({ kind: "computed", step, groups: oneByOne(step.dims.length) });

/** The step of a layer. */
export function layerStep(
  from: Step,
  layer: Layer,
  dims: Dims,
  weights: Readonly<Record<string, Float32Array>> = {},
): Step {
  return { from: [from], dims, dtype: "f32", work: { kind: "layer", layer, weights } };
}

/** The step of an operation. */
export function operationStep(from: readonly Step[], dims: Dims, apply: Operation): Step {
  return { from, dims, dtype: "f32", work: { kind: "operation", apply } };
}

/** Elements a row. */
export const elementsOf = (dims: readonly Entry[]): number =>
  dims.reduce<number>((product, size) => product * perRow(size), 1);

const sameDims = (a: readonly Entry[], b: readonly Entry[]): boolean =>
  a.length === b.length && a.every((size, axis) => size === b[axis]);

const isReshape = (step: Step): boolean =>
  step.work.kind === "layer" && (step.work.layer.kind === "flatten" || step.work.layer.kind === "reshape");

/** The same elements under other sizes; what another shape was made of is taken itself. */
export function reshapedStep(given: Step, dims: Dims): Step {
  const [before] = given.from;
  const from = isReshape(given) && before !== undefined ? before : given;
  if (sameDims(from.dims, dims)) return from;
  const [, ...row] = dims;
  const layer: Layer = row.length === 1 ? flatten() : reshape(row);
  return { ...layerStep(from, layer, dims), dtype: from.dtype };
}

/** Sizes of a value's axes as the file has them. */
export function sizesOf({ step, groups }: Computed): readonly Entry[] {
  return groups.map((axes) => {
    const size = elementsOf(axes.map((axis) => step.dims[axis] ?? 1));
    return axes.includes(0) ? ofBatch(size) : size;
  });
}

/** Whether the batch is the first axis, by itself. */
export const hasBatchFirst = ({ groups }: Computed): boolean => groups[0]?.length === 1 && groups[0][0] === 0;

/** Where the batch stands by itself; −1: it is a part of another axis. */
export const batchAxis = ({ groups }: Computed): number =>
  groups.findIndex((axes) => axes.length === 1 && axes[0] === 0);

/**
 * A step that gives the file's axes in this order, each by itself, the batch first: what lies otherwise is turned, so that no number changes its place where none has to.
 * `undefined` where the batch is not an axis of its own.
 */
export function arranged({ step, groups }: Computed, order: readonly number[]): Step | undefined {
  const wanted = order.map((axis) => groups[axis] ?? []);
  const [first] = wanted;
  if (first?.length !== 1 || first[0] !== 0) return undefined;
  const atoms = wanted.flat();
  // Axes of size 1 that the file has lost stand anywhere.
  const lost = step.dims.flatMap((_, axis) => (atoms.includes(axis) ? [] : [axis]));
  const all = [...atoms, ...lost];
  const isTurned = all.some((axis, place) => axis !== place);
  const turned = isTurned ? transposedStep(step, all) : step;
  const sizes = wanted.slice(1).map((axes) => elementsOf(axes.map((axis) => step.dims[axis] ?? 1)));
  return reshapedStep(turned, ["batch", ...sizes]);
}

/** The axes of a step in another order: the same memory where only axes of 1 change places. */
function transposedStep(step: Step, order: readonly number[]): Step {
  const [, ...rest] = order.map((axis) => step.dims[axis] ?? 1);
  const dims: Dims = ["batch", ...rest.map(Number)];
  const wide = order.filter((axis) => step.dims[axis] !== 1);
  if (wide.every((axis, at) => at === 0 || (wide[at - 1] ?? 0) < axis)) return reshapedStep(step, dims);
  return operationStep(
    [step],
    dims,
    unary((x) => ops.transpose(x, order)),
  );
}

/** All axes of a value in the file's order. */
export const inOrder = (value: Computed): Step | undefined =>
  arranged(
    value,
    value.groups.map((_, axis) => axis),
  );

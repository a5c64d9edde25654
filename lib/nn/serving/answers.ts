// What is made of outputs: tensors of the caller's own, in the units of the data, and labels.
import type { Member } from "../../data/member.js";
import { type Affine, restoreRows } from "../../data/transform.js";
import { Tensor } from "../../tensor/tensor.js";
import type { FrozenProgram } from "../frozen.js";
import { type Described, labelsOfRows, type PredictedLabels } from "../meaning.js";
import type { Take } from "./batch.js";
import { takeRows } from "./rows.js";

/** Takes [rows, outputs] of its own memory, in the units of the data. */
export function tensorTaker(outputs: number): Take<Tensor<"f32">> {
  return (all, begin, rows, { transforms }) => {
    const data = all.slice(begin, begin + rows * outputs);
    if (transforms.targets !== undefined) restoreRows(transforms.targets, data);
    return new Tensor(data, [rows, outputs], "f32");
  };
}

/** Takes the labels of outputs, as {@link labelsOfRows} tells them. */
export function labelTaker(where: string, outputs: number): Take<PredictedLabels> {
  const tensor = tensorTaker(outputs);
  return (all, begin, rows, described) => labelsOfRows(where, described, tensor(all, begin, rows, described).data);
}

/** Rows of a call as the network takes them, and memory for their outputs. */
export interface Part {
  readonly x: Float32Array;
  /** Its first row. */
  readonly begin: number;
  readonly rows: number;
  readonly y: Float32Array;
}

/**
 * Any number of rows, batch by batch: who takes a part writes its outputs to `y` before the next one is asked for. So `all`, [rows,
 * outputs], is filled.
 */
export function* batchesOf(
  { maxBatch, outputs }: Pick<FrozenProgram, "maxBatch" | "outputs">,
  member: Member,
  affine: Affine | undefined,
  all: Float32Array,
): Generator<Part, void> {
  const { rows, columns } = member;
  const most = Math.min(rows, maxBatch);
  let changed: Float32Array | undefined;
  const scratch = (): Float32Array => {
    changed ??= new Float32Array(most * columns);
    return changed;
  };
  const y = rows <= maxBatch ? all : new Float32Array(most * outputs);
  for (let begin = 0; begin < rows; begin += maxBatch) {
    const end = Math.min(begin + maxBatch, rows);
    yield { x: takeRows(member, { begin, end }, affine, scratch), begin, rows: end - begin, y };
    if (y !== all) all.set(y.subarray(0, (end - begin) * outputs), begin * outputs);
  }
}

/** [rows, outputs] of any number of rows, on the calling thread. */
export function runRows(program: FrozenProgram, member: Member, { transforms }: Described): Tensor<"f32"> {
  const { outputs } = program;
  const { inputs, targets } = transforms;
  const result = new Float32Array(member.rows * outputs);
  for (const { x, begin, rows, y } of batchesOf(program, member, inputs, result)) program.runInto(x, rows, y, 1, begin);
  if (targets !== undefined) restoreRows(targets, result);
  return new Tensor(result, [member.rows, outputs], "f32");
}

// What is made of outputs: tensors of the caller's own, in the units of the data, and labels.
import type { Member } from "../../data/member.js";
import { restoreRows, type Transforms } from "../../data/transform.js";
import { Tensor } from "../../tensor/tensor.js";
import type { FrozenProgram } from "../frozen.js";
import { labelsOfRows, type PredictedLabels } from "../meaning.js";
import type { Moment } from "./frozen_copy.js";
import type { Take } from "./gathering.js";
import { takeRows } from "./rows.js";

/** Takes [rows, outputs] of its own memory, in the units of the data. */
export function tensorTaker(outputs: number): Take<Tensor<"f32">> {
  return (all, begin, rows, { units }) => {
    const data = all.slice(begin, begin + rows * outputs);
    if (units.targets !== undefined) restoreRows(units.targets, data);
    return new Tensor(data, [rows, outputs], "f32");
  };
}

/** Labels of outputs in the units of the data. */
export function labelsOf(where: string, data: Float32Array, { described }: Moment): PredictedLabels {
  return described === undefined ? [] : labelsOfRows(where, described, data);
}

/** [rows, outputs] of any number of rows, batch by batch, on the calling thread. */
export function runRows(program: FrozenProgram, member: Member, units: Transforms): Tensor<"f32"> {
  const { rows, columns } = member;
  const { maxBatch, outputs } = program;
  const most = Math.min(rows, maxBatch);
  const result = new Float32Array(rows * outputs);
  let changed: Float32Array | undefined;
  const scratch = (): Float32Array => {
    changed ??= new Float32Array(most * columns);
    return changed;
  };
  const part = rows <= maxBatch ? result : new Float32Array(most * outputs);
  for (let begin = 0; begin < rows; begin += maxBatch) {
    const end = Math.min(begin + maxBatch, rows);
    const x = takeRows(member, { begin, end }, units.inputs, scratch);
    program.runInto(x, end - begin, part, 1);
    if (part !== result) result.set(part.subarray(0, (end - begin) * outputs), begin * outputs);
  }
  if (units.targets !== undefined) restoreRows(units.targets, result);
  return new Tensor(result, [rows, outputs], "f32");
}

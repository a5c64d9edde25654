// Options of `fit` that say in which order rows come, and what their classes weigh.
import type { ClassWeights } from "../data/bind.js";
import { type BatchBy, type CheckedBatchBy, checkBatchBy } from "../data/by_length.js";
import { isCarried } from "../data/carry.js";
import { PackedRows } from "../data/packed.js";
import { Dataset } from "../data/stream.js";
import { fail } from "../errors.js";
import type { OutputLoss } from "../nn/losses/outputs.js";
import type { AnyModel } from "../nn/model/model.js";
import { checkBoolean, checkOneOf } from "../options.js";
import type { RowSpecs } from "../tensor/row_spec.js";

/** The part of the options that says which rows a batch has. */
interface OrderOptions {
  readonly data: unknown;
  readonly shuffle?: boolean | undefined;
  readonly batchBy?: BatchBy | undefined;
}

/** Whether rows change places: not where they go on from one another. */
export function checkShuffle({ data, shuffle }: OrderOptions): boolean {
  const carried = isCarried(data);
  const given = checkBoolean("fit.shuffle", shuffle ?? !carried);
  if (carried && given)
    fail("ERR_OPTION", "fit.shuffle", "false, as rows go on from one another ('data.carry'),", true);
  return given;
}

/** Batches of rows of like length: of data in memory, by an input of the model, in no other order; else `ERR_OPTION`. */
export function checkLengths({ data, batchBy }: OrderOptions, { inputs }: RowSpecs): CheckedBatchBy | undefined {
  if (batchBy === undefined) return undefined;
  const where = "fit.batchBy";
  const checked = checkBatchBy(where, batchBy);
  if (data instanceof Dataset)
    fail("ERR_OPTION", where, "data in memory, as a stream does not tell all lengths,", data);
  if (data instanceof PackedRows) fail("ERR_OPTION", where, "data of one's own", data);
  if (isCarried(data)) fail("ERR_OPTION", where, "none, as rows go on from one another ('data.carry'),", batchBy);
  const known = inputs.map(({ name }) => name);
  return { ...checked, lengths: checkOneOf(`${where}.lengths`, checked.lengths, known) };
}

/** `ERR_OPTION` where classes of steps are to be counted, as nothing tells which of them are padding before the network does. */
export function checkBalanced(
  model: Pick<AnyModel, "rows" | "sequences">,
  weights: readonly (ClassWeights | undefined)[],
  losses: readonly OutputLoss[],
): readonly (ClassWeights | undefined)[] {
  for (const [at, own] of weights.entries()) {
    const isOfSteps = losses[at]?.loss.target === "classes" && (model.rows.outputs[at]?.shape.length ?? 0) > 1;
    if (own !== "balanced" || !isOfSteps || model.sequences[at] !== true) continue;
    fail("ERR_OPTION", "fit.classWeights", "numbers, as steps of sequences with lengths are not counted,", own);
  }
  return weights;
}

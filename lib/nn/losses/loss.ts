import { madeBy } from "../../described.js";
import { CarillonError, introduce } from "../../errors.js";
import * as ops from "../../ops/index.js";
import { chooseSteps, stepsOf } from "../../ops/sequence.js";
import { checkMade } from "../../options.js";
import { describedBy } from "../../tensor/inspect.js";
import { elements, formatShape, isBatched, type Shape, sameShape } from "../../tensor/shape.js";
import type { Value } from "../../tensor/value.js";
import { membersOf } from "../structure/members.js";
import { operationOf } from "./ending.js";

/**
 * Kind of the targets of a loss: `'classes'`, integers from 0 to the size of the last axis of the output (i32, [batch], or one for each place of the axes before it); `'probabilities'`, numbers in [0, 1];
 * `'signs'`, −1 and 1; `'values'`, any numbers. All but classes are f32 and as wide as the output, where the loss does not say otherwise.
 */
export type LossTarget = "classes" | "probabilities" | "signs" | "values";

/**
 * One number an example from the network's output and the target: [batch]. The engine forms Σ wℓ/Σ w of them.
 *
 * `target` says what the data must be; `'values'` where a function does not say.
 */
export interface Loss {
  /**
   * @param weights [batch], where examples may weigh nothing: what is asked of the others does not depend on those. Their outputs are 0, and so is what is made of
   *   their loss.
   */
  (output: Value, target: Value, weights?: Value): Value;
  readonly kind?: string | undefined;
  readonly target?: LossTarget | undefined;
  /** Its options by name: a resumed run is told which differs. */
  readonly options?: Readonly<Record<string, number | string | boolean | null | readonly number[]>> | undefined;
  /**
   * Shape of a row of targets for that of a row of outputs, where these are not the same; of classes their number stands last. `ERR_SHAPE` where there is
   * none.
   */
  readonly targetShape?: ((output: readonly number[]) => readonly number[]) | undefined;
}

/** Operations whose results are probabilities, or their logarithms, to losses that take logits. */
export const NORMALIZED = ["softmax", "logSoftmax", "sigmoid", "hardSigmoid"] as const;

/** Shape of a row of targets of a loss as it is told, for that of a row of outputs: where it takes classes their number stands last. */
export function toldShape(
  { targetShape: own }: Pick<Loss, "targetShape">,
  output: readonly number[],
): readonly number[] {
  return own === undefined ? output : own(output);
}

/** Shape of a row of targets of a loss, for that of a row of outputs: of classes one integer for each of its places. */
export function targetShape(loss: Pick<Loss, "target" | "targetShape">, output: readonly number[]): readonly number[] {
  const told = toldShape(loss, output);
  return loss.target === "classes" ? told.slice(0, -1) : told;
}

/** The loss of an output; of one that several members have come to, the mean of the losses of each. */
export function lossOfMembers(output: Value, lossOf: (output: Value) => Value): Value {
  const [first, ...others] = membersOf(output) ?? [];
  if (first === undefined) return lossOf(output);
  const total = others.reduce((sum, member) => ops.add(sum, lossOf(member)), lossOf(first));
  return ops.divide(total, others.length + 1);
}

/**
 * A built-in loss.
 *
 * @param ofTargets Where targets have another shape than outputs.
 */
export function loss(
  kind: string,
  target: LossTarget,
  compute: (output: Value, target: Value, weights?: Value) => Value,
  options: NonNullable<Loss["options"]> = {},
  ofTargets?: Loss["targetShape"],
): Loss {
  const own = ofTargets === undefined ? {} : { targetShape: ofTargets };
  const description = { kind, target, options: Object.freeze({ ...options }), ...own };
  const checked = (output: Value, given: Value, weights?: Value): Value => {
    const [, ...axes] = output.shape;
    if (output.shape.length > 0 && !axes.includes("batch")) expectSeveral(kind, description, elements(axes));
    return lossOfMembers(output, (member) => compute(member, given, weights));
  };
  introduce(checked, `the loss ${kind}()`);
  const made = Object.assign(checked, description);
  return madeBy(kind, options, Object.freeze(describedBy(made, () => ({ title: `Loss ${kind}`, fields: { target } }))));
}

/** Output and target of a loss under one shape: [batch, n]. */
export interface Pair {
  readonly output: Value;
  readonly target: Value;
}

/** [batch, n] of any shape: the first axis is the batch. */
function flat(where: string, shape: Shape): Shape {
  const [first] = shape;
  if (first === undefined) {
    throw new CarillonError(
      "ERR_SHAPE",
      where,
      `expected a batch, [batch, n], for '${where}' but received ${formatShape(shape)}`,
    );
  }
  return [first, elements(shape) / (isBatched(shape) ? 1 : Number(first))];
}

/** [batch] and [batch, 1] are one thing; so [batch, 1] without its last axis. */
function withoutColumn(shape: Shape): Shape {
  return shape.length === 2 && shape[1] === 1 ? shape.slice(0, 1) : shape;
}

/**
 * Output and target as [batch, n]. Equal shapes fit, and [batch] fits [batch, 1]; nothing is broadcast: any other
 * difference is `ERR_SHAPE`, since [batch] against [batch, 1] would be [batch, batch].
 */
export function paired(where: string, output: Value, target: Value): Pair {
  const shape = flat(`${where}.output`, output.shape);
  if (!sameShape(withoutColumn(output.shape), withoutColumn(target.shape))) {
    throw new CarillonError(
      "ERR_SHAPE",
      `${where}.target`,
      `expected ${formatShape(output.shape)} for '${where}.target' but received ${formatShape(target.shape)}`,
    );
  }
  return { output: ops.reshape(output, shape), target: ops.reshape(target, shape) };
}

/** Output and target as they are, where both have axes between the batch and the last one, of which each row is one of its own; else as {@link paired} gives them. */
export function pairedRows(where: string, output: Value, target: Value): Pair {
  if (output.shape.length <= 2 || !sameShape(output.shape, target.shape)) return paired(where, output, target);
  return { output, target };
}

/**
 * Mean over the terms of an example, [batch] from [batch, …]. Where the output has lengths (`ops.sequence`), of its own steps alone: what lies behind them is left
 * out by a select, and 0 is the mean of none. Steps that weigh something of their own count as much.
 */
export function overSteps(output: Value, terms: Value): Value {
  if (terms.shape.length < 2) return terms;
  const steps = stepsOf(output);
  const rows = flat("loss", terms.shape);
  if (steps === undefined) return ops.mean(ops.reshape(terms, rows), { axis: "last" });
  const chosen = chooseSteps(terms, steps);
  const width = Number(rows[1]) / steps.count;
  if (!steps.weighed)
    return ops.divide(sumOf(ops.reshape(chosen, rows)), ops.multiply(ops.maximum(steps.lengths, 1), width));
  const [batch = 1] = rows;
  const factors = ops.reshape(steps.mask, [batch, steps.count, 1]);
  const sum = sumOf(ops.reshape(ops.multiply(ops.reshape(chosen, [batch, steps.count, width]), factors), rows));
  return ops.divide(sum, ops.multiply(ops.maximum(steps.lengths, SMALLEST), width));
}

/** 2⁻¹²⁶: what steps that weigh nothing are divided by. */
const SMALLEST = 1.1754943508222875e-38;

/** Sum over n: [batch] from [batch, n]. */
export function sumOf(x: Value): Value {
  return ops.sum(x, { axis: "last" });
}

/** Throws `ERR_OPTION` if `output` was normalized already by one of `operations`: the loss applies its own. */
export function expectLogits(where: string, output: Value, operations: readonly string[]): void {
  const name = operationOf(output);
  if (name === undefined || !operations.includes(name)) return;
  throw new CarillonError(
    "ERR_OPTION",
    where,
    `expected logits for '${where}' but the model ends in a ${name}: it applies its own`,
  );
}

/** Losses that compare the outputs of an example with each other, and what takes a single one. */
const SEVERAL: Readonly<Record<string, string>> = {
  crossEntropy: "binaryCrossEntropy() takes one, with targets 0 and 1",
  klDivergence: "binaryCrossEntropy() takes one, with targets in [0, 1]",
  cosineSimilarity: "mse() compares single numbers",
  focal: "binaryFocal() takes one, with targets 0 and 1",
  bpr: "it compares scores of several candidates",
};

/**
 * Throws `ERR_SHAPE` for a single output where a loss compares several: it would be the same whatever the output is, and
 * nothing would be learned.
 */
export function expectSeveral(where: string, { kind, target }: Pick<Loss, "kind" | "target">, outputs: number): void {
  if (outputs > 1) return;
  const compares = kind !== undefined && Object.hasOwn(SEVERAL, kind);
  if (!(compares || target === "classes")) return;
  const instead = SEVERAL[compares ? kind : "crossEntropy"];
  const problem = `expected at least two outputs for '${where}' but the model has one: ${instead}`;
  throw new CarillonError("ERR_SHAPE", where, problem);
}

/** A loss, before any data is looked at: a function (`ERR_OPTION`) that can be learned with so many outputs (`ERR_SHAPE`). */
export function checkLoss(where: string, given: Loss, outputs: number): Loss {
  checkMade(where, given, "a loss such as mse()");
  expectSeveral(where, given, outputs);
  return given;
}

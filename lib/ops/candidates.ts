// Cross-entropy over candidates: those of the other examples of a batch, or classes that are drawn.
import { CarillonError } from "../errors.js";
import type { EagerDraw, OperationAttributes } from "../tensor/attributes.js";
import { elements, extent, formatShape, sameShape } from "../tensor/shape.js";
import type { Rule, Value } from "../tensor/value.js";
import { apply, applyAll, at, expectDtype, f32 } from "./apply.js";
import { instruction } from "./encode.js";

/** What scores of the candidates of a batch are made of. */
export interface InBatchOperands {
  /** [batch, d]: what asks. */
  readonly left: Value;
  /** [batch, d]: what each is to find; a candidate of all others. */
  readonly right: Value;
  /** [batch]: taken off the scores of each candidate. */
  readonly taken?: Value | undefined;
  /** [batch] i32: a candidate with the id of an example is none of it. */
  readonly ids?: Value | undefined;
  /** [batch]: candidates that weigh nothing are none. */
  readonly weights?: Value | undefined;
}

type Own = OperationAttributes["inBatch"];

function operandsOf(inputs: readonly Value[], { corrected, identified, weighed }: Own): InBatchOperands {
  let place = 2;
  const next = (given: boolean): Value | undefined => (given ? at(inputs, place++) : undefined);
  const [taken, ids, weights] = [next(corrected), next(identified), next(weighed)];
  return { left: at(inputs, 0), right: at(inputs, 1), taken, ids, weights };
}

const sizesOf = ({ shape }: Value) => ({ rows: extent(shape.slice(0, 1)), columns: elements(shape.slice(1)) });

function expectVectors(left: Value, right: Value): void {
  expectDtype("inBatchSoftmax", left, "f32");
  if (left.shape.length === 2 && sameShape(left.shape, right.shape)) return;
  const received = `${formatShape(left.shape)} and ${formatShape(right.shape)}`;
  throw new CarillonError(
    "ERR_SHAPE",
    "inBatchSoftmax",
    `expected [batch, d] twice for 'inBatchSoftmax' but received ${received}`,
  );
}

const inBatchRule: Rule<"inBatch"> = {
  name: "inBatch",
  infer(inputs, own) {
    const { left, right, ids } = operandsOf(inputs, own);
    expectVectors(left, right);
    if (ids !== undefined) expectDtype("inBatchSoftmax.ids", ids, "i32");
    return f32(left.shape.slice(0, 1));
  },
  lower(inputs, outputs, own) {
    const operands = operandsOf(inputs, own);
    return instruction(
      "in_batch",
      { ...operands, losses: at(outputs, 0) },
      { ...sizesOf(operands.left), scale: own.scale },
    );
  },
  gradient(inputs, _outputs, flows, own) {
    return applyAll(inBatchGradientRule, [...inputs, at(flows, 0)], own);
  },
};

/** Inputs of `inBatch` and what flows to its losses; outputs: the gradients of both vectors. */
const inBatchGradientRule: Rule<"inBatchGradient"> = {
  name: "inBatchGradient",
  infer(inputs) {
    const { shape } = at(inputs, 0);
    return [
      { shape, dtype: "f32" },
      { shape, dtype: "f32" },
    ];
  },
  lower(inputs, outputs, own) {
    const operands = operandsOf(inputs, own);
    const flow = at(inputs, inputs.length - 1);
    const written = { dleft: at(outputs, 0), dright: at(outputs, 1) };
    return instruction(
      "in_batch_gradient",
      { ...operands, flow, ...written },
      { ...sizesOf(operands.left), scale: own.scale },
    );
  },
  gradient: null,
  refusesGradient: "the gradient of an in-batch softmax has no gradient of its own",
};

/**
 * Cross-entropy of each example among the candidates of its batch, [batch]: `ln Σ_j e^(s_ij) − s_ii` with `s_ij = (left_i·right_j)·scale − taken_j` over the candidates
 * that count for example i: its own, and those of another id whose weight is above 0.
 */
export function inBatch(operands: InBatchOperands, scale: number): Value {
  const { inputs, own } = applied(operands, scale);
  return apply(inBatchRule, inputs, own);
}

/** The gradients of both vectors of {@link inBatch}, for what flows to its losses. */
export function inBatchGradientOf(operands: InBatchOperands, scale: number, flow: Value): readonly Value[] {
  const { inputs, own } = applied(operands, scale);
  return applyAll(inBatchGradientRule, [...inputs, flow], own);
}

/** The inputs and attributes of the rule. */
function applied({ left, right, taken, ids, weights }: InBatchOperands, scale: number) {
  const given = { corrected: taken !== undefined, identified: ids !== undefined, weighed: weights !== undefined };
  const inputs = [left, right, taken, ids, weights].filter((input) => input !== undefined);
  return { inputs, own: { scale, ...given } };
}

const candidatesRule: Rule<"candidates"> = {
  name: "candidates",
  infer(inputs, { samples }) {
    const { shape } = at(inputs, 0);
    expectDtype("sampledSoftmax.labels", at(inputs, 0), "i32");
    return [
      { shape: [samples], dtype: "i32" },
      { shape: [samples], dtype: "f32" },
      { shape, dtype: "f32" },
      { shape: [...shape, samples], dtype: "f32" },
    ];
  },
  lower(inputs, outputs, { samples, classes, logUniform, site }) {
    const labels = at(inputs, 0);
    const [ids, expected, labelExpected, keep] = [at(outputs, 0), at(outputs, 1), at(outputs, 2), at(outputs, 3)];
    return instruction(
      "candidates",
      { labels, ids, expected, labelExpected, keep },
      { rows: extent(labels.shape), samples, classes, logUniform, site },
    );
  },
  gradient: null,
};

/** Classes that are drawn as candidates of a step. */
export interface Candidates {
  /** [samples] i32 */
  readonly ids: Value;
  /** [samples]: ln of how often each is drawn in a step on average. */
  readonly expected: Value;
  /** [batch]: the same of the labels. */
  readonly labelExpected: Value;
  /** [batch, samples]: 0 where a candidate is the label of the row. */
  readonly keep: Value;
}

/** So many classes, drawn by (seed, step, site), each by itself: evenly, or class c with the chance (ln(c + 2) − ln(c + 1))/ln(classes + 1). A label outside is `ERR_LABEL`. */
export function candidates(
  labels: Value,
  own: OperationAttributes["candidates"],
  draw?: EagerDraw | undefined,
): Candidates {
  const outputs = applyAll(candidatesRule, [labels], own, draw);
  return { ids: at(outputs, 0), expected: at(outputs, 1), labelExpected: at(outputs, 2), keep: at(outputs, 3) };
}

/** Rules of this file, for the tests that walk all operations. */
export const candidateRules = {
  inBatch: inBatchRule,
  inBatchGradient: inBatchGradientRule,
  candidates: candidatesRule,
} as const;

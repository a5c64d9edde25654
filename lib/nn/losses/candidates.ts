// Cross-entropy over many classes: among the other examples of a batch, or among some that are drawn.
import { CarillonError, describe, fail } from "../../errors.js";
import { tracingNow } from "../../graph/trace.js";
import { candidates, inBatch } from "../../ops/candidates.js";
import { chooseRows } from "../../ops/elementwise.js";
import * as ops from "../../ops/index.js";
import { checkBoolean, checkKeys, checkNumber, checkOneOf, noteMakers } from "../../options.js";
import { log } from "../../tensor/exact.js";
import { formatShape, sameShape } from "../../tensor/shape.js";
import { type Tensor, tensor } from "../../tensor/tensor.js";
import type { Value } from "../../tensor/value.js";
import { givenBy } from "./ending.js";
import { expectLogits, type Loss, loss, NORMALIZED, overSteps } from "./loss.js";
import { vectorsOf } from "./ranking.js";

/** Options of {@link inBatchSoftmax}. */
export interface InBatchSoftmaxOptions {
  /** Things that may be found: targets are integers in [0, items). */
  readonly items: number;
  /** τ > 0 that scores are divided by; 1 by default. Vectors of length 1 want about 0.05. */
  readonly temperature?: number | undefined;
  /** How often each thing occurs among the examples, in any unit, > 0: ln of its share is taken off its scores. None by default. */
  readonly frequencies?: readonly number[] | undefined;
}

/** ln of the share of each. */
function logShares(where: string, frequencies: readonly number[], count: number): Tensor {
  if (!Array.isArray(frequencies) || frequencies.length !== count)
    fail("ERR_OPTION", where, `${count} numbers, one for each of the items,`, frequencies);
  let sum = 0;
  for (const [index, one] of frequencies.entries()) sum += checkNumber(`${where}[${index}]`, one, { above: 0 });
  return tensor(Float32Array.from(frequencies, (one) => log(one / sum)));
}

/**
 * Softmax over the things of a batch, for two towers: of each example the vector u that asks and the vector v of what it is to find; what the other examples
 * are to find is what it might have been taken for,
 *
 *     s[j] = (u·v[j])/τ − ln q[j],  ℓ = ln Σ_j e^s[j] − s[own]
 *
 * j goes over the batch, or a part of it where that is divided, but for examples of the same thing, which would be right as well, and those that weigh nothing. q is
 * the share of a thing in the examples, by `frequencies`: without it frequent things, which are candidates more often, are pushed away more than they should be.
 *
 * output: [batch, 2·d], u and v side by side, else `ERR_SHAPE`; target: [batch] integers, the number of the thing. Yi et al. 2019; Bengio, Senécal 2008. Its gradient has
 * no gradient of its own (`ERR_TRACE`).
 */
export function inBatchSoftmax(options: InBatchSoftmaxOptions): Loss {
  checkKeys("inBatchSoftmax", options, ["items", "temperature", "frequencies"]);
  const items = checkNumber("inBatchSoftmax.items", options.items, { min: 2, integer: true });
  const temperature = checkNumber("inBatchSoftmax.temperature", options.temperature ?? 1, { above: 0 });
  const { frequencies } = options;
  const shares = frequencies === undefined ? undefined : logShares("inBatchSoftmax.frequencies", frequencies, items);
  const made = { items, temperature, ...(frequencies === undefined ? {} : { frequencies: [...frequencies] }) };
  return loss(
    "inBatchSoftmax",
    "classes",
    (output, target, weights) => {
      const [left = output, right = output] = vectorsOf("inBatchSoftmax", output, 2);
      const batch = output.shape.slice(0, 1);
      if (!sameShape(target.shape, batch)) {
        const problem = `expected ${formatShape(batch)} for 'inBatchSoftmax.target' but received ${formatShape(target.shape)}`;
        throw new CarillonError("ERR_SHAPE", "inBatchSoftmax.target", problem);
      }
      const taken = shares && ops.take(shares, target);
      return inBatch({ left, right, taken, ids: target, weights }, 1 / temperature);
    },
    made,
    () => [items],
  );
}

/** Options of {@link sampledSoftmax}. */
export interface SampledSoftmaxOptions {
  /** Classes that are drawn in a step beside the true ones; the examples of a batch share them. */
  readonly samples: number;
  /**
   * `'logUniform'` (the default): class c with the chance (ln(c + 2) − ln(c + 1))/ln(K + 1), for classes that are numbered from the most frequent one on; `'uniform'`:
   * each as likely.
   */
  readonly draw?: "logUniform" | "uniform" | undefined;
  /** Whether ln of how often a class is drawn on average is taken off its logit, so that the gradient is near that of all classes: true by default. */
  readonly correct?: boolean | undefined;
}

/** The product that outputs come from; `ERR_OPTION` where it is none. */
function productOf(output: Value): {
  readonly hidden: Value;
  readonly weight: Value;
  readonly bias: Value | undefined;
} {
  const found = givenBy(output);
  const [hidden, weight, bias] = found?.operation === "linear" ? found.inputs : [];
  if (hidden !== undefined && weight !== undefined) return { hidden, weight, bias };
  const received = found === undefined ? describe(output) : `one that ends in ${found.operation}`;
  throw new CarillonError(
    "ERR_OPTION",
    "sampledSoftmax",
    `expected a network that ends in a linear layer for 'sampledSoftmax' but received ${received}`,
  );
}

/** What a logit becomes where a candidate is the label: e^ of it is 0. */
const NONE = -3.4028234663852886e38;

/**
 * Cross-entropy over K classes, of which in training those of a few are computed: the true one, and `samples` that are drawn by (seed, step),
 *
 *     ℓ = ln(e^s[label] + Σ_c e^s[c]) − s[label],  s = x − ln(samples·q)
 *
 * over the drawn classes but the label itself. The network ends in a `linear` layer of K outputs: of its weight those rows alone are read that are named, and its
 * gradient is in rows, as that of an embedding. Metrics of the training look at all outputs, which are computed for them then; evaluation and validation have the
 * cross-entropy of all classes.
 *
 * output: [batch, …, K] logits; target: [batch, …] integers in [0, K). Another last layer, or a softmax behind it, is `ERR_OPTION`. Jean et al. 2015, TensorFlow's
 * sampled_softmax_loss with drawing with replacement; Bengio, Senécal 2008.
 */
export function sampledSoftmax(options: SampledSoftmaxOptions): Loss {
  checkKeys("sampledSoftmax", options, ["samples", "draw", "correct"]);
  const samples = checkNumber("sampledSoftmax.samples", options.samples, { min: 1, max: 1 << 20, integer: true });
  const draw = checkOneOf("sampledSoftmax.draw", options.draw ?? "logUniform", ["logUniform", "uniform"]);
  const correct = checkBoolean("sampledSoftmax.correct", options.correct ?? true);
  return loss(
    "sampledSoftmax",
    "classes",
    (output, target, weights) => {
      expectLogits("sampledSoftmax", output, NORMALIZED);
      const trace = tracingNow();
      if (trace?.training !== true) return overSteps(output, ops.softmaxCrossEntropy(output, target));
      const { hidden: whole, weight, bias } = productOf(output);
      const hidden = chooseRows(whole, weights);
      const classes = Number(weight.shape[0]);
      const drawn = candidates(target, { samples, classes, logUniform: draw === "logUniform", site: trace.nextSite() });
      const column = bias && ops.reshape(bias, [classes, 1]);
      const biasOf = (ids: Value, shape: Value["shape"]): Value | undefined =>
        column && ops.reshape(ops.take(column, ids), shape);
      const sum = (x: Value, bias: Value | undefined, expected: Value): Value => {
        const biased = bias === undefined ? x : ops.add(x, bias);
        return correct ? ops.subtract(biased, expected) : biased;
      };
      const { shape } = target;
      const known = ops.sum(ops.multiply(hidden, ops.take(weight, target)), { axis: "last" });
      const own = sum(known, biasOf(target, shape), drawn.labelExpected);
      const scored = ops.matmul(hidden, ops.take(weight, drawn.ids), { transposeB: true });
      const others = sum(scored, biasOf(drawn.ids, [samples]), drawn.expected);
      const apart = ops.where(drawn.keep, others, NONE);
      const logits = ops.concat([ops.reshape(own, [...shape, 1]), apart], { axis: -1 });
      const chances = ops.slice(ops.logSoftmax(logits), 0, 1, { axis: -1 });
      return overSteps(output, ops.negate(ops.reshape(chances, shape)));
    },
    { samples, draw, correct },
  );
}

noteMakers(inBatchSoftmax, sampledSoftmax);

import * as ops from "../../ops/index.js";
import { checkKeys, checkNothing, checkNumber, noteMakers } from "../../options.js";
import type { Value } from "../../tensor/value.js";
import { type Loss, loss, overSteps, paired, pairedRows, sumOf } from "./loss.js";

/** output − target, [batch, n]. */
function difference(where: string, output: Value, target: Value): Value {
  const pair = paired(where, output, target);
  return ops.subtract(pair.output, pair.target);
}

/**
 * Mean squared error of each example: `ℓ = (1/n)·Σ (output − target)²`.
 *
 * output, target: [batch, n]; a target [batch] fits an output [batch, 1]. Any other difference in shape is `ERR_SHAPE`.
 */
export function mse(): Loss;
export function mse(...given: readonly unknown[]): Loss {
  checkNothing("mse", given);
  return loss("mse", "values", (output, target) => overSteps(output, ops.square(difference("mse", output, target))));
}

/**
 * Mean absolute error of each example: `ℓ = (1/n)·Σ |output − target|`; where both are equal the gradient is 0.
 *
 * output, target: [batch, n]; a target [batch] fits an output [batch, 1]. Any other difference in shape is `ERR_SHAPE`.
 */
export function mae(): Loss;
export function mae(...given: readonly unknown[]): Loss {
  checkNothing("mae", given);
  return loss("mae", "values", (output, target) => overSteps(output, ops.absolute(difference("mae", output, target))));
}

/** Options of {@link huber}. */
export interface HuberOptions {
  /** Error δ > 0 from which the loss is a line; 1 by default. */
  readonly delta?: number | undefined;
}

const DEFAULT_DELTA = 1;

/**
 * Huber loss, the mean over n: `½·e²` where |e| ≤ δ, else `δ·(|e| − ½·δ)`, e = output − target; computed as
 * `c·(|e| − ½·c)` with `c = min(|e|, δ)`. Its gradient is e, clipped to ±δ. Huber 1964; PyTorch's HuberLoss.
 *
 * output, target: [batch, n]; a target [batch] fits an output [batch, 1]. Any other difference in shape is `ERR_SHAPE`.
 */
export function huber(options: HuberOptions = {}): Loss {
  checkKeys("huber", options, ["delta"]);
  const delta = checkNumber("huber.delta", options.delta ?? DEFAULT_DELTA, { above: 0 });
  return loss(
    "huber",
    "values",
    (output, target) => {
      const size = ops.absolute(difference("huber", output, target));
      const clipped = ops.minimum(size, delta);
      return overSteps(output, ops.multiply(clipped, ops.subtract(size, ops.multiply(0.5, clipped))));
    },
    { delta },
  );
}

/** Options of {@link cosineSimilarity}. */
export interface CosineSimilarityOptions {
  /** Least norm ε of either vector, so that a zero vector has a loss: [1e-12, 1], 1e-8 by default. */
  readonly epsilon?: number | undefined;
}

const DEFAULT_EPSILON = 1e-8;

/** max(‖x‖, ε) of each row as √max(Σx², ε²): the root is never taken of 0, whose slope is infinite. */
function norm(x: Value, epsilon: number): Value {
  return ops.sqrt(ops.maximum(sumOf(ops.square(x)), epsilon * epsilon));
}

/**
 * Cosine distance: `ℓ = 1 − Σ output·target/(max(‖output‖, ε)·max(‖target‖, ε))`, in [0, 2]. A zero vector has ℓ = 1.
 *
 * output, target: [batch, n] of one shape, n ≥ 2, else `ERR_SHAPE`: of a single output there is only the sign. As PyTorch's
 * cosine_similarity.
 */
export function cosineSimilarity(options: CosineSimilarityOptions = {}): Loss {
  checkKeys("cosineSimilarity", options, ["epsilon"]);
  const range = { min: 1e-12, max: 1 };
  const epsilon = checkNumber("cosineSimilarity.epsilon", options.epsilon ?? DEFAULT_EPSILON, range);
  return loss(
    "cosineSimilarity",
    "values",
    (output, target) => {
      const pair = pairedRows("cosineSimilarity", output, target);
      const along = sumOf(ops.multiply(pair.output, pair.target));
      const norms = ops.multiply(norm(pair.output, epsilon), norm(pair.target, epsilon));
      return overSteps(output, ops.subtract(1, ops.divide(along, norms)));
    },
    { epsilon },
  );
}

noteMakers(mse, mae, huber, cosineSimilarity);

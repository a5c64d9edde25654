import { CarillonError } from "../../errors.js";
import * as ops from "../../ops/index.js";
import { checkKeys, checkNothing, checkNumber, checkOneOf, noteMakers } from "../../options.js";
import { formatShape } from "../../tensor/shape.js";
import type { Value } from "../../tensor/value.js";
import { expectLogits, type Loss, loss, NORMALIZED, overSteps, paired, pairedRows, sumOf } from "./loss.js";

/** Options of {@link crossEntropy}. */
export interface CrossEntropyOptions {
  /** Share ε of the target that is spread evenly over all classes, [0, 1); 0 by default. */
  readonly labelSmoothing?: number | undefined;
  /** `'classes'` (the default): integers; `'probabilities'`: a row of probabilities an example. */
  readonly target?: "classes" | "probabilities" | undefined;
}

/** Number of classes of logits: the size of the last axis. */
function classesOf(output: Value): number {
  const classes = output.shape.at(-1);
  if (typeof classes === "number" && output.shape.length >= 2) return classes;
  throw new CarillonError(
    "ERR_SHAPE",
    "crossEntropy.output",
    `expected [batch, classes] for 'crossEntropy.output' but received ${formatShape(output.shape)}`,
  );
}

/**
 * Cross-entropy of p = softmax(output), K classes, with the target, ε = `labelSmoothing`:
 *
 * classes: `ℓ = (1 − ε)·(ln Σ e^(x − max) − (x[label] − max)) + ε·(1/K)·Σ −ln p`;
 * probabilities: `ℓ = −Σ ((1 − ε)·target + ε/K)·ln p`.
 *
 * output: [batch, K] logits; target: [batch] integers in [0, K), or [batch, K] numbers in [0, 1], whose sum is 1 (which is
 * not checked). A softmax or a sigmoid before it is `ERR_OPTION`, a single output `ERR_SHAPE`: its softmax is always 1. Label
 * smoothing: Szegedy et al. 2016.
 */
export function crossEntropy(options: CrossEntropyOptions = {}): Loss {
  checkKeys("crossEntropy", options, ["labelSmoothing", "target"]);
  const smoothing = checkNumber("crossEntropy.labelSmoothing", options.labelSmoothing ?? 0, { min: 0, below: 1 });
  const kind = checkOneOf("crossEntropy.target", options.target ?? "classes", ["classes", "probabilities"]);
  const made = { labelSmoothing: smoothing, target: kind };
  if (kind === "classes") {
    return loss(
      "crossEntropy",
      kind,
      (output, target) => {
        expectLogits("crossEntropy", output, NORMALIZED);
        const hard = ops.softmaxCrossEntropy(output, target);
        if (smoothing === 0) return overSteps(output, hard);
        const even = ops.reshape(ops.mean(ops.logSoftmax(output), { axis: "last" }), hard.shape);
        return overSteps(output, ops.subtract(ops.multiply(1 - smoothing, hard), ops.multiply(smoothing, even)));
      },
      made,
    );
  }
  return loss(
    "crossEntropy",
    kind,
    (output, target) => {
      expectLogits("crossEntropy", output, NORMALIZED);
      const classes = classesOf(output);
      const pair = pairedRows("crossEntropy", output, target);
      const soft =
        smoothing === 0 ? pair.target : ops.add(ops.multiply(1 - smoothing, pair.target), smoothing / classes);
      return overSteps(output, ops.negate(sumOf(ops.multiply(soft, ops.logSoftmax(pair.output)))));
    },
    made,
  );
}

/**
 * Binary cross-entropy of σ(output) with the target t: the mean over n of
 *
 *     ℓ = t·ln(1 + e^(−x)) + (1 − t)·ln(1 + eˣ)
 *
 * Both terms are softplus and never negative, so that nothing cancels and nothing overflows; the gradient
 * (1 − t)·σ(x) − t·σ(−x) keeps its digits where σ(x) rounds to 1.
 *
 * output: [batch, n] logits; target: [batch, n], or [batch] where n = 1, of numbers in [0, 1]. Any other shape is
 * `ERR_SHAPE`, a sigmoid or a softmax before it `ERR_OPTION`. PyTorch's BCEWithLogitsLoss, averaged over n.
 */
export function binaryCrossEntropy(): Loss;
export function binaryCrossEntropy(...given: readonly unknown[]): Loss {
  checkNothing("binaryCrossEntropy", given);
  return loss("binaryCrossEntropy", "probabilities", (output, target) => {
    expectLogits("binaryCrossEntropy", output, NORMALIZED);
    const { output: x, target: t } = paired("binaryCrossEntropy", output, target);
    const ones = ops.multiply(t, ops.softplus(ops.negate(x)));
    const zeros = ops.multiply(ops.subtract(1, t), ops.softplus(x));
    return overSteps(output, ops.add(ones, zeros));
  });
}

/**
 * Hinge loss: the mean over n of `ℓ = max(0, 1 − t·x)` for targets t of −1 and 1 (another one, 0 for an example, is
 * `ERR_LABEL`: its loss would be the same whatever the output is). At the margin itself, t·x = 1, the gradient is 0.
 *
 * output: [batch, n]; target: [batch, n], or [batch] where n = 1. Cortes, Vapnik 1995.
 */
export function hinge(): Loss;
export function hinge(...given: readonly unknown[]): Loss {
  checkNothing("hinge", given);
  return loss("hinge", "signs", (output, target) => {
    const pair = paired("hinge", output, target);
    return overSteps(output, ops.relu(ops.subtract(1, ops.multiply(pair.target, pair.output))));
  });
}

/** 2⁻¹²⁶: t·ln(max(t, this)) is t·ln t for every normal t, and 0 for t = 0. */
const SMALLEST = 1.1754943508222875e-38;

/**
 * Kullback–Leibler divergence from softmax(output) to the target, DKL(target ‖ softmax(output)):
 *
 *     ℓ = Σ target·(ln target − logSoftmax(output)),  0·ln 0 = 0
 *
 * Its gradient is that of cross-entropy; its least value is 0. output: [batch, n] logits; target: [batch, n] numbers in
 * [0, 1], whose sum is 1 (which is not checked). A softmax or a sigmoid before it is `ERR_OPTION`, a single
 * output `ERR_SHAPE`. PyTorch's KLDivLoss of log_softmax(output), summed over n. Kullback, Leibler 1951.
 */
export function klDivergence(): Loss;
export function klDivergence(...given: readonly unknown[]): Loss {
  checkNothing("klDivergence", given);
  return loss("klDivergence", "probabilities", (output, target) => {
    expectLogits("klDivergence", output, NORMALIZED);
    const { output: x, target: t } = pairedRows("klDivergence", output, target);
    const apart = ops.subtract(ops.log(ops.maximum(t, SMALLEST)), ops.logSoftmax(x));
    return overSteps(output, sumOf(ops.multiply(t, apart)));
  });
}

noteMakers(crossEntropy, binaryCrossEntropy, hinge, klDivergence);

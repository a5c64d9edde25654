import { fail } from "../../errors.js";
import * as ops from "../../ops/index.js";
import { checkKeys, checkNumber, checkOneOf, noteMakers } from "../../options.js";
import { tensor } from "../../tensor/tensor.js";
import type { Value } from "../../tensor/value.js";
import { expectLogits, type Loss, loss, NORMALIZED, overSteps, paired, pairedRows } from "./loss.js";

/** Options of {@link binaryFocal}. */
export interface BinaryFocalOptions {
  /** Exponent γ ≥ 0 of what is missing to certainty; 2 by default. With 0 it is binary cross-entropy. */
  readonly gamma?: number | undefined;
  /** Factor α in (0, 1) of the ones, 1 − α of the zeros; none of either by default. Lin et al. take 0.25. */
  readonly alpha?: number | undefined;
}

/** Options of {@link focal}. */
export interface FocalOptions {
  /** Exponent γ ≥ 0 of what is missing to certainty; 2 by default. With 0 it is cross-entropy. */
  readonly gamma?: number | undefined;
  /** A factor > 0 of all classes, or one a class; none by default. */
  readonly alpha?: number | readonly number[] | undefined;
  /** `'classes'` (the default): integers; `'probabilities'`: a row of probabilities an example. */
  readonly target?: "classes" | "probabilities" | undefined;
}

const DEFAULT_GAMMA = 2;

/** 2⁻¹²⁶: the least number that a logarithm is taken of; there the slope is 0, not infinite. */
const SMALLEST = 1.1754943508222875e-38;

function gammaOf(where: string, gamma: number | undefined): number {
  return checkNumber(where, gamma ?? DEFAULT_GAMMA, { min: 0 });
}

/**
 * Focal loss of σ(output) with the target t: the mean over n of
 *
 *     ℓ = α·t·σ(−x)^γ·ln(1 + e^(−x)) + (1 − α)·(1 − t)·σ(x)^γ·ln(1 + eˣ)
 *
 * σ(−x)^γ is e^(−γ·ln(1 + eˣ)), which keeps its digits where σ(x) rounds to 1; without `alpha` both factors are 1. So examples that are
 * told surely and rightly weigh next to nothing.
 *
 * output: [batch, n] logits; target: [batch, n], or [batch] where n = 1, of numbers in [0, 1]. Any other shape is `ERR_SHAPE`, a sigmoid or a
 * softmax before it `ERR_OPTION`. Lin et al. 2017; of targets 0 and 1 as Keras' BinaryFocalCrossentropy and torchvision's
 * sigmoid_focal_loss; of others it is the mean over both, weighed by t.
 */
export function binaryFocal(options: BinaryFocalOptions = {}): Loss {
  checkKeys("binaryFocal", options, ["gamma", "alpha"]);
  const gamma = gammaOf("binaryFocal.gamma", options.gamma);
  const alpha =
    options.alpha === undefined ? undefined : checkNumber("binaryFocal.alpha", options.alpha, { above: 0, below: 1 });
  return loss(
    "binaryFocal",
    "probabilities",
    (output, target) => {
      expectLogits("binaryFocal", output, NORMALIZED);
      const { output: x, target: t } = paired("binaryFocal", output, target);
      const [misses, hits] = [ops.softplus(ops.negate(x)), ops.softplus(x)]; // −ln σ(x), −ln σ(−x)
      const focused = (own: Value, other: Value, factor: number | undefined): Value => {
        const one = gamma === 0 ? own : ops.multiply(ops.exp(ops.multiply(-gamma, other)), own);
        return factor === undefined ? one : ops.multiply(factor, one);
      };
      const ones = ops.multiply(t, focused(misses, hits, alpha));
      const zeros = ops.multiply(ops.subtract(1, t), focused(hits, misses, alpha && 1 - alpha));
      return overSteps(output, ops.add(ones, zeros));
    },
    alpha === undefined ? { gamma } : { gamma, alpha },
  );
}

/** The factors of the classes: one number, or one a class. */
function alphaOf(alpha: FocalOptions["alpha"]): number | readonly number[] | undefined {
  if (alpha === undefined || typeof alpha === "number") {
    return alpha === undefined ? undefined : checkNumber("focal.alpha", alpha, { above: 0 });
  }
  if (!Array.isArray(alpha)) return fail("ERR_OPTION", "focal.alpha", "a number, or one a class,", alpha);
  return Object.freeze(alpha.map((one, index) => checkNumber(`focal.alpha[${index}]`, one, { above: 0 })));
}

/** (1 − p)^γ·(−ln p) from −ln p ≥ 0; 1 − p = −(e^(ln p) − 1), which keeps its digits near p = 1. */
function focused(surprise: Value, gamma: number): Value {
  if (gamma === 0) return surprise;
  const missing = ops.maximum(ops.negate(ops.expm1(ops.negate(surprise))), SMALLEST);
  return ops.multiply(ops.exp(ops.multiply(gamma, ops.log(missing))), surprise);
}

/**
 * Focal loss of p = softmax(output), K classes, with the target:
 *
 * classes: `ℓ = α[label]·(1 − p[label])^γ·(−ln p[label])`;
 * probabilities: `ℓ = Σ target·α·(1 − p)^γ·(−ln p)`.
 *
 * output: [batch, K] logits; target: [batch] integers in [0, K), or [batch, K] numbers in [0, 1], whose sum is 1 (which is not checked). A softmax or a
 * sigmoid before it is `ERR_OPTION`, a single output or another number of factors than classes `ERR_SHAPE`. Lin et al. 2017; Keras'
 * CategoricalFocalCrossentropy, whose alpha is 0.25 where nobody says.
 */
export function focal(options: FocalOptions = {}): Loss {
  checkKeys("focal", options, ["gamma", "alpha", "target"]);
  const gamma = gammaOf("focal.gamma", options.gamma);
  const alpha = alphaOf(options.alpha);
  const kind = checkOneOf("focal.target", options.target ?? "classes", ["classes", "probabilities"]);
  const factors = (classes: number): number | readonly number[] | undefined => {
    if (typeof alpha !== "object" || alpha.length === classes) return alpha;
    return fail("ERR_SHAPE", "focal.alpha", `${classes} numbers, one a class,`, alpha);
  };
  const made = { gamma, target: kind, ...(alpha === undefined ? {} : { alpha }) };
  return loss(
    "focal",
    kind,
    (output, target) => {
      expectLogits("focal", output, NORMALIZED);
      const own = factors(Number(output.shape.at(-1)));
      if (kind === "classes") {
        const one = focused(ops.softmaxCrossEntropy(output, target), gamma);
        if (own === undefined) return overSteps(output, one);
        const factor = typeof own === "number" ? own : ops.take(tensor([...own]), target);
        return overSteps(
          output,
          ops.multiply(typeof factor === "number" ? factor : ops.reshape(factor, one.shape), one),
        );
      }
      const pair = pairedRows("focal", output, target);
      const terms = ops.multiply(pair.target, focused(ops.negate(ops.logSoftmax(pair.output)), gamma));
      const weighed = own === undefined ? terms : ops.multiply(terms, typeof own === "number" ? own : tensor([...own]));
      return overSteps(output, ops.sum(weighed, { axis: "last" }));
    },
    made,
  );
}

noteMakers(focal, binaryFocal);

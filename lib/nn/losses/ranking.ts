import { CarillonError } from "../../errors.js";
import * as ops from "../../ops/index.js";
import { checkBoolean, checkKeys, checkNothing, checkNumber, noteMakers } from "../../options.js";
import { elements, formatShape } from "../../tensor/shape.js";
import type { Value } from "../../tensor/value.js";
import { type Loss, loss, sumOf } from "./loss.js";

/** One number a row, whatever the outputs are. */
const ONE: readonly number[] = [];

/** The outputs of a row as so many vectors of one length, [batch, d] each; `ERR_SHAPE` if they are none. */
export function vectorsOf(where: string, output: Value, count: number): readonly Value[] {
  const [batch = 1, ...axes] = output.shape;
  const columns = elements(axes);
  if (output.shape.length === 0 || columns % count !== 0) {
    const expected = `expected ${count} vectors of one length side by side, [batch, ${count}·d], for '${where}.output'`;
    throw new CarillonError("ERR_SHAPE", `${where}.output`, `${expected} but received ${formatShape(output.shape)}`);
  }
  const size = columns / count;
  const flat = ops.reshape(output, [batch, columns]);
  return Array.from({ length: count }, (_, index) => ops.slice(flat, index * size, (index + 1) * size, { axis: 1 }));
}

/** The target as [batch]; `ERR_SHAPE` unless it is one number a row. */
function single(where: string, output: Value, target: Value): Value {
  const [batch = 1] = output.shape;
  if (target.shape[0] === batch && elements(target.shape.slice(1)) === 1) return ops.reshape(target, [batch]);
  const problem = `expected [${batch}] for '${where}.target' but received ${formatShape(target.shape)}`;
  throw new CarillonError("ERR_SHAPE", `${where}.target`, problem);
}

/**
 * Bayesian personalized ranking: of n scored candidates the one that was chosen is to stand above each other one,
 *
 *     ℓ = 1/(n − 1)·Σ_j ln(1 + e^(x[j] − x[label])),  j ≠ label
 *
 * output: [batch, n] scores, n ≥ 2, else `ERR_SHAPE`; target: [batch] integers in [0, n), the place of the chosen one: 0 where it always stands first. Rendle et
 * al. 2009, who draw one other candidate, n = 2.
 */
export function bpr(): Loss;
export function bpr(...given: readonly unknown[]): Loss {
  checkNothing("bpr", given);
  return loss("bpr", "classes", (output, target) => {
    const [batch = 1, ...axes] = output.shape;
    const count = elements(axes);
    const scores = ops.reshape(output, [batch, count]);
    const chosen = ops.oneHot(target, count);
    const hot = ops.reshape(chosen, [batch, count]);
    const own = ops.reshape(sumOf(ops.multiply(hot, scores)), [batch, 1]);
    const terms = ops.multiply(ops.subtract(1, hot), ops.softplus(ops.subtract(scores, own)));
    return ops.divide(sumOf(terms), count - 1);
  });
}

/** Options of {@link triplet}. */
export interface TripletOptions {
  /** How much nearer the near one is to be, > 0; 1 by default. */
  readonly margin?: number | undefined;
  /** Whether distances are squared, as in FaceNet; false by default, as in PyTorch. */
  readonly squared?: boolean | undefined;
}

const DEFAULT_MARGIN = 1;

/** 2⁻¹²⁶: where the square of a distance is below it, the slope of its root is 0, not infinite. */
const SMALLEST = 1.1754943508222875e-38;

/** ‖a − b‖ or its square, [batch]; equal vectors have a distance of 2⁻⁶³ without a slope. */
function distanceOf(a: Value, b: Value, squared: boolean): Value {
  const square = sumOf(ops.square(ops.subtract(a, b)));
  return squared ? square : ops.sqrt(ops.maximum(square, SMALLEST));
}

/**
 * Triplet loss: an anchor a is to be nearer to one vector than to another one by a margin,
 *
 *     ℓ = max(0, margin + t·(‖a − b‖ − ‖a − c‖)),  with `squared` of the squares of both
 *
 * output: [batch, 3·d], the vectors a, b, c side by side, else `ERR_SHAPE`; target: [batch] of 1, where b is the near one, and −1, where c is (another one is
 * `ERR_LABEL`). At the margin itself, and where two vectors are equal, the gradient is 0. Schroff, Kalenichenko, Philbin 2015; PyTorch's triplet_margin_loss,
 * which adds 1e-6 to every difference.
 */
export function triplet(options: TripletOptions = {}): Loss {
  checkKeys("triplet", options, ["margin", "squared"]);
  const margin = checkNumber("triplet.margin", options.margin ?? DEFAULT_MARGIN, { above: 0 });
  const squared = checkBoolean("triplet.squared", options.squared ?? false);
  return loss(
    "triplet",
    "signs",
    (output, target) => {
      const [anchor, near, far] = vectorsOf("triplet", output, 3);
      if (anchor === undefined || near === undefined || far === undefined) return output;
      const apart = ops.subtract(distanceOf(anchor, near, squared), distanceOf(anchor, far, squared));
      return ops.relu(ops.add(margin, ops.multiply(single("triplet", output, target), apart)));
    },
    { margin, squared },
    () => ONE,
  );
}

/** Options of {@link contrastive}. */
export interface ContrastiveOptions {
  /** Distance that vectors of different things are to have, > 0; 1 by default. */
  readonly margin?: number | undefined;
}

/**
 * Contrastive loss of two vectors at the distance D = ‖a − b‖, t = 1 where they are of one thing and 0 where they are of two:
 *
 *     ℓ = ½·(t·D² + (1 − t)·max(0, margin − D)²)
 *
 * output: [batch, 2·d], a and b side by side, else `ERR_SHAPE`; target: [batch] numbers in [0, 1]. Where both are equal the gradient is 0. Hadsell, Chopra,
 * LeCun 2006, whose Y is 1 − t.
 */
export function contrastive(options: ContrastiveOptions = {}): Loss {
  checkKeys("contrastive", options, ["margin"]);
  const margin = checkNumber("contrastive.margin", options.margin ?? DEFAULT_MARGIN, { above: 0 });
  return loss(
    "contrastive",
    "probabilities",
    (output, target) => {
      const [a, b] = vectorsOf("contrastive", output, 2);
      if (a === undefined || b === undefined) return output;
      const t = single("contrastive", output, target);
      const short = ops.relu(ops.subtract(margin, distanceOf(a, b, false)));
      const together = ops.multiply(t, distanceOf(a, b, true));
      const apart = ops.multiply(ops.subtract(1, t), ops.square(short));
      return ops.multiply(0.5, ops.add(together, apart));
    },
    { margin },
    () => ONE,
  );
}

noteMakers(bpr, triplet, contrastive);

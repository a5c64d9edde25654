import { CarillonError, fail } from "../../errors.js";
import * as ops from "../../ops/index.js";
import { checkKeys, checkNumber, noteMakers } from "../../options.js";
import { elements, formatShape } from "../../tensor/shape.js";
import { tensor } from "../../tensor/tensor.js";
import { type Loss, loss, overSteps } from "./loss.js";

/** Options of {@link pinball}. */
export interface PinballOptions {
  /** Quantiles that are told of every target, rising numbers in (0, 1): `[0.1, 0.5, 0.9]`. */
  readonly quantiles: readonly number[];
}

/** Rising numbers in (0, 1), at least one; else `ERR_OPTION`. */
export function checkQuantiles(where: string, given: readonly number[]): readonly number[] {
  if (!Array.isArray(given) || given.length === 0)
    fail("ERR_OPTION", where, "quantiles such as [0.1, 0.5, 0.9]", given);
  const quantiles = given.map((one, index) => checkNumber(`${where}[${index}]`, one, { above: 0, below: 1 }));
  for (const [index, one] of quantiles.entries()) {
    const before = quantiles[index - 1] ?? 0;
    if (one <= before) fail("ERR_OPTION", `${where}[${index}]`, `a number above ${before}, as quantiles rise,`, one);
  }
  return Object.freeze(quantiles);
}

/** The shape of a row of targets, of which `count` quantiles each are told; `ERR_SHAPE` where the outputs are not so many of each. */
function toldTargets(shape: readonly number[], count: number): readonly number[] {
  const columns = shape.at(-1) ?? 1;
  if (columns % count === 0) return [...shape.slice(0, -1), columns / count];
  const expected = `expected ${count} outputs a target, one a quantile, for 'pinball.output'`;
  throw new CarillonError("ERR_SHAPE", "pinball.output", `${expected} but received ${formatShape(shape)}`);
}

/**
 * Pinball loss: the outputs learn quantiles of the target. The mean over targets and quantiles q of
 *
 *     ℓ = q·max(0, e) + (1 − q)·max(0, −e),  e = target − output
 *
 * Where both are equal the gradient is 0. Of n targets and Q quantiles, output: [batch, n·Q], the quantiles of the first target first; target:
 * [batch, n], or [batch] where n = 1. Anything else is `ERR_SHAPE`. Quantiles that are learned so may cross each other, where there is little to
 * learn from: behind {@link monotoneQuantiles} they cannot. Koenker, Bassett 1978; scikit-learn's mean_pinball_loss, averaged over quantiles.
 */
export function pinball(options: PinballOptions): Loss {
  checkKeys("pinball", options, ["quantiles"]);
  const quantiles = checkQuantiles("pinball.quantiles", options.quantiles);
  const count = quantiles.length;
  const [below, above] = [tensor([...quantiles]), tensor(quantiles.map((one) => 1 - one))];
  return loss(
    "pinball",
    "values",
    (output, target) => {
      const [batch = 1, ...axes] = output.shape;
      const rows = toldTargets(axes.map(Number), count);
      const targets = elements(rows);
      if (
        elements(target.shape.slice(1)) !== targets ||
        target.shape[0] !== batch ||
        target.shape.length > 1 + axes.length
      ) {
        const problem = `expected ${formatShape([batch, ...rows])} for 'pinball.target' but received ${formatShape(target.shape)}`;
        throw new CarillonError("ERR_SHAPE", "pinball.target", problem);
      }
      const told = ops.reshape(output, [batch, targets, count]);
      const error = ops.subtract(ops.reshape(target, [batch, targets, 1]), told);
      const missed = ops.multiply(below, ops.relu(error));
      const passed = ops.multiply(above, ops.relu(ops.negate(error)));
      return overSteps(output, ops.reshape(ops.add(missed, passed), [batch, targets * count]));
    },
    { quantiles },
    (shape) => toldTargets(shape, count),
  );
}

noteMakers(pinball);

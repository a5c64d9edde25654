import * as ops from "../../ops/index.js";
import { type DropoutScaling, keepOf } from "../../ops/random.js";
import { checkKeys, checkOneOf } from "../../options.js";
import { defineLayer, type Layer } from "../layer.js";

/** Options of {@link dropout}: either `rate` or `keep`. */
export interface DropoutLayerOptions {
  /** Probability of dropping, [0, 1). */
  readonly rate?: number | undefined;
  /** Probability of keeping, (0, 1]: keep = 1 − rate. */
  readonly keep?: number | undefined;
  /** `'inverted'` (the default) multiplies kept units by 1/keep in training; `'classic'` all units by keep at inference. */
  readonly scaling?: DropoutScaling | undefined;
  readonly name?: string | undefined;
}

/**
 * Dropout: z̃ = m ⊙ z, m ~ Bernoulli(keep), in training. Every unit of every example of every step has a draw of its own, a
 * function of (seed, place in the model, step, position in the batch). Backward uses the same mask.
 *
 * Inverted: training z̃ = m ⊙ z/keep, inference the identity. Classic: training z̃ = m ⊙ z, inference keep·z.
 * Srivastava et al. 2014. A rate outside [0, 1) is `ERR_OPTION`.
 *
 * @param rate Probability of dropping, or options.
 */
export function dropout(rate: number | DropoutLayerOptions): Layer<number, "same"> {
  const options = typeof rate === "number" ? { rate } : rate;
  checkKeys("dropout", options, ["rate", "keep", "scaling", "name"]);
  const keep = keepOf("dropout", options.rate, options.keep);
  const scaling = checkOneOf("dropout.scaling", options.scaling ?? "inverted", ["inverted", "classic"]);
  return defineLayer({
    kind: "dropout",
    outputs: "same",
    name: options.name,
    config: { keep, scaling },
    forward(x, _parameters, { training, nextSite }) {
      if (training) return keep === 1 ? x : ops.dropout(x, { keep, scaling, site: nextSite() });
      return scaling === "classic" ? ops.multiply(x, keep) : x;
    },
  });
}

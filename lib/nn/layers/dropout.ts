import { madeBy } from "../../described.js";
import * as ops from "../../ops/index.js";
import { type DropoutScaling, keepOf } from "../../ops/random.js";
import { checkKeys, checkOneOf } from "../../options.js";
import type { Value } from "../../tensor/value.js";
import { defineLayer, type Layer } from "../structure/layer.js";

/** Options of {@link alphaDropout} and {@link gaussianDropout}: either `rate` or `keep`. */
export interface RateOptions {
  /** Probability of dropping, [0, 1). */
  readonly rate?: number | undefined;
  /** Probability of keeping, (0, 1]: keep = 1 − rate. */
  readonly keep?: number | undefined;
  readonly name?: string | undefined;
}

/** Options of {@link dropout} and {@link spatialDropout}. */
export interface DropoutLayerOptions extends RateOptions {
  /** `'inverted'` (the default) multiplies kept units by 1/keep in training; `'classic'` all units by keep at inference. */
  readonly scaling?: DropoutScaling | undefined;
}

/** The probability of keeping from a rate alone or from options, whose other keys are checked. */
function keptShare(where: string, options: RateOptions, others: readonly string[]): number {
  checkKeys(where, options, ["rate", "keep", "name", ...others]);
  return keepOf(where, options.rate, options.keep);
}

function optionsOf<O extends RateOptions>(rate: number | O): O | RateOptions {
  return typeof rate === "number" ? { rate } : rate;
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
export function dropout(rate: number | DropoutLayerOptions): Layer<number, "same", "f32"> {
  return masking("dropout", rate, ops.dropout);
}

/**
 * Dropout of whole channels: x: [batch, …, channels], one draw an example and channel for all places (Tompson et al. 2015).
 * Scaling and errors as {@link dropout}.
 */
export function spatialDropout(rate: number | DropoutLayerOptions): Layer<number, "same", "f32"> {
  return masking("spatialDropout", rate, ops.spatialDropout);
}

function masking(
  kind: string,
  rate: number | DropoutLayerOptions,
  drop: (x: Value, options: ops.DropoutOptions) => Value,
): Layer<number, "same", "f32"> {
  const options: DropoutLayerOptions = optionsOf(rate);
  const keep = keptShare(kind, options, ["scaling"]);
  const scaling = checkOneOf(`${kind}.scaling`, options.scaling ?? "inverted", ["inverted", "classic"]);
  const { name } = options;
  const layer = defineLayer({
    kind,
    outputs: "same",
    name,
    config: { keep, scaling },
    forward(x, _parameters, { training, nextSite }) {
      if (training) return keep === 1 ? x : drop(x, { keep, scaling, site: nextSite() });
      return scaling === "classic" ? ops.multiply(x, keep) : x;
    },
  });
  return madeBy(kind, { keep, scaling, name }, layer);
}

/**
 * Dropout for SELU networks: in training dropped units become α′ and an affine map keeps mean 0 and variance 1; the
 * identity at inference. Formula at `ops.alphaDropout`; Klambauer et al. 2017.
 */
export function alphaDropout(rate: number | RateOptions): Layer<number, "same", "f32"> {
  return drawing("alphaDropout", rate, ops.alphaDropout);
}

/**
 * Multiplies by noise N(1, rate/(1 − rate)) in training: the mean and variance of inverted dropout; the identity at
 * inference. Srivastava et al. 2014, section 10.
 */
export function gaussianDropout(rate: number | RateOptions): Layer<number, "same", "f32"> {
  return drawing("gaussianDropout", rate, ops.gaussianDropout);
}

function drawing(
  kind: string,
  rate: number | RateOptions,
  drop: (x: Value, options: ops.GaussianDropoutOptions) => Value,
): Layer<number, "same", "f32"> {
  const options = optionsOf(rate);
  const keep = keptShare(kind, options, []);
  const { name } = options;
  const layer = defineLayer({
    kind,
    outputs: "same",
    name,
    config: { keep },
    forward: (x, _parameters, { training, nextSite }) => {
      return training && keep < 1 ? drop(x, { keep, site: nextSite() }) : x;
    },
  });
  return madeBy(kind, { keep, name }, layer);
}

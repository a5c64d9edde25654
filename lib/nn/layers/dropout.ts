import { madeBy } from "../../described.js";
import { fail } from "../../errors.js";
import type { ScheduleAt } from "../../graph/lane.js";
import { currentTrace } from "../../graph/trace.js";
import * as ops from "../../ops/index.js";
import { type DropoutScaling, keepOf, scheduledDropout } from "../../ops/random.js";
import { checkKeys, checkNumber, checkOneOf } from "../../options.js";
import { cos } from "../../tensor/exact.js";
import { elements } from "../../tensor/shape.js";
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
  /**
   * Share of a run's steps, [0, 1), after which the rate falls on half a cosine, to 0 behind the last one; never by default. With `'inverted'`.
   */
  readonly fade?: number | undefined;
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
 * With `fade: f` the rate of step t of T is rate·(1 + cos(π·max(0, u − f)/(1 − f)))/2, u = min(t − 1, T)/T: in RealMLP with f = ½
 * (Holzmüller, Grinsztajn, Steinwart 2024; pytabkit's `flat_cos`).
 *
 * @param rate Probability of dropping, or options.
 */
export function dropout(rate: number | DropoutLayerOptions): Layer<number, "same", "f32"> {
  return masking("dropout", rate, ops.dropout, () => 1);
}

/**
 * Dropout of whole channels: x: [batch, …, channels], one draw an example and channel for all places (Tompson et al. 2015).
 * Scaling and errors as {@link dropout}.
 */
export function spatialDropout(rate: number | DropoutLayerOptions): Layer<number, "same", "f32"> {
  return masking("spatialDropout", rate, ops.spatialDropout, (x) => elements(x.shape.slice(1, -1)));
}

/** The share of a rate that is left at a step. */
function leftAt({ step, steps }: ScheduleAt, fade: number): number {
  const done = Math.min(step - 1, steps) / steps;
  return done <= fade ? 1 : 0.5 * (1 + cos((Math.PI * (done - fade)) / (1 - fade)));
}

/** `x` dropped out with a rate that falls: the probability of keeping and the factor of what is kept are values of a schedule. */
function fading(kind: string, x: Value, keep: number, fade: number, site: number, group: number): Value {
  const trace = currentTrace(kind);
  const keepAt = (at: ScheduleAt): number => 1 - (1 - keep) * leftAt(at, fade);
  const { first } = trace.lane(keepAt, null, false);
  trace.lane((at) => 1 / keepAt(at), null, false);
  return scheduledDropout(x, first, site, group);
}

function masking(
  kind: string,
  rate: number | DropoutLayerOptions,
  drop: (x: Value, options: ops.DropoutOptions) => Value,
  groupOf: (x: Value) => number,
): Layer<number, "same", "f32"> {
  const options: DropoutLayerOptions = optionsOf(rate);
  const keep = keptShare(kind, options, ["scaling", "fade"]);
  const scaling = checkOneOf(`${kind}.scaling`, options.scaling ?? "inverted", ["inverted", "classic"]);
  const { name, fade } = options;
  if (fade !== undefined) checkNumber(`${kind}.fade`, fade, { min: 0, below: 1 });
  if (fade !== undefined && scaling === "classic")
    fail("ERR_OPTION", `${kind}.scaling`, "'inverted', as the rate fades,", scaling);
  const layer = defineLayer({
    kind,
    outputs: "same",
    name,
    config: { keep, scaling, ...(fade === undefined ? {} : { fade }) },
    forward(x, _parameters, { training, nextSite }) {
      if (!training) return scaling === "classic" ? ops.multiply(x, keep) : x;
      if (keep === 1) return x;
      if (fade !== undefined) return fading(kind, x, keep, fade, nextSite(), groupOf(x));
      return drop(x, { keep, scaling, site: nextSite() });
    },
  });
  return madeBy(kind, { keep, scaling, fade, name }, layer);
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

import { CarillonError, fail } from "../errors.js";
import type { SuitedData } from "../nn/meaning/suited.js";
import type { Metrics } from "../nn/metrics/metrics.js";
import { type AnyModel, Model } from "../nn/model/model.js";
import type { Taken } from "../nn/structure/chain.js";
import type { Elements, Sizes } from "../nn/structure/sequence.js";
import type { Schedule } from "../optim/schedule.js";
import { checkKeys, checkNumber, checkObject } from "../options.js";
import { power } from "../tensor/exact.js";
import type { Callback } from "./callbacks/callback.js";
import { fitAny } from "./fit.js";
import type { AnyOptions, FitOptions } from "./options.js";

/** Options of {@link findLearningRate}: those of `fit` that a short run needs, and where to look. */
export interface FindLearningRateOptions<In extends Sizes = Taken, Out extends Sizes = Taken>
  extends Pick<
    FitOptions<Metrics, undefined, undefined, In, Out>,
    | "data"
    | "inputs"
    | "targets"
    | "loss"
    | "lossWeights"
    | "optimizer"
    | "regularizer"
    | "biasRegularizer"
    | "classWeights"
    | "classes"
    | "batchSize"
    | "shuffle"
    | "seed"
    | "threads"
    | "priority"
    | "signal"
  > {
  /** Rate of the first step, > 0; 1e-7 by default. */
  readonly from?: number | undefined;
  /** Rate of the last step, > from; 10 by default. */
  readonly to?: number | undefined;
  /** Steps, at least 16; 100 by default. */
  readonly steps?: number | undefined;
}

/** One step of the search. */
export interface LearningRatePoint {
  readonly lr: number;
  /** Loss of the step's batch, before its update. */
  readonly loss: number;
  /** Mean of the losses around it. */
  readonly smoothed: number;
}

/** Result of {@link findLearningRate}. */
export interface LearningRateCurve {
  /** One point a step, up to where the loss exploded. */
  readonly curve: readonly LearningRatePoint[];
  /** The rate at which the loss, smoothed, falls most steeply; `undefined` if it falls nowhere. */
  readonly suggestion: number | undefined;
}

const DEFAULT_FROM = 1e-7;
const DEFAULT_TO = 10;
const DEFAULT_STEPS = 100;
const LEAST_STEPS = 16;

/** The search ends when the running mean of the loss, with this decay, is this many times its least value. */
const DECAY = 0.8;
const EXPLOSION = 4;

/** Losses on either side that a smoothed one takes in, and that a slope does: shares of the steps. */
const SMOOTHED_SHARE = 20;
const SLOPE_SHARE = 8;

const KEYS = [
  "data",
  "inputs",
  "targets",
  "loss",
  "lossWeights",
  "optimizer",
  "regularizer",
  "biasRegularizer",
  "classWeights",
  "classes",
  "batchSize",
  "shuffle",
  "seed",
  "threads",
  "priority",
  "signal",
  "from",
  "to",
  "steps",
] as const;

/** Says when a loss explodes: Σ decay·loss with its start at 0 corrected, against its least value so far. */
class Watch {
  #mean = 0;
  #weight = 0;
  #least = Number.POSITIVE_INFINITY;

  explodes(loss: number): boolean {
    this.#mean = DECAY * this.#mean + (1 - DECAY) * loss;
    this.#weight = DECAY * this.#weight + (1 - DECAY);
    const mean = this.#mean / this.#weight;
    this.#least = Math.min(this.#least, mean);
    return !(mean <= EXPLOSION * this.#least);
  }
}

/** Means over up to `half` neighbours on either side, as many on both. */
function smooth(losses: readonly number[], half: number): number[] {
  return losses.map((_, index) => {
    const reach = Math.min(half, index, losses.length - 1 - index);
    const near = losses.slice(index - reach, index + reach + 1);
    return near.reduce((sum, loss) => sum + loss, 0) / near.length;
  });
}

/** Slope of the line of least squares through `losses` over their indices: Σ (i − ī)·loss/Σ (i − ī)². */
function slopeOf(losses: readonly number[]): number {
  const middle = (losses.length - 1) / 2;
  const along = losses.reduce((sum, loss, index) => sum + (index - middle) * loss, 0);
  return along / losses.reduce((sum, _, index) => sum + (index - middle) * (index - middle), 0);
}

/** The point around which the losses fall most steeply; rates grow by equal factors, so that indices are ln lr. */
function steepest(curve: readonly LearningRatePoint[], half: number): number | undefined {
  const reach = Math.min(half, Math.floor((curve.length - 1) / 2));
  let best: { readonly lr: number; readonly slope: number } | undefined;
  for (const [index, { lr }] of curve.entries()) {
    if (reach === 0 || index < reach || index + reach >= curve.length) continue;
    const slope = slopeOf(curve.slice(index - reach, index + reach + 1).map(({ loss }) => loss));
    if (slope < (best?.slope ?? 0)) best = { lr, slope };
  }
  return best?.lr;
}

/**
 * Trains a copy of `model` for a few steps while the learning rate grows by a constant factor a step, from `from` to `to`,
 * and suggests the rate at which the loss falls most steeply: where the line of least squares through the losses within
 * steps/8 of a step on either side has the least slope over ln lr. The model itself stays as it is, and so does its
 * optimizer's `lr`, which is not used (all groups of a partition have one rate). The search ends early when the loss explodes: at four times its least running mean,
 * or where it is not finite.
 *
 * `smoothed` in the curve is the mean of the losses within steps/20 of a step on either side. Smith 2017 ("Cyclical
 * learning rates"); the steepest descent as in fastai's `lr_find`. The suggestion is a place to start, for this batch size and optimizer: noisy
 * batches move it.
 *
 * Rejects as `fit` does, and with `ERR_OPTION` unless 0 < from < to.
 *
 * @example
 * const { suggestion = 1e-3, curve } = await findLearningRate(model, { data: { x, y }, loss: mse(), optimizer: adam() });
 * await fit(model, { data: { x, y }, loss: mse(), optimizer: adam({ lr: suggestion }), epochs: 20 });
 */
export function findLearningRate<In extends Sizes, Out extends Sizes, E extends Elements = Elements, D = unknown>(
  model: Model<In, Out, E>,
  options: FindLearningRateOptions<In, Out> & { readonly data: D & NoInfer<SuitedData<D, In, E, Out>> },
): Promise<LearningRateCurve>;
export async function findLearningRate(
  model: AnyModel,
  options: FindLearningRateOptions<Sizes, Sizes>,
): Promise<LearningRateCurve> {
  const where = "findLearningRate";
  if (!(model instanceof Model)) fail("ERR_OPTION", `${where}.model`, "a model", model);
  checkKeys(where, options, KEYS);
  checkObject(`${where}.optimizer`, options.optimizer);
  const { from: givenFrom, to: givenTo, steps: givenSteps, ...shared } = options;
  const from = checkNumber(`${where}.from`, givenFrom ?? DEFAULT_FROM, { above: 0 });
  const to = checkNumber(`${where}.to`, givenTo ?? DEFAULT_TO, { above: from });
  const steps = checkNumber(`${where}.steps`, givenSteps ?? DEFAULT_STEPS, { min: LEAST_STEPS, integer: true });
  const lr: Schedule = ({ step }) => from * power(to / from, (step - 1) / (steps - 1));
  const losses = await record(model.clone(), { ...shared, optimizer: withRate(options.optimizer, lr), steps });
  const means = smooth(losses, Math.max(1, Math.floor(steps / SMOOTHED_SHARE)));
  const curve = losses.map((loss, index): LearningRatePoint => {
    return { lr: lr({ step: index + 1, steps, epoch: 1 }), loss, smoothed: means[index] ?? loss };
  });
  return { curve, suggestion: steepest(curve, Math.floor(steps / SLOPE_SHARE)) };
}

/** The same rules, all of them at one rate. */
function withRate(optimizer: AnyOptions["optimizer"], lr: Schedule): AnyOptions["optimizer"] {
  if (!("groups" in optimizer)) return { ...optimizer, lr };
  const groups = optimizer.groups.map((group) => {
    return { ...group, optimizer: group.optimizer === null ? null : { ...group.optimizer, lr } };
  });
  return { ...optimizer, groups };
}

/** The loss of each step, up to the explosion. */
async function record(model: AnyModel, options: AnyOptions): Promise<number[]> {
  const losses: number[] = [];
  const watch = new Watch();
  let heard = (): void => undefined;
  // A reader of events that falls behind misses steps: the run waits for it after each one.
  const pace: Callback = {
    name: "findLearningRate",
    every: { steps: 1 },
    async decide({ step }) {
      while (losses.length < step) {
        await new Promise<void>((resolve) => {
          heard = resolve;
        });
      }
    },
  };
  const run = fitAny(model, { ...options, reportEvery: 1, callbacks: [pace] });
  try {
    for await (const event of run) {
      if (event.kind !== "step") continue;
      losses.push(event.loss);
      if (watch.explodes(event.loss)) run.stop();
      heard();
    }
    await run;
  } catch (error) {
    // A number that is not finite is an end like any other here.
    if (!(error instanceof CarillonError && error.code === "ERR_NON_FINITE")) throw error;
  }
  const end = losses.findIndex((loss) => !Number.isFinite(loss));
  return end < 0 ? losses : losses.slice(0, end);
}

import { THREADS } from "../../binding/threads.js";
import { checkKeys, checkNumber, checkOneOf } from "../../options.js";
import { checkSignal } from "../../signals.js";
import type { ProbabilitiesAs } from "../meaning/meaning.js";
import type { LossesOf, LossWeightsOf, MetricsFor } from "../meaning/row_types.js";
import type { Taken } from "../structure/chain.js";
import type { Sizes } from "../structure/sequence.js";

/** Rows of a batch at inference. */
export const PREDICT_BATCH = 256;

/** Options of `Model.evaluate`. */
export interface EvaluateOptions<M extends MetricsFor<Out>, Out extends Sizes = Taken> {
  /** One an output, of a model with named outputs. */
  readonly loss: LossesOf<Out>;
  /** The weight of each named output's loss in the total, 1 by default. */
  readonly lossWeights?: LossWeightsOf<Out> | undefined;
  /** Figures besides the loss, as for `fit`. */
  readonly metrics?: M | undefined;
  /** As for `predict`. */
  readonly threads?: number | undefined;
  /** An aborted signal rejects with its reason, after the batch in hand. */
  readonly signal?: AbortSignal | undefined;
}

/** How predictions are worked on: of `Model.predict` and `Model.predictProbabilities`. */
export interface PredictOptions {
  /** Native threads, at most; by default and in no case more than `runtime.threads`. The bits do not depend on it. */
  readonly threads?: number | undefined;
  /** An aborted signal rejects with its reason; the work ends after the batch in hand. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of `Model.predict` for labels. */
export interface LabelOptions extends PredictOptions {
  /** The class of each row, by its name or its integer, in the place of the outputs. */
  readonly as: "labels";
}

/** Options of `Model.predictProbabilities`. */
export interface ProbabilityOptions extends PredictOptions {
  /** The function that makes probabilities of the outputs, whatever the model has learned; `'outputs'` leaves them as they are. */
  readonly as?: ProbabilitiesAs | undefined;
}

/** Threads and signal of options, checked. */
export function checkWork(where: string, { threads, signal }: PredictOptions): PredictOptions {
  if (threads !== undefined) checkNumber(`${where}.threads`, threads, THREADS);
  return { threads, signal: checkSignal(where, signal) };
}

const NONE = {} as const;

/** {@link PredictOptions}, checked, with what the outputs are wanted as. */
export function checkPredict<const A extends string>(
  where: string,
  options: (PredictOptions & { readonly as?: string | undefined }) | undefined,
  allowed: readonly A[],
): PredictOptions & { readonly as?: A | undefined } {
  if (options === undefined) return NONE;
  checkKeys(where, options, ["threads", "signal", "as"]);
  const as = options.as === undefined ? undefined : checkOneOf(`${where}.as`, options.as, allowed);
  return { ...checkWork(where, options), as };
}

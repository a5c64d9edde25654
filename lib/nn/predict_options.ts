import { fail } from "../errors.js";
import { checkKeys, checkNumber } from "../options.js";
import type { Loss } from "./losses/loss.js";
import type { Metrics } from "./metrics.js";

/** Options of `Model.evaluate`. */
export interface EvaluateOptions<M extends Metrics> {
  readonly loss: Loss;
  /** Figures besides the loss, as for `fit`. */
  readonly metrics?: M | undefined;
  /** As for `predict`. */
  readonly threads?: number | undefined;
  /** An aborted signal rejects with its reason, after the batch in hand. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of `Model.predict` and `Model.predictProbabilities`. */
export interface PredictOptions {
  /** Native threads, at most; by default and in no case more than `runtime.threads`. The bits do not depend on it. */
  readonly threads?: number | undefined;
  /** An aborted signal rejects with its reason; the work ends after the batch in hand. */
  readonly signal?: AbortSignal | undefined;
}

/** Threads and signal of options, checked. */
export function checkWork(where: string, { threads, signal }: PredictOptions): PredictOptions {
  if (threads !== undefined) checkNumber(`${where}.threads`, threads, { min: 1, max: 1024, integer: true });
  if (!(signal === undefined || signal instanceof AbortSignal)) {
    fail("ERR_OPTION", `${where}.signal`, "an AbortSignal", signal);
  }
  return { threads, signal };
}

/** {@link PredictOptions}, checked. */
export function checkPredict(where: string, options: PredictOptions): PredictOptions {
  checkKeys(where, options, ["threads", "signal"]);
  return checkWork(where, options);
}

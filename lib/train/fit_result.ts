import { CarillonError } from "../errors.js";
import type { Evaluation } from "../nn/evaluation/evaluator.js";
import type { AnyModel } from "../nn/model/model.js";
import type { Minimizer } from "../optim/minimizer.js";
import { describedBy } from "../tensor/inspect.js";
import type { Best } from "./callbacks/callback.js";
import type { EndReason, EpochEvent } from "./run/events.js";
import type { StepLosses } from "./run/step_losses.js";

/** How a run ended. */
export interface FitResult<K extends string = string, V = Evaluation<K> | undefined> {
  readonly reason: EndReason;
  /** Name of the callback that stopped the run; `null` if none did. */
  readonly stoppedBy: string | null;
  /** Steps done. */
  readonly step: number;
  /** Without pauses. */
  readonly seconds: number;
  /**
   * The best step that the first callback which looks for one has found: {@link earlyStopping}. Where callbacks have set the weights of the
   * model, what the last one of them has found.
   */
  readonly best: Best | undefined;
  /** As in the start event: whether nothing was changed on the way. */
  readonly bitEqual: boolean;
  /**
   * The events of the first and the last epoch, and of those in between: of all up to 10,000 epochs, otherwise evenly thinned.
   * Of confusion matrices 32 MiB are kept, evenly thinned as well, and the last; one that is not is `[]`.
   */
  readonly history: readonly EpochEvent<K, V>[];
  /** The loss of every step, with `log: 'steps'`; otherwise `undefined`. */
  readonly losses: StepLosses | undefined;
  /**
   * The averaged weights by name, with `averageWeights`, for {@link Model.setWeights}; otherwise `undefined`. `ERR_STATE`
   * once the model was changed after the run.
   */
  averaged(): ReadonlyMap<string, Float32Array> | undefined;
  /**
   * Everything that determines what would come next, as bytes that `resume` takes. `ERR_STATE` once the model was
   * changed after the run, and where it was stopped before its first step.
   */
  checkpoint(): Uint8Array;
}

/** `result` with a short text for `console.log`: the last epoch in the place of all. */
export function describedResult(result: FitResult): FitResult {
  return describedBy(result, () => {
    const { reason, stoppedBy, step, seconds, best, history } = result;
    const last = history.at(-1);
    const validated = last?.validation === undefined ? {} : { validation: last.validation };
    const figures = last && { loss: last.loss, ...last.metrics, ...validated };
    return {
      title: "FitResult",
      fields: { reason, stoppedBy: stoppedBy ?? undefined, step, seconds, best, epochs: history.length, last: figures },
    };
  });
}

/** Numbers of a run that is over. */
export type Figures = Pick<
  FitResult,
  "reason" | "stoppedBy" | "step" | "seconds" | "best" | "bitEqual" | "history" | "losses"
>;

/**
 * The result of a run. It keeps the model and the states of its optimizer, not the run itself, whose programs hold the data.
 *
 * @param checkpoint The bytes, or what makes them of the weights as the run left them.
 */
export function resultOf(
  figures: Figures,
  model: AnyModel,
  minimizer: Minimizer,
  checkpoint: Uint8Array | (() => Uint8Array),
): FitResult {
  const { version } = model;
  const unchanged = <T>(where: string, give: () => T): T => {
    if (model.version === version) return give();
    throw new CarillonError("ERR_STATE", where, "the model was changed after the run");
  };
  const bytes = (): Uint8Array => (typeof checkpoint === "function" ? checkpoint() : checkpoint.slice());
  return describedResult({
    ...figures,
    averaged: () => unchanged("averaged", () => minimizer.averages(model)),
    checkpoint: () => unchanged("checkpoint", bytes),
  });
}

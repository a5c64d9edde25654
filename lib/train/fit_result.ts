import type { Evaluation } from "../nn/evaluator.js";
import { describedBy } from "../tensor/inspect.js";
import type { Best } from "./callback.js";
import type { EndReason, EpochEvent } from "./events.js";

/** How a run ended. */
export interface FitResult<K extends string = string, V = Evaluation<K> | undefined> {
  readonly reason: EndReason;
  /** Name of the callback that stopped the run; `null` if none did. */
  readonly stoppedBy: string | null;
  /** Steps done. */
  readonly step: number;
  /** Without pauses. */
  readonly seconds: number;
  /** What the first callback that looks for a best step has found: {@link earlyStopping}. */
  readonly best: Best | undefined;
  /** One event an epoch. */
  readonly history: readonly EpochEvent<K, V>[];
  /**
   * The averaged weights by name, with `averageWeights`, for {@link Model.setWeights}; otherwise `undefined`. `ERR_STATE`
   * once the model was changed after the run.
   */
  averaged(): ReadonlyMap<string, Float32Array> | undefined;
  /**
   * Everything that determines what would come next, as bytes that `resume` takes. `ERR_STATE` once the model was
   * changed after the run, and where it was stopped before its data was ready.
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

import { madeBy } from "../../described.js";
import type { Part } from "../../io/part.js";
import type { State } from "../../io/state.js";
import { checkBoolean, checkKeys, checkNumber, checkOneOf, checkString } from "../../options.js";
import { isFloats } from "../../tensor/arrays.js";
import { describedBy } from "../../tensor/inspect.js";
import { extent } from "../../tensor/shape.js";
import type { Best, Callback, CallbackHooks, StateAt } from "./callback.js";
import { aimOf } from "./figure_ranges.js";
import { MONITOR_KEYS, Monitor, type MonitorOptions } from "./monitor.js";

/** Options of {@link earlyStopping}. */
export interface EarlyStoppingOptions extends MonitorOptions {
  /** Measurements without a better value before the run is stopped: an integer ≥ 1. */
  readonly patience: number;
  /** Gives the model its best weights when the run is over, however it ends but by failure; `false` by default. */
  readonly restoreBest?: boolean | undefined;
  /** Which of several values that are alike is the best one: the `'first'` (the default), or the `'last'`, which is then better than those before it. */
  readonly ties?: "first" | "last" | undefined;
}

const KEYS = [...MONITOR_KEYS, "patience", "restoreBest", "ties"];

/** State that a checkpoint keeps. */
interface Kept {
  readonly best: Best | undefined;
  readonly waited: number;
  readonly weights: ReadonlyMap<string, Float32Array> | undefined;
}

const NOTHING: Kept = { best: undefined, waited: 0, weights: undefined };

/**
 * Stops a run when a figure has got no better for `patience` measurements. `result.best` says where it was best.
 *
 * A value v is better than the best one b where `v < b − minDelta`, for mode `'max'` where `v > b + minDelta`, with `ties: 'last'` where it is ≤ or ≥; NaN
 * never is.
 * With `restoreBest` the weights of that step (their averages, with `averageWeights`) are kept, also in checkpoints, and the
 * model has them after the run. As Keras' `EarlyStopping`, which takes a first NaN for the best value. `ERR_OPTION`, `ERR_UNKNOWN_OPTION`.
 *
 * @example earlyStopping({ monitor: 'validation.auc', patience: 10, restoreBest: true })
 */
export function earlyStopping(options: EarlyStoppingOptions): Callback {
  checkKeys("earlyStopping", options, KEYS);
  const monitor = new Monitor("earlyStopping", options);
  const patience = checkNumber("earlyStopping.patience", options.patience, { min: 1, integer: true });
  const restoreBest = checkBoolean("earlyStopping.restoreBest", options.restoreBest ?? false);
  const ties = checkOneOf("earlyStopping.ties", options.ties ?? "first", ["first", "last"]);
  const begin = (): CallbackHooks => {
    let kept = NOTHING;
    return {
      get best() {
        return kept.best;
      },
      start() {
        kept = NOTHING;
      },
      decide(at) {
        if (!monitor.isFresh(at)) return;
        const value = monitor.valueOf(at);
        if (monitor.isBetter(value, kept.best?.value, ties === "last")) {
          const best = { monitor: monitor.name, value, epoch: at.epoch, step: at.step };
          kept = { best, waited: 0, weights: restoreBest ? at.weights() : undefined };
          return;
        }
        kept = { ...kept, waited: kept.waited + 1 };
        if (kept.waited >= patience) at.stop();
      },
      end(at) {
        if (kept.weights !== undefined) at.setWeights(kept.weights);
      },
      state: () => stateOf(kept, monitor.aim),
      restore(state) {
        kept = keptOf(state, monitor.aim, restoreBest);
      },
    };
  };
  const name = checkString("earlyStopping.name", options.name ?? "earlyStopping");
  const checkState: Callback["checkState"] = (state, at) => checkKept(state, monitor.aim, at);
  const callback = Object.assign(begin(), { name, every: options.every, monitor: monitor.name, begin, checkState });
  const { mode, minDelta } = monitor;
  const made = { ...options, mode, minDelta, patience, restoreBest, name };
  return madeBy(
    "earlyStopping",
    made,
    describedBy(callback, () => ({
      title: `Callback ${name}`,
      fields: { monitor: monitor.name, patience, best: callback.best },
    })),
  );
}

function stateOf({ best, waited, weights }: Kept, aim: string): State {
  const described = best === undefined ? null : { ...best };
  return { aim, best: described, waited, weights: weights === undefined ? null : Object.fromEntries(weights) };
}

/** `ERR_FILE` for what {@link stateOf} does not give. What was looked for otherwise is not looked at: it will be dropped. */
function checkKept(state: Part, aim: string, { step, figures, parameters }: StateAt): void {
  const [best, weights] = [state.at("best"), state.at("weights")];
  state.at("waited").count(0, step);
  if (aimOf(state.at("aim")) !== aim) return;
  if (best.value === null) {
    weights.equal(null);
    return;
  }
  figures.checkBest(state.at("aim"), best.at("value"));
  best.at("monitor").equal(aim.slice(aim.indexOf(" ") + 1));
  best.at("epoch").count(1, best.at("step").count(1, step));
  if (weights.value === null) return;
  weights.expect(weights.members().size === parameters.length, `${parameters.length} parameters`);
  for (const { name, shape } of parameters) {
    const data = weights.at(name);
    const count = extent(shape);
    data.expect(isFloats(data.value) && data.value.length === count, `a Float32Array of ${count}`);
  }
}

/**
 * Reads what {@link stateOf} made, from the checkpoint of a run with a callback of this name. A state that looked for something else, or did
 * not keep the weights that are now to be restored, has found nothing that could be kept.
 */
function keptOf(state: State, aim: string, restoreBest: boolean): Kept {
  const then = state as {
    readonly aim: string;
    readonly best: Best | null;
    readonly waited: number;
    readonly weights: Readonly<Record<string, Float32Array>> | null;
  };
  const { best, waited, weights } = then;
  if (then.aim !== aim || (restoreBest && best !== null && weights === null)) return NOTHING;
  const map = restoreBest && weights !== null ? new Map(Object.entries(weights)) : undefined;
  return { best: best ?? undefined, waited, weights: map };
}

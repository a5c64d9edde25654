import { madeBy } from "../../described.js";
import type { Part } from "../../io/part.js";
import { checkKeys, checkNumber, checkString } from "../../options.js";
import { describedBy } from "../../tensor/inspect.js";
import type { Callback, CallbackHooks, StateAt } from "./callback.js";
import { aimOf } from "./figure_ranges.js";
import { MONITOR_KEYS, Monitor, type MonitorOptions } from "./monitor.js";

/** Options of {@link reduceOnPlateau}. */
export interface ReduceOnPlateauOptions extends MonitorOptions {
  /** How much better a value must be than the best one, to count; ≥ 0, 1e-4 by default. */
  readonly minDelta?: number | undefined;
  /** The learning rate is multiplied by this: (0, 1), 0.1 by default. */
  readonly factor?: number | undefined;
  /** Measurements without a better value before the rate falls: an integer ≥ 1, 10 by default. */
  readonly patience?: number | undefined;
  /** Measurements after a fall that do not count: an integer ≥ 0, 0 by default. */
  readonly cooldown?: number | undefined;
  /** The factor of the rate (1 at first) never falls below this: [0, 1), 0 by default. */
  readonly minScale?: number | undefined;
}

const KEYS = [...MONITOR_KEYS, "factor", "patience", "cooldown", "minScale"];
const DEFAULT = { minDelta: 1e-4, factor: 0.1, patience: 10, cooldown: 0, minScale: 0 };

/** Where it stands; a checkpoint keeps it with what was looked for. */
interface Waiting {
  readonly best: number | null;
  readonly waited: number;
  readonly cooling: number;
}

const NOTHING: Waiting = { best: null, waited: 0, cooling: 0 };

/** `ERR_FILE` for a state that no plateau has. What was looked for otherwise is dropped. */
function checkWaiting(state: Part, aim: string, { step, figures }: StateAt): void {
  const best = state.at("best");
  state.at("waited").count(0, step);
  state.at("cooling").count();
  const isOwn = aimOf(state.at("aim")) === aim;
  if (isOwn && best.value !== null) figures.checkBest(state.at("aim"), best);
}

/**
 * Multiplies the learning rate by `factor` when a figure has got no better for `patience` measurements: `rateScale ←
 * max(rateScale·factor, minScale)`, on top of any schedule. Better means by more than `minDelta`, as for `earlyStopping`.
 *
 * As Keras' `ReduceLROnPlateau`. `ERR_OPTION`, `ERR_UNKNOWN_OPTION`.
 *
 * @example reduceOnPlateau({ monitor: 'validation.loss', factor: 0.5, patience: 5 })
 */
export function reduceOnPlateau(options: ReduceOnPlateauOptions): Callback {
  const where = "reduceOnPlateau";
  checkKeys(where, options, KEYS);
  const monitor = new Monitor(where, { ...options, minDelta: options.minDelta ?? DEFAULT.minDelta });
  const factor = checkNumber(`${where}.factor`, options.factor ?? DEFAULT.factor, { above: 0, below: 1 });
  const patience = checkNumber(`${where}.patience`, options.patience ?? DEFAULT.patience, { min: 1, integer: true });
  const cooldown = checkNumber(`${where}.cooldown`, options.cooldown ?? DEFAULT.cooldown, { min: 0, integer: true });
  const minScale = checkNumber(`${where}.minScale`, options.minScale ?? DEFAULT.minScale, { min: 0, below: 1 });
  const begin = (): CallbackHooks => {
    let now = NOTHING;
    return {
      start() {
        now = NOTHING;
      },
      decide(at) {
        if (!monitor.isFresh(at)) return;
        const value = monitor.valueOf(at);
        const cooling = Math.max(now.cooling - 1, 0);
        const cooled = now.cooling > 0 ? { ...now, cooling, waited: 0 } : now;
        if (monitor.isBetter(value, now.best ?? undefined)) {
          now = { ...cooled, best: value, waited: 0 };
          return;
        }
        now = cooling > 0 ? cooled : { ...cooled, waited: cooled.waited + 1 };
        if (now.waited < patience || at.rateScale <= minScale) return;
        at.rateScale = Math.max(at.rateScale * factor, minScale);
        now = { ...now, waited: 0, cooling: cooldown };
      },
      state: () => ({ aim: monitor.aim, ...now }),
      restore(state) {
        const { aim, ...then } = state as unknown as Waiting & { readonly aim: string }; // of a run with this callback
        now = aim === monitor.aim ? then : NOTHING;
      },
    };
  };
  const name = checkString(`${where}.name`, options.name ?? where);
  const checkState: Callback["checkState"] = (state, at) => checkWaiting(state, monitor.aim, at);
  const callback = Object.assign(begin(), { name, every: options.every, monitor: monitor.name, begin, checkState });
  const { mode, minDelta } = monitor;
  const made = { ...options, mode, minDelta, factor, patience, cooldown, minScale, name };
  return madeBy(
    where,
    made,
    describedBy(callback, () => ({
      title: `Callback ${name}`,
      fields: { monitor: monitor.name, factor, patience },
    })),
  );
}

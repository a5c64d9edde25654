import { madeBy } from "../../described.js";
import { checkKeys, checkNumber, noteMakers } from "../../options.js";
import { checkRate, type Schedule } from "../schedule.js";

/** Options of {@link warmup}. */
export interface WarmupOptions {
  /** Steps n of the warm-up. */
  readonly steps: number;
  /** Share of the rate at step 1, [0, 1]; 1/(n + 1) by default, so that all rises are equal. */
  readonly from?: number | undefined;
}

/**
 * A linear rise before any schedule: for steps t ≤ n
 *
 *     η = (from + (1 − from)·(t − 1)/n)·η₁
 *
 * with η₁ the first rate of `schedule`, which then runs on from its first step at step n + 1: it is asked for step t − n
 * of the steps that are left. (By default the factor is t/(n + 1).) The epoch is passed on as it is.
 *
 * Goyal et al. 2017; PyTorch's SequentialLR of LinearLR and the schedule.
 */
export function warmup(schedule: Schedule | number, options: WarmupOptions): Schedule {
  const rate = checkRate("warmup.schedule", schedule);
  checkKeys("warmup", options, ["steps", "from"]);
  const length = checkNumber("warmup.steps", options.steps, { min: 1, integer: true });
  const from = checkNumber("warmup.from", options.from ?? 1 / (length + 1), { min: 0, max: 1 });
  return madeBy("warmup", { schedule: rate, steps: length, from }, (at) => {
    const { step, epoch } = at;
    const inner = {
      step: Math.max(step - length, 1),
      epoch,
      get steps(): number {
        return Math.max(at.steps - length, 1);
      },
    };
    const value = typeof rate === "number" ? rate : rate(inner);
    return step > length ? value : (from + ((1 - from) * (step - 1)) / length) * value;
  });
}

noteMakers(warmup);

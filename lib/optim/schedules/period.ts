import { fail } from "../../errors.js";
import type { ScheduleAt } from "../../graph/lane.js";
import { checkKeys, checkNumber } from "../../options.js";

/** A stretch of time: a number of steps, or of epochs. */
export type Period = number | { readonly epochs: number };

/** Checks a period: an integer ≥ 1 of steps or epochs, else `ERR_OPTION`. */
export function checkPeriod(where: string, period: Period): Period {
  if (typeof period === "number") return checkNumber(where, period, { min: 1, integer: true });
  if (typeof period !== "object") fail("ERR_OPTION", where, "an integer >= 1 or { epochs }", period);
  checkKeys(where, period, ["epochs"]);
  return { epochs: checkNumber(`${where}.epochs`, period.epochs, { min: 1, integer: true }) };
}

/** Steps (or epochs) done before this one, in periods: not rounded. */
export function periodsDone(period: Period, { step, epoch }: ScheduleAt): number {
  return typeof period === "number" ? (step - 1) / period : (epoch - 1) / period.epochs;
}

/** Steps over which a schedule runs: an integer ≥ 1 or `undefined`, which stands for those of the whole run. */
export function checkSteps(where: string, steps: number | undefined): number | undefined {
  return steps === undefined ? undefined : checkNumber(where, steps, { min: 1, integer: true });
}

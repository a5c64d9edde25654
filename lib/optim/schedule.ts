import { fail } from "../errors.js";
import type { ScheduleAt } from "../graph/lane.js";
import { checkMade, checkNumber } from "../options.js";

/**
 * A value that changes from step to step. It must be a pure function of its argument: a run asks it ahead, for
 * all steps of one native call, and asks again after a resume.
 */
export type Schedule = (at: ScheduleAt) => number;

/** A learning rate as given to an optimizer: a finite number ≥ 0, or a schedule; else `ERR_OPTION`. */
export function checkRate(where: string, lr: number | Schedule): number | Schedule {
  if (typeof lr === "number") return checkNumber(where, lr, { min: 0 });
  return checkMade(where, lr, "a number >= 0 or a schedule");
}

/** The learning rate at one step: finite and ≥ 0, or `ERR_OPTION` naming the step at which the schedule failed. */
export function rateAt(where: string, lr: number | Schedule, at: ScheduleAt): number {
  if (typeof lr === "number") return lr;
  const rate = lr(at);
  if (Number.isFinite(rate) && rate >= 0) return rate;
  return fail("ERR_OPTION", where, `a number >= 0 from the schedule at step ${at.step}`, rate);
}

import { fail } from "../errors.js";
import { checkMade, checkNumber } from "../options.js";

/** Where a run stands when a schedule is asked. */
export interface ScheduleAt {
  /** Optimizer step, counted from 1. */
  readonly step: number;
  /**
   * Steps of the whole run. Over a stream they are known only if the run was told `steps`; a schedule that reads them
   * otherwise ends the run with `ERR_OPTION`.
   */
  readonly steps: number;
  /** Epoch of the step, counted from 1. */
  readonly epoch: number;
}

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

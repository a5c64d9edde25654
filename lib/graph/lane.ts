import type { UpdateCounter } from "./update_counter.js";

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

/** Counter of an update, and the scalars of its rule. */
export interface LaneUpdate {
  readonly counter: UpdateCounter;
  /** Of a step before which so many updates were made, from 0; always as many. */
  readonly scalars: ((updates: number) => readonly number[]) | null;
}

/** Values that change from step to step: a learning rate, or what else has a schedule, and the scalars of a rule that stand behind it. */
export interface Lane {
  /** Index of the rate; the scalars follow. */
  readonly first: number;
  readonly rate: (at: ScheduleAt) => number;
  /** `null` for a rate that goes by the program's own steps. */
  readonly update: LaneUpdate | null;
  /** Whether `rate` is a learning rate, which the factor of a run multiplies. */
  readonly scales: boolean;
  readonly count: number;
}

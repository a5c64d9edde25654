import type { Schedule } from "./schedule.js";

/**
 * The description of an update rule. It holds no state: the states, one value each a parameter, all 0 before
 * step 1, belong to the run that uses the description, so that one description may serve many runs.
 */
export interface Optimizer {
  /** The name that the user called: `sgd`, `sgdMomentum`, `adam`. */
  readonly kind: string;
  /** Learning rate η. */
  readonly lr: number | Schedule;
  /** Name of the native rule. */
  readonly rule: string;
  /** Names of the states, in the order of the native rule. */
  readonly states: readonly string[];
  /** Constants of the rule, in the order that it documents. */
  readonly constants: readonly number[];
}

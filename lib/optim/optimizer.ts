import type { Schedule } from "./schedule.js";

/** A state of an update rule: one value an element of a parameter. */
export interface OptimizerState {
  readonly name: string;
  /** Value of every element before step 1. */
  readonly initial: number;
}

/**
 * The description of an update rule. It holds no state: the states belong to the run that uses the description, so that
 * one description may serve many runs.
 */
export interface Optimizer {
  /** The name that the user called: `sgd`, `sgdMomentum`, `adam`. */
  readonly kind: string;
  /** Learning rate η. */
  readonly lr: number | Schedule;
  /** Name of the native rule; `null` for one made of operations. */
  readonly rule: string | null;
  /** In the order of the native rule. */
  readonly states: readonly OptimizerState[];
  /** Constants of the rule, in the order that it documents. */
  readonly constants: readonly number[];
  /** The rule's scalars of a step, from 1, that stand behind its constants: a pure function, in double. */
  readonly scalars: ((step: number) => readonly number[]) | null;
  /** Decoupled decay θ ← θ·(1 − ηλ) before the step: of all parameters, or of those of rank ≥ 2. */
  readonly decay: { readonly lambda: number; readonly everywhere: boolean } | null;
  /** Clipping sees the gradient with its penalties, as in Keras. */
  readonly clipsSum: boolean;
}

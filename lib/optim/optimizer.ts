import type { NativeLists } from "../binding/operations.js";
import { madeBy } from "../described.js";
import { describedBy, type Shown } from "../tensor/inspect.js";
import type { Schedule } from "./schedule.js";

/** A state of an update rule: one value an element of a parameter. */
export interface OptimizerState {
  readonly name: string;
  /** Value of every element before step 1. */
  readonly initial: number;
}

/** Decoupled weight decay: θ ← θ·(1 − ηλ) before the step. */
export interface DecoupledDecay {
  readonly lambda: number | Schedule;
  /** All parameters, as the frameworks do it; otherwise weights alone: no biases, scales and tables. */
  readonly everywhere: boolean;
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
  /** Those of an update that reaches touched rows alone, where they are others. */
  readonly touchedScalars?: ((step: number) => readonly number[]) | undefined;
  readonly decay: DecoupledDecay | null;
  /** Clipping sees the gradient with its penalties, as in Keras; otherwise that of the data loss alone. */
  readonly clipsSum: boolean;
}

/** Parts of a description; absent ones are the common case: no states, no scalars, no decay. */
interface Description {
  readonly kind: string;
  readonly lr: number | Schedule;
  readonly rule: NativeLists["optimizers"];
  readonly states?: readonly OptimizerState[] | undefined;
  readonly constants?: readonly number[] | undefined;
  readonly scalars?: ((step: number) => readonly number[]) | undefined;
  readonly touchedScalars?: ((step: number) => readonly number[]) | undefined;
  readonly decay?: DecoupledDecay | null | undefined;
  readonly clipsSum?: boolean | undefined;
  /** Options that it was made with, besides its rate and its decay. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** An immutable description of a native rule. */
export function describeOptimizer({ options, ...description }: Description): Optimizer {
  const { kind, lr, states = [], constants = [], scalars = null, decay = null, clipsSum = false } = description;
  const optimizer: Optimizer = {
    ...description,
    states: Object.freeze(states.map((state) => Object.freeze(state))),
    constants: Object.freeze([...constants]),
    scalars,
    decay: decay === null ? null : Object.freeze(decay),
    clipsSum,
  };
  const described = Object.freeze(describedBy(optimizer, () => forPeople(optimizer)));
  return madeBy(kind, { lr, weightDecay: decay?.lambda ?? 0, ...options }, described);
}

/** Title and fields that `console.log` shows of a description. */
export function forPeople({ kind, lr, states, decay }: Optimizer): Shown {
  return {
    title: `Optimizer ${kind}`,
    fields: { lr, states: states.map(({ name }) => name).join(", "), weightDecay: decay?.lambda },
  };
}

/** States that start at 0. */
export function zeroStates(...names: readonly string[]): readonly OptimizerState[] {
  return names.map((name) => ({ name, initial: 0 }));
}

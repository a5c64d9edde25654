import type { Evaluation } from "../nn/evaluator.js";

/** When a callback decides: after every so many steps or epochs. */
export type Every =
  | { readonly steps: number; readonly epochs?: never }
  | { readonly epochs: number; readonly steps?: never };

/** JSON that a checkpoint keeps. */
export type State = null | boolean | number | string | readonly State[] | { readonly [key: string]: State };

/** What a callback sees and may do. The run waits for it between two steps. */
export interface Decision {
  /** Steps done. */
  readonly step: number;
  /** The epoch of the last step, from 1. */
  readonly epoch: number;
  /** Means of the epoch so far. */
  readonly loss: number;
  readonly dataLoss: number;
  readonly penalty: number;
  readonly metrics: Readonly<Record<string, number>>;
  /** Of the last validation, if there was one. */
  readonly validation: Evaluation | undefined;
  /** Factor of the learning rate from the next step on, 1 at first. */
  rateScale: number;
  /** Ends the run after this callback; the result's reason is `'stopped'`. */
  stop(): void;
  /** Everything that determines the rest of the run, as the bytes of a checkpoint. */
  checkpoint(): Uint8Array;
}

/** Decides something about a run while it is under way. */
export interface Callback {
  /** Tells its state from others' in a checkpoint. */
  readonly name: string;
  /** `{ epochs: 1 }` by default. */
  readonly every?: Every | undefined;
  decide(at: Decision): void | Promise<void>;
  /** State that a checkpoint keeps, and that a resumed run gives back. */
  state?(): State;
  restore?(state: State): void;
}

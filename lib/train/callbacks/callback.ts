import type { Part } from "../../io/part.js";
import type { State } from "../../io/state.js";
import type { GivenWeights } from "../../nn/memory/given_weights.js";
import type { ParameterInfo } from "../../nn/memory/slab.js";
import type { EndReason } from "../run/events.js";
import type { Figures } from "./figure_ranges.js";

/** When something is done: after every so many steps or epochs. */
export type Every =
  | { readonly steps: number; readonly epochs?: never }
  | { readonly epochs: number; readonly steps?: never };

/** A validation as callbacks see it. */
export interface Validated {
  readonly loss: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/** A run between two steps, where it waits for a callback: its figures, and actions of the callback, which are `ERR_STATE` later. */
export interface Decision {
  /** Steps done. */
  readonly step: number;
  /** The epoch of the last step, from 1. */
  readonly epoch: number;
  /** Means of the epoch so far. */
  readonly loss: number;
  readonly dataLoss: number;
  readonly penalty: number;
  /** Of the training examples of the epoch so far; a confusion matrix is no number and stands in events only. */
  readonly metrics: Readonly<Record<string, number>>;
  /** The last validation, if there was one. */
  readonly validation: Validated | undefined;
  /** The step that it measured: this one, or one before. */
  readonly validationStep: number | undefined;
  /** Factor of the learning rate from the next step on, 1 at first. */
  rateScale: number;
  /** Ends the run after this callback; the result's reason is `'stopped'`. */
  stop(): void;
  /** Copies of the weights that validation measures: the averages with `averageWeights`, otherwise the model's. */
  weights(): ReadonlyMap<string, Float32Array>;
  /** Everything that determines the rest of the run, as the bytes of a checkpoint. */
  checkpoint(): Uint8Array;
}

/** The best step of a run, as a callback saw it. */
export interface Best {
  /** The figure that was looked at, such as `validation.loss`, and its value. */
  readonly monitor: string;
  readonly value: number;
  readonly epoch: number;
  readonly step: number;
}

/** The end of a run that finished or was stopped. */
export interface Ending {
  readonly reason: EndReason;
  readonly step: number;
  /** The weights that the model is to have after the run; the checkpoint of the result keeps those of its last step. */
  setWeights(weights: GivenWeights): void;
}

/** Functions of a callback that a run calls; they may share a state. */
export interface CallbackHooks {
  /** The best step that it has found so far; the result's `best`. */
  readonly best?: Best | undefined;
  /**
   * Before the first step of a run, and before `restore`: a callback may serve one run after another. `step` is that which a resumed run goes on
   * behind, 0 of one from its beginning.
   */
  start?(at: { readonly step: number }): void;
  decide(at: Decision): void | Promise<void>;
  /** After the last step; not after a failure, and not when the run was aborted. */
  end?(at: Ending): void | Promise<void>;
  /** State that a checkpoint keeps, and that a resumed run gives back as it was. */
  state?(): State;
  restore?(state: State): void;
}

/** Decides something about a run while it is under way. */
export interface Callback extends CallbackHooks {
  /** Tells its state from others' in a checkpoint. */
  readonly name: string;
  /**
   * When it decides. By default: one that monitors a figure of validation at every validation; one that monitors a figure of
   * training at the end of every epoch; any other there and at the last step. With `every`, one of validation decides at the first
   * validation at or behind each of these steps, and at the last one.
   */
  readonly every?: Every | undefined;
  /** A figure that it needs: `loss`, `accuracy`, `validation.loss`, …; `ERR_OPTION` before the run if there is none. */
  readonly monitor?: string | undefined;
  /**
   * Gives hooks of a run's own, which it asks instead of these, so that one callback may serve several runs at once. Without it
   * a callback serves one run at a time: `ERR_BUSY` for a second one. One without any state may return itself.
   */
  begin?(): CallbackHooks;
  /** `ERR_FILE` for a state of a checkpoint that it cannot have given: that is asked before the run begins. @internal */
  checkState?(state: Part, at: StateAt): void;
}

/** Facts of a checkpoint with which the state of a callback must agree. @internal */
export interface StateAt {
  /** Steps done. */
  readonly step: number;
  readonly figures: Figures;
  readonly parameters: readonly ParameterInfo[];
}

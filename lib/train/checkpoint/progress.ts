import { nativeInfo } from "../../binding/native.js";
import type { State } from "../../io/state.js";
import { copyState } from "../../io/state_reader.js";
import type { Evaluation } from "../../nn/evaluation/evaluator.js";
import type { Decided } from "../callbacks/callbacks.js";
import type { DataProgress } from "../run/epochs.js";

/** Everything besides weights and optimizer states that determines the rest of a run. */
export interface Progress extends Decided {
  /** Steps done. */
  readonly step: number;
  readonly seed: number;
  readonly samples: number;
  readonly batchSize: number;
  readonly shuffle: boolean;
  /** Sums of the epoch under way. */
  readonly sums: readonly number[];
  /** Of the metrics, over the epoch under way. */
  readonly metrics: Readonly<Record<string, State>>;
  /** The last one, which callbacks see until the next, and its step. */
  readonly validation: Evaluation | null;
  readonly validationStep: number | null;
  /** Whether this step's validation and callbacks are still to come. */
  readonly undecided: boolean;
  readonly data: DataProgress;
  /** Whether the run is one that nobody has changed: neither its data nor a setting. */
  readonly bitEqual: boolean;
  /** The epochs so far, of which a history is made again. */
  readonly history: State;
  /** Of the checkpoints kept so far. */
  readonly best: BestCheckpoint | null;
}

/** Progress as the run itself knows it. */
export type RunProgress = Omit<Progress, "best">;

/** The checkpoint whose figure is the best. */
export interface BestCheckpoint {
  /** Direction and figure that were looked for, such as `min validation.loss`. */
  readonly aim: string;
  readonly step: number;
  readonly value: number;
}

/** Gives a copy of now, which later decisions do not change. Where none can be made, whoever asks for it is told why. */
export function keptProgress(progress: () => RunProgress): () => RunProgress {
  try {
    const copy = copyState(progress(), "checkpoint");
    return () => copy;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

/** The arithmetic that a checkpoint belongs to. */
export function numericsMetadata(): { readonly numericsVersion: string } {
  return { numericsVersion: String(nativeInfo.numericsVersion) };
}

import type { Evaluation } from "../../nn/evaluation/evaluator.js";
import type { Figures } from "../../nn/metrics/metrics.js";
import { arrayBytes } from "./thinned.js";

/** Why a run ended. */
export type EndReason = "finished" | "stopped";

/** A checkpoint that `resume: 'auto'` did not take. */
export interface PassedOver {
  readonly path: string;
  readonly reason: string;
}

/** While a stream is read before the first step, as units or class weights have to be measured: four times a second, at most. */
export interface ReadingEvent {
  readonly kind: "reading";
  /** Steps done before: 0, or those of the checkpoint that is resumed. */
  readonly step: number;
  /** Examples that were read. */
  readonly examples: number;
  readonly seconds: number;
}

/** Before the first step. */
export interface StartEvent {
  readonly kind: "start";
  /** Steps of the whole run; `undefined` where only the end of a stream will tell. */
  readonly steps: number | undefined;
  /** Steps done before a resume. */
  readonly step: number;
  /** Steps of an epoch, and examples; `undefined` for a stream. */
  readonly stepsPerEpoch: number | undefined;
  readonly samples: number | undefined;
  readonly parameters: number;
  /** Native threads, at most: those of the run, within those of the process. */
  readonly threads: number;
  /** The file that the run continues; `null` for bytes and for a run from its beginning. */
  readonly resumedFrom: string | null;
  /**
   * Whether the run has the bits of one that ran from its beginning without a break: false once it was continued with other data, a
   * setting that was changed, or other callbacks with a state.
   */
  readonly bitEqual: boolean;
  /** Checkpoints that `resume: 'auto'` did not take, and why. */
  readonly passedOver: readonly PassedOver[];
}

/** After a step, every `reportEvery` steps. Of those that wait together for a reader it gets the newest only; `log` keeps every loss. */
export interface StepEvent {
  readonly kind: "step";
  readonly step: number;
  readonly epoch: number;
  /** dataLoss + penalty, of the weights before the step. */
  readonly loss: number;
  readonly dataLoss: number;
  readonly penalty: number;
  readonly seconds: number;
  readonly examplesPerSecond: number;
  readonly secondsLeft: number;
}

/** A validation between two ends of epochs, where `validate` asks for one. */
export interface ValidationEvent<K extends string = string> extends Evaluation<K> {
  readonly kind: "validation";
  readonly step: number;
  readonly epoch: number;
  readonly seconds: number;
}

/** At the end of an epoch, or of the run in the middle of one. */
export interface EpochEvent<K extends string = string, V = Evaluation<K> | undefined> {
  readonly kind: "epoch";
  /** From 1. */
  readonly epoch: number;
  readonly step: number;
  /** dataLoss + penalty: means over the epoch, while the weights changed. */
  readonly loss: number;
  readonly dataLoss: number;
  readonly penalty: number;
  /** Of the training examples, as the network with dropout saw them while its weights changed, and as the loss weighs them. */
  readonly metrics: Figures<K>;
  /** Of the weights after this step; `undefined` where `validate` asks for none here. */
  readonly validation: V;
  /** Since the run, or its continuation, began, without pauses. */
  readonly seconds: number;
  /** Training examples, in these seconds without those in which a resumed run read a stream again up to its place. */
  readonly examplesPerSecond: number;
  /** Until the last step, at this pace; a stream's further epochs are taken to be as long as those before. */
  readonly secondsLeft: number;
}

/**
 * After a step whose batch, or whose last part, had fewer rows than a layer needs for figures of their own: batch normalization has used
 * its running values. Only the end of a stream comes to that; of data in memory it is refused beforehand.
 */
export interface FewRowsEvent {
  readonly kind: "fewRows";
  readonly step: number;
  readonly epoch: number;
  /** Name of the layer that needs most. */
  readonly layer: string;
  /** Rows that there were, and those that it needs. */
  readonly rows: number;
  readonly needed: number;
}

/** When a checkpoint is on the disk in full. The run may be some steps ahead. */
export interface CheckpointEvent {
  readonly kind: "checkpoint";
  readonly step: number;
  readonly path: string;
  /** Whether it is the best so far. */
  readonly best: boolean;
}

/** After the last step. */
export interface EndEvent {
  readonly kind: "end";
  readonly reason: EndReason;
  /** Name of the callback that stopped the run; `null` if none did. */
  readonly stoppedBy: string | null;
  readonly step: number;
  readonly seconds: number;
}

/**
 * An event of a run: plain data, for `for await`, streams and server-sent events. Numbers may be NaN (a figure that there is none of)
 * or infinite (a time left that nobody knows), which `JSON.stringify` writes as `null`.
 */
export type FitEvent<K extends string = string, V = Evaluation<K> | undefined> =
  | ReadingEvent
  | StartEvent
  | StepEvent
  | ValidationEvent<K>
  | EpochEvent<K, V>
  | FewRowsEvent
  | CheckpointEvent
  | EndEvent;

/** Any event of any run. */
export interface RunEvent {
  readonly kind: string;
  readonly step: number;
}

/** Bytes of the figures of an event that are no single numbers, such as confusion matrices. */
export function figureBytes(event: RunEvent): number {
  if (event.kind !== "epoch" && event.kind !== "validation") return 0;
  const validation: unknown = "validation" in event ? event.validation : undefined;
  return bytesIn(event) + (typeof validation === "object" && validation !== null ? bytesIn(validation) : 0);
}

function bytesIn(event: object): number {
  const figures: unknown = "metrics" in event ? event.metrics : undefined;
  if (typeof figures !== "object" || figures === null) return 0;
  return Object.values(figures).reduce<number>(
    (bytes, figure) => (typeof figure === "object" ? bytes + arrayBytes(figure) : bytes),
    0,
  );
}

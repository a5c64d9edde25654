import type { Evaluation } from "../nn/evaluator.js";

/** Why a run ended. */
export type EndReason = "finished" | "stopped";

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
  readonly threads: number;
}

/** After a step, every `reportEvery` steps. A slow reader gets the newest only. */
export interface StepEvent {
  readonly kind: "step";
  readonly step: number;
  readonly epoch: number;
  /** dataLoss + penalty, of the weights before the step. */
  readonly loss: number;
  readonly dataLoss: number;
  readonly penalty: number;
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
  /** Of the training examples, as the network with dropout saw them. */
  readonly metrics: Readonly<Record<K, number>>;
  readonly validation: V;
  /** Since the run, or its continuation, began. */
  readonly seconds: number;
  readonly examplesPerSecond: number;
  /** Until the last step, at this pace; a stream's further epochs are taken to be as long as those before. */
  readonly secondsLeft: number;
}

/** After the last step. */
export interface EndEvent {
  readonly kind: "end";
  readonly reason: EndReason;
  readonly step: number;
  readonly seconds: number;
}

/** What a run tells: plain data, for `for await`, streams and server-sent events. */
export type FitEvent<K extends string = string, V = Evaluation<K> | undefined> =
  | StartEvent
  | StepEvent
  | EpochEvent<K, V>
  | EndEvent;

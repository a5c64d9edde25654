// What a run of an estimator tells.

import type { Task } from "../table/schema/schema.js";
import type { Warning } from "../table/schema/warnings.js";
import type { EndReason } from "../train/run/events.js";
import type { Measures } from "./measures.js";

/** What is done before the first step, at its beginning. */
export interface TabularStageEvent {
  readonly kind: "stage";
  readonly stage: "reading" | "schema" | "preparing";
  /** Always 0: nothing is trained yet. */
  readonly step: 0;
  /** Rows that are there, once they are. */
  readonly rows: number | undefined;
  readonly seconds: number;
}

/** Before the first step. */
export interface TabularStartEvent {
  readonly kind: "start";
  readonly step: 0;
  readonly task: Task;
  readonly rows: number;
  /** Whether the source is held as one table: a larger one was read block by block. */
  readonly held: boolean;
  /** Numbers that the network is given of a row: columns that were encoded, tables and texts each as one. */
  readonly columns: number;
  readonly members: number;
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  /** Weights of a member. */
  readonly parameters: number;
  readonly threads: number;
  /** What should be looked at, as of {@link schemaOf}. */
  readonly warnings: readonly Warning[];
}

/** The time that training will take, told once, after about 50 steps. */
export interface TabularExpectedEvent {
  readonly kind: "expected";
  readonly step: number;
  readonly secondsLeft: number;
  /** Epochs of each member, fewer than were asked for where `minutes` allows no more. */
  readonly epochs: number;
}

/** Now and then while a member is trained. */
export interface TabularStepEvent {
  readonly kind: "step";
  /** From 1. */
  readonly member: number;
  readonly members: number;
  /** Of this member, from 1. */
  readonly step: number;
  /** Where a member is trained once more, on all rows, epochs go on behind those of its choice. */
  readonly epoch: number;
  readonly epochs: number;
  readonly loss: number;
  /** Of all members. */
  readonly rowsPerSecond: number;
  readonly seconds: number;
  /** Until the last member has ended. */
  readonly secondsLeft: number;
}

/** A figure, and whether less of it is better. */
export interface TabularFigure {
  readonly name: "accuracy" | "logLoss" | "rmse";
  /** In the units of the target. */
  readonly value: number;
}

/** At the end of an epoch of a member. */
export interface TabularEpochEvent {
  readonly kind: "epoch";
  readonly member: number;
  readonly members: number;
  readonly step: number;
  readonly epoch: number;
  readonly epochs: number;
  /** Mean over the epoch, with dropout. */
  readonly loss: number;
  /** Of the rows that were held out. */
  readonly validation: { readonly loss: number; readonly figure: TabularFigure };
  /** The best epoch so far, of which the weights are kept. */
  readonly best: { readonly epoch: number; readonly value: number };
  readonly seconds: number;
  readonly secondsLeft: number;
}

/** When a member is trained. */
export interface TabularMemberEvent {
  readonly kind: "member";
  readonly member: number;
  readonly members: number;
  readonly step: number;
  readonly best: { readonly epoch: number; readonly figure: TabularFigure };
  readonly seconds: number;
}

/** After the last member. */
export interface TabularEndEvent {
  readonly kind: "end";
  readonly step: number;
  readonly reason: EndReason;
  /** Of the rows that were held out, by the members that had not seen them. */
  readonly score: Measures;
  readonly seconds: number;
}

/** An event of a run: plain data. */
export type TabularEvent =
  | TabularStageEvent
  | TabularStartEvent
  | TabularExpectedEvent
  | TabularStepEvent
  | TabularEpochEvent
  | TabularMemberEvent
  | TabularEndEvent;

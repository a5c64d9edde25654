import type { Affine } from "../../data/transform.js";
import { CarillonError } from "../../errors.js";
import type { Part } from "../../io/part.js";
import type { State } from "../../io/state.js";
import { checkString, type NumberRange } from "../../options.js";
import type { Ending } from "../losses/ending.js";
import { type Loss, toldShape } from "../losses/loss.js";

/** Weights of examples by actual class (rows) and predicted class (columns). */
export type ConfusionMatrix = readonly (readonly number[])[];

/** Result of a metric. */
export type MetricValue = number | ConfusionMatrix;

/** Examples as a metric sees them, one batch or several. */
export interface MetricRows {
  readonly rows: number;
  /** Values of one output. */
  readonly columns: number;
  /** Numbers of one target: as many, or 1 for classes, where the loss does not say otherwise. */
  readonly targetColumns: number;
  /** [rows, columns], as the network gives them: logits where the loss takes logits. */
  readonly outputs: Float32Array | Float64Array;
  /** [rows] classes, or [rows, targetColumns] numbers, as the loss takes them. */
  readonly targets: Int32Array | Float32Array | Float64Array;
  /** [rows]; 1 where the data has no weights. */
  readonly weights: Float32Array;
}

/** The set that a metric measures. */
export interface MetricSet {
  /** Names the option in errors. */
  readonly where: string;
  readonly loss: Loss;
  /** Rows that an example is to metrics: its steps, where each has a class, or the example has a length; else 1. */
  readonly places: number;
  /** Columns of the outputs. */
  readonly outputs: number;
  /** Columns of the targets: 1 for classes. */
  readonly targets: number;
  /** The kind of probabilities that the outputs are already, if they are some. */
  readonly ending?: Ending | undefined;
  /** Change of units of the targets: rows are in the units of the network, `value·scale + shift` is in those of the data. */
  readonly units?: Affine | undefined;
}

/** `ERR_OPTION` where there is another number of outputs than of targets, or of classes: metrics that compare the two make no sense of them. */
export function expectAlike(name: string, { where, loss, outputs, targets }: MetricSet): void {
  const classes = loss.target === "classes" ? toldShape(loss, [outputs]).at(-1) : targets;
  if (classes === outputs) return;
  const expected = `expected a loss of as many targets as outputs for the metric '${name}' of '${where}'`;
  throw new CarillonError("ERR_OPTION", where, `${expected} but received ${loss.kind ?? "another one"}`);
}

/** Takes in a set, part by part, and gives the figure of the whole. */
export interface Accumulator {
  add(rows: MetricRows): void;
  result(): MetricValue | Promise<MetricValue>;
  /** The state that a resumed run goes on from in the middle of an epoch. */
  state(): State;
  restore(state: State): void;
  /**
   * `ERR_FILE` for a state that {@link state} does not give over examples that weigh `weight`. A metric of one's own has what it likes.
   *
   * @internal
   */
  check?(state: Part, weight: number): void;
}

/**
 * A figure over a whole set, besides the loss: exact, never a mean of the figures of batches. Made by `topK`, `precision`,
 * `recall`, `f1`, `defineMetric`; the others are named by strings.
 */
export interface Metric<N extends string = string> {
  readonly name: N;
  /** For one set; `ERR_OPTION` where it makes no sense for the loss. @internal */
  begin(set: MetricSet): Accumulator;
  /** Where its figure lies, besides NaN; that of a matrix is one of its elements. Any number where it does not say. @internal */
  readonly range?: NumberRange | undefined;
  /** Whether its figure is a matrix of so many classes. @internal */
  readonly isMatrix?: boolean | undefined;
}

/** Ranges of figures. */
export const SHARE: NumberRange = { min: 0, max: 1 };
export const POSITIVE: NumberRange = { min: 0 };

/** Names that figures of events have already. */
const RESERVED = ["loss", "dataLoss", "penalty", "validation"];

/** `name` as the key of a figure; else `ERR_OPTION`. */
export function checkMetricName<N extends string>(where: string, name: N): N {
  checkString(where, name);
  if (!RESERVED.includes(name) && !name.includes(".")) return name;
  throw new CarillonError("ERR_OPTION", where, `expected another name for '${where}': '${name}' has a meaning already`);
}

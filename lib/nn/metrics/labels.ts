import { CarillonError } from "../../errors.js";
import { exp } from "../../tensor/exact.js";
import type { Ending } from "../losses/ending.js";
import { expectAlike, type MetricRows, type MetricSet } from "./metric.js";

/** No class: an output is NaN. */
const NONE = -1;

/** Place of the largest of `columns` values from `offset` on, the first among equals; −1 if one is NaN. */
export function largest(values: ArrayLike<number>, offset: number, columns: number): number {
  let best = 0;
  for (let column = 0; column < columns; column++) {
    const value = values[offset + column] ?? 0;
    if (Number.isNaN(value)) return NONE;
    if (value > (values[offset + best] ?? 0)) best = column;
  }
  return best;
}

/** How many of `columns` values from `offset` on stand before that of `column`: larger ones, and equal ones behind it; NaN if one is. */
export function standBefore(values: ArrayLike<number>, offset: number, columns: number, column: number): number {
  const own = values[offset + column] ?? 0;
  let count = 0;
  for (let other = 0; other < columns; other++) {
    const value = values[offset + other] ?? 0;
    if (Number.isNaN(value)) return Number.NaN;
    if (value > own || (value === own && other > column)) count += 1;
  }
  return count;
}

/** How outputs and targets of a classification say what class an example is. */
export interface Labels {
  /** `'classes'`: one of several; `'binary'`: one column says yes or no; `'multilabel'`: every column does. */
  readonly kind: "classes" | "binary" | "multilabel";
  /** Classes, or columns of a multilabel set. */
  readonly count: number;
  /** The kind of probabilities that the outputs are already, if they are some. */
  readonly ending: Ending | undefined;
  /** The class, 0 or 1 where it is binary; of a multilabel set: whether this column is set. */
  actual(rows: MetricRows, row: number, column: number): number;
  /** The same of the prediction; −1 where an output is NaN: that is nobody's class. */
  predicted(rows: MetricRows, row: number, column: number): number;
  /** The probability of class 1 of two, or of the label of a column, in double. */
  chance(rows: MetricRows, row: number, column: number): number;
}

const HALF = 0.5;

/** σ(x) in double. */
function sigmoid(x: number): number {
  return 1 / (1 + exp(-x));
}

/** Threshold of an output, beyond which a class is the likelier one: 0 for logits, ½ for probabilities, ln ½ for their logarithms. */
function middleOf(ending: Ending | undefined): number {
  if (ending === "logSoftmax") return -Math.LN2;
  return ending === undefined ? 0 : HALF;
}

/** The probability that one output says: σ of a logit. */
function chanceOfOne(output: number, ending: Ending | undefined): number {
  if (ending === "logSoftmax") return exp(output);
  return ending === undefined ? sigmoid(output) : output;
}

/** A target of `least` or more says yes: a probability of ½, or a sign. */
function columnLabels(outputs: number, least: number, ending: Ending | undefined): Labels {
  const middle = middleOf(ending);
  return {
    kind: outputs === 1 ? "binary" : "multilabel",
    count: outputs === 1 ? 2 : outputs,
    ending,
    actual: ({ targets, columns }, row, column) => ((targets[row * columns + column] ?? 0) >= least ? 1 : 0),
    predicted({ outputs: values, columns }, row, column) {
      const value = values[row * columns + column] ?? 0;
      if (Number.isNaN(value)) return NONE;
      return value > middle ? 1 : 0;
    },
    chance: ({ outputs: values, columns }, row, column) => chanceOfOne(values[row * columns + column] ?? 0, ending),
  };
}

/** Labels of one class of several: the largest output, the first among equals. */
function classLabels(count: number, ending: Ending | undefined, actual: Labels["actual"]): Labels {
  return {
    kind: "classes",
    count,
    ending,
    actual,
    predicted: ({ outputs, columns }, row) => largest(outputs, row * columns, columns),
    chance({ outputs, columns }, row) {
      const second = outputs[row * columns + 1] ?? 0;
      if (ending !== undefined) return chanceOfOne(second, ending);
      return sigmoid(second - (outputs[row * columns] ?? 0));
    },
  };
}

/** `ERR_OPTION` where no output is a probability. */
export function expectChances(where: string, { loss }: MetricSet): void {
  if (loss.target !== "signs") return;
  const received = loss.kind ?? "one of signs";
  throw new CarillonError(
    "ERR_OPTION",
    where,
    `expected a loss of probabilities for '${where}' but received ${received}`,
  );
}

/** `ERR_OPTION` unless there are two classes. */
export function expectTwo(where: string, labels: Labels): void {
  if (labels.count === 2 && labels.kind !== "multilabel") return;
  const received = `${labels.count} ${labels.kind === "multilabel" ? "labels" : "classes"}`;
  throw new CarillonError("ERR_OPTION", where, `expected two classes for '${where}' but received ${received}`);
}

/**
 * Labels whose prediction is class 1 where its probability, of the sigmoid or of softmax, is above `threshold`; `ERR_OPTION` where
 * no output is a probability or there are more than two classes.
 */
export function labelsAbove(where: string, labels: Labels, set: MetricSet, threshold: number): Labels {
  expectChances(where, set);
  if (labels.kind !== "multilabel") expectTwo(where, labels);
  const predicted: Labels["predicted"] = (rows, row, column) => {
    const chance = labels.chance(rows, row, column);
    if (Number.isNaN(chance)) return NONE;
    return chance > threshold ? 1 : 0;
  };
  return { ...labels, predicted };
}

/**
 * Labels of a set: one of several classes, or a column that says yes or no, for each of several outputs where the loss is
 * binary cross-entropy or the network ends in sigmoids. `ERR_OPTION` if the loss is none of classification.
 */
export function labelsOf(metric: string, set: MetricSet): Labels {
  const { where, loss, outputs, ending } = set;
  if (loss.target !== undefined && loss.target !== "values") expectAlike(metric, set);
  if (loss.target === "classes") return classLabels(outputs, ending, ({ targets }, row) => targets[row] ?? 0);
  if (loss.target === "signs") return columnLabels(outputs, 0, undefined);
  if (loss.target === "probabilities") {
    const apart = loss.kind === "binaryCrossEntropy" || loss.kind === "binaryFocal" || ending === "sigmoid";
    if (outputs === 1 || apart) return columnLabels(outputs, HALF, ending);
    return classLabels(outputs, ending, ({ targets, columns }, row) => largest(targets, row * columns, columns));
  }
  const problem = `expected a classification loss for the metric '${metric}' of '${where}'`;
  throw new CarillonError("ERR_OPTION", where, problem);
}

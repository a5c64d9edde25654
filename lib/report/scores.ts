// The measures of a report, for rows that are drawn again and again.
import { largestAt } from "../tabular/measures.js";
import { logLosses } from "./calibration.js";

/** Answers of one target beside what is true. */
export type Told =
  | { readonly classes: number; readonly chances: Float64Array; readonly actual: Int32Array }
  | { readonly classes: undefined; readonly values: Float64Array; readonly actual: Float64Array };

/** A measure of the rows of these numbers, each of which may stand there several times. */
export interface RowScore {
  readonly measure: string;
  readonly best: "high" | "low";
  of(rows: ArrayLike<number>): number;
}

function meanOver(rows: ArrayLike<number>, of: (row: number) => number): number {
  let sum = 0;
  for (let at = 0; at < rows.length; at++) sum += of(rows[at] ?? 0);
  return sum / rows.length;
}

/** Area under the ROC curve of drawn rows: places of the scores are known beforehand, so that a draw is counted and not sorted. */
function areaOf(scores: Float64Array, actual: Int32Array): RowScore["of"] {
  const different = Float64Array.from(new Set(scores)).sort();
  const places = new Map(Array.from(different, (score, place) => [score, place]));
  const place = Uint32Array.from(scores, (score) => places.get(score) ?? 0);
  const yes = new Float64Array(different.length);
  const no = new Float64Array(different.length);
  return (rows) => {
    yes.fill(0);
    no.fill(0);
    for (let at = 0; at < rows.length; at++) {
      const row = rows[at] ?? 0;
      const counts = actual[row] === 1 ? yes : no;
      const own = place[row] ?? 0;
      counts[own] = (counts[own] ?? 0) + 1;
    }
    let [area, positives, negatives] = [0, 0, 0];
    for (let at = 0; at < yes.length; at++) {
      area += (yes[at] ?? 0) * (negatives + (no[at] ?? 0) / 2);
      positives += yes[at] ?? 0;
      negatives += no[at] ?? 0;
    }
    return area / (positives * negatives); // NaN of a draw with one class
  };
}

/** Mean F1 of the classes that occur or are predicted. */
function macroF1(predicted: Int32Array, actual: Int32Array, classes: number): RowScore["of"] {
  const counts = new Float64Array(3 * classes);
  return (rows) => {
    counts.fill(0);
    for (let at = 0; at < rows.length; at++) {
      const [label, said] = [actual[rows[at] ?? 0] ?? 0, predicted[rows[at] ?? 0] ?? 0];
      if (label === said) counts[3 * label] = (counts[3 * label] ?? 0) + 1;
      counts[3 * label + 1] = (counts[3 * label + 1] ?? 0) + 1;
      counts[3 * said + 2] = (counts[3 * said + 2] ?? 0) + 1;
    }
    let [sum, found] = [0, 0];
    for (let label = 0; label < classes; label++) {
      const both = (counts[3 * label + 1] ?? 0) + (counts[3 * label + 2] ?? 0);
      if (both === 0) continue;
      found += 1;
      sum += (2 * (counts[3 * label] ?? 0)) / both;
    }
    return sum / found;
  };
}

/** What is said of each row: the likeliest class. */
export function predictedOf(chances: Float64Array, classes: number): Int32Array {
  return Int32Array.from({ length: chances.length / classes }, (_, row) => largestAt(chances, row * classes, classes));
}

/** Errors of rows: −ln p of the class, or the distance of the value. */
export function errorsOf(told: Told): Float64Array {
  if (told.classes === undefined) return told.values.map((value, row) => Math.abs(value - (told.actual[row] ?? 0)));
  const { classes, chances, actual } = told;
  return logLosses({ rows: actual.length, classes, data: chances, ofOne: false }, actual);
}

/** The measures of a target, the most telling one first. */
export function scoresOf(told: Told): readonly RowScore[] {
  if (told.classes === undefined) return valueScores(told.values, told.actual);
  const { classes, chances, actual } = told;
  const losses = errorsOf(told);
  const predicted = predictedOf(chances, classes);
  const accuracy: RowScore = {
    measure: "accuracy",
    best: "high",
    of: (rows) => meanOver(rows, (row) => (predicted[row] === actual[row] ? 1 : 0)),
  };
  const logLoss: RowScore = {
    measure: "log loss",
    best: "low",
    of: (rows) => meanOver(rows, (row) => losses[row] ?? 0),
  };
  if (classes === 2) {
    const scores = actual.length === 0 ? chances : Float64Array.from(actual, (_, row) => chances[2 * row + 1] ?? 0);
    return [{ measure: "AUC", best: "high", of: areaOf(scores, actual) }, accuracy, logLoss];
  }
  return [accuracy, { measure: "macro F1", best: "high", of: macroF1(predicted, actual, classes) }, logLoss];
}

function valueScores(values: Float64Array, actual: Float64Array): readonly RowScore[] {
  const apart = values.map((value, row) => value - (actual[row] ?? 0));
  const square = (value: number): number => value * value;
  const squares = (rows: ArrayLike<number>): number => meanOver(rows, (row) => square(apart[row] ?? 0));
  return [
    { measure: "RMSE", best: "low", of: (rows) => Math.sqrt(squares(rows)) },
    { measure: "mean absolute error", best: "low", of: (rows) => meanOver(rows, (row) => Math.abs(apart[row] ?? 0)) },
    {
      measure: "R²",
      best: "high",
      of(rows) {
        const mean = meanOver(rows, (row) => actual[row] ?? 0);
        return 1 - squares(rows) / meanOver(rows, (row) => square((actual[row] ?? 0) - mean));
      },
    },
  ];
}

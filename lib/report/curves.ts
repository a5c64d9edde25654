import { fail } from "../errors.js";
import { bestOf, type ThresholdOptions, worthOf } from "../nn/metrics/curves.js";
import { type Curve, totalsOf, walk } from "../nn/metrics/scores.js";
import { checkKeys } from "../options.js";
import { type ClassProbabilities, chancesOf, chancesOfOne, classesOf } from "./chances.js";

/** Recall over the share of class 0 that is taken for class 1. Points by falling threshold, from (0, 0) to (1, 1). */
export interface RocCurve {
  /** Class 1 is predicted from this probability on; that of the first point is infinite. */
  readonly thresholds: Float64Array;
  readonly falsePositives: Float64Array;
  readonly truePositives: Float64Array;
  /** Area under it: the share of the pairs of a row of class 1 and one of class 0 that are in the right order. */
  readonly area: number;
}

/** Precision over recall. Points by falling threshold. */
export interface PrecisionRecallCurve {
  /** Class 1 is predicted from this probability on. */
  readonly thresholds: Float64Array;
  readonly precision: Float64Array;
  readonly recall: Float64Array;
  /** Area in steps, Σ (Rₙ − Rₙ₋₁)·Pₙ. */
  readonly averagePrecision: number;
}

/** A curve of rows of two classes that both occur. */
function curveOf(where: string, probabilities: unknown, actual: unknown): Curve {
  const chances = chancesOf(`${where}.probabilities`, probabilities);
  const labels = classesOf(`${where}.actual`, actual, chances.rows, chances.classes);
  const scores = chancesOfOne(`${where}.probabilities`, chances);
  const weights = new Float64Array(labels.length).fill(1);
  const curve: Curve = { scores, weights, isPositive: (row) => labels[row] === 1 };
  const { positives, negatives } = totalsOf(curve);
  if (positives === 0 || negatives === 0)
    fail("ERR_DATA", `${where}.actual`, "rows of both classes", `${positives} of class 1 among ${labels.length}`);
  return curve;
}

/** Counts of rows from each threshold on, by falling threshold. */
async function counted(curve: Curve) {
  const groups: { readonly score: number; readonly yes: number; readonly no: number }[] = [];
  await walk(curve, (group) => groups.push(group));
  let [hits, wrong] = [0, 0];
  return groups.reverse().map(({ score, yes, no }) => {
    hits += yes;
    wrong += no;
    return { score, hits, wrong };
  });
}

/**
 * The ROC curve of class 1, with a point for every probability that occurs, and its area: scikit-learn's `roc_curve` with `drop_intermediate=False`.
 * `ERR_DATA` where one of the classes has no row.
 */
export async function rocCurve(probabilities: ClassProbabilities, actual: ArrayLike<number>): Promise<RocCurve> {
  const curve = curveOf("rocCurve", probabilities, actual);
  const { positives, negatives } = totalsOf(curve);
  const points = [{ score: Number.POSITIVE_INFINITY, hits: 0, wrong: 0 }, ...(await counted(curve))];
  const falsePositives = Float64Array.from(points, ({ wrong }) => wrong / negatives);
  const truePositives = Float64Array.from(points, ({ hits }) => hits / positives);
  let twice = 0;
  points.forEach(({ hits, wrong }, at) => {
    const before = points[at - 1];
    if (before !== undefined) twice += (wrong - before.wrong) * (hits + before.hits);
  });
  const area = twice / (2 * positives * negatives);
  return { thresholds: Float64Array.from(points, ({ score }) => score), falsePositives, truePositives, area };
}

/** Precision and recall of class 1 for every probability that occurs. `ERR_DATA` where one of the classes has no row. */
export async function precisionRecallCurve(
  probabilities: ClassProbabilities,
  actual: ArrayLike<number>,
): Promise<PrecisionRecallCurve> {
  const curve = curveOf("precisionRecallCurve", probabilities, actual);
  const { positives } = totalsOf(curve);
  const points = await counted(curve);
  const precision = Float64Array.from(points, ({ hits, wrong }) => hits / (hits + wrong));
  const recall = Float64Array.from(points, ({ hits }) => hits / positives);
  let averagePrecision = 0;
  recall.forEach((own, at) => {
    averagePrecision += (own - (recall[at - 1] ?? 0)) * (precision[at] ?? 0);
  });
  return { thresholds: Float64Array.from(points, ({ score }) => score), precision, recall, averagePrecision };
}

/** Options of {@link chooseThreshold}. */
export type ChoiceOptions = Omit<ThresholdOptions, "name">;

/** A threshold, and what comes of it on the rows that it was chosen on. */
export interface ChosenThreshold {
  /** Class 1 is predicted where its probability is above this. */
  readonly threshold: number;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** Rows of class 1 that are found, of class 0 that are taken for it, of class 1 that are missed. */
  readonly hits: number;
  readonly wrong: number;
  readonly missed: number;
}

/**
 * The probability above which class 1 is best predicted, as the metric `bestThreshold` finds it, and what comes of it: of the highest F1, of Youden's index, of the lowest
 * cost, or of the highest recall at a precision and the reverse. Choose it on rows that the model was not trained on. `ERR_DATA` where one of the classes has no row, or no threshold reaches
 * what is asked.
 *
 * @example
 * const { threshold, recall } = await chooseThreshold(probabilities, classes, { by: { precision: 0.9 } });
 */
export async function chooseThreshold(
  probabilities: ClassProbabilities,
  actual: ArrayLike<number>,
  options: ChoiceOptions = {},
): Promise<ChosenThreshold> {
  checkKeys("chooseThreshold", options, ["by"]);
  const worth = worthOf("chooseThreshold", options.by);
  const curve = curveOf("chooseThreshold", probabilities, actual);
  const threshold = await bestOf(curve, worth);
  if (Number.isNaN(threshold))
    fail("ERR_DATA", "chooseThreshold.by", "what some threshold reaches", JSON.stringify(options.by));
  let [hits, wrong, missed] = [0, 0, 0];
  for (let row = 0; row < curve.scores.length; row++) {
    const predicted = (curve.scores[row] ?? 0) > threshold;
    if (predicted && curve.isPositive(row)) hits += 1;
    else if (predicted) wrong += 1;
    else if (curve.isPositive(row)) missed += 1;
  }
  const precision = hits + wrong === 0 ? 0 : hits / (hits + wrong);
  const f1 = (2 * hits) / (2 * hits + wrong + missed);
  return { threshold, precision, recall: hits / (hits + missed), f1, hits, wrong, missed };
}

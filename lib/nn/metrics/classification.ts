import { madeBy } from "../../described.js";
import { CarillonError } from "../../errors.js";
import { checkKeys, checkNumber, checkOneOf } from "../../options.js";
import { type Labels, labelsAbove, labelsOf, standBefore } from "./labels.js";
import {
  type Accumulator,
  checkMetricName,
  type Metric,
  type MetricRows,
  type MetricSet,
  POSITIVE,
  SHARE,
} from "./metric.js";
import { increase, summing } from "./sums.js";

/** Share of the weight for which `holds`. */
function shareWhere(holds: (rows: MetricRows, row: number) => boolean): Accumulator {
  return summing(
    2,
    (sums, rows) => {
      for (let row = 0; row < rows.rows; row++) {
        const weight = rows.weights[row] ?? 0;
        increase(sums, 0, holds(rows, row) ? weight : 0);
        increase(sums, 1, weight);
      }
    },
    ([right = 0, all = 0]) => right / all,
    () => "weights",
  );
}

/**
 * Σ w over the examples whose class is predicted, over Σ w. Of several labels an example, all must be right, as in
 * scikit-learn's `accuracy_score`. An example with an output that is NaN has missed.
 */
export const accuracy: Metric<"accuracy"> = {
  name: "accuracy",
  range: SHARE,
  begin: (set) => shareWhere(isRight("accuracy", set)),
};

/** 1 − {@link accuracy}, counted by itself: Σ w over the examples whose class is not predicted, over Σ w. scikit-learn's `zero_one_loss`. */
export const classError: Metric<"classError"> = {
  name: "classError",
  range: SHARE,
  begin(set) {
    const right = isRight("classError", set);
    return shareWhere((rows, row) => !right(rows, row));
  },
};

/** Whether the class of a row is predicted, or all of its labels. */
function isRight(name: string, set: MetricSet): (rows: MetricRows, row: number) => boolean {
  const labels = labelsOf(name, set);
  const columns = labels.kind === "multilabel" ? labels.count : 1;
  return (rows, row) => {
    for (let column = 0; column < columns; column++) {
      if (labels.actual(rows, row, column) !== labels.predicted(rows, row, column)) return false;
    }
    return true;
  };
}

/**
 * Share of the weight whose class is among the `k` largest outputs. Of equal outputs the later class stands first, as in
 * scikit-learn's `top_k_accuracy_score`. Its name is `top5` for `topK(5)`. An example with an output that is NaN has missed.
 *
 * `ERR_OPTION`: k is no integer ≥ 1, more than the classes, or the loss is none of several classes.
 */
export function topK<const K extends number>(k: K): Metric<`top${K}`> {
  checkNumber("topK.k", k, { min: 1, integer: true });
  const name = `top${k}` as const;
  const metric: Metric<`top${K}`> = {
    name,
    range: SHARE,
    begin(set: MetricSet): Accumulator {
      const labels = labelsOf(name, set);
      expectClasses(name, labels, set);
      checkNumber(`${set.where}.${name}`, k, { max: labels.count });
      return shareWhere((rows, row) => {
        const { outputs, columns } = rows;
        const label = labels.actual(rows, row, 0);
        return standBefore(outputs, row * columns, columns, label) < k;
      });
    },
  };
  return madeBy("topK", { k }, Object.freeze(metric));
}

function expectClasses(name: string, labels: Labels, { where }: MetricSet): void {
  if (labels.kind === "classes") return;
  const problem = `expected a loss of several classes for the metric '${name}' of '${where}'`;
  throw new CarillonError("ERR_OPTION", where, problem);
}

/**
 * Σ w by actual class (rows) and predicted class (columns), as scikit-learn's `confusion_matrix`. An example with an output that
 * is NaN stands in no column.
 */
export const confusionMatrix: Metric<"confusionMatrix"> = {
  name: "confusionMatrix",
  range: POSITIVE,
  isMatrix: true,
  begin(set) {
    const labels = labelsOf("confusionMatrix", set);
    const { count } = labels;
    if (labels.kind === "multilabel") expectClasses("confusionMatrix", labels, set);
    return summing(
      count * count,
      (sums, rows) => {
        for (let row = 0; row < rows.rows; row++) {
          const predicted = labels.predicted(rows, row, 0);
          if (predicted < 0) continue;
          increase(sums, labels.actual(rows, row, 0) * count + predicted, rows.weights[row] ?? 0);
        }
      },
      (sums) => Array.from({ length: count }, (_, row) => Array.from(sums.subarray(row * count, (row + 1) * count))),
      () => "weights",
    );
  },
};

const AVERAGES = ["binary", "macro", "weighted", "micro"] as const;
type Average = (typeof AVERAGES)[number];

/** Options of `precision`, `recall` and `f1`. */
export interface AverageOptions {
  /**
   * `'binary'`: of class 1, the default where there are two classes; `'macro'`: the mean over the classes that occur, as
   * actual or as predicted ones, or over all labels of a multilabel set, the default elsewhere; `'weighted'`: the mean weighted by
   * the examples of each class; `'micro'`: of all classes' examples together.
   */
  readonly average?: Average | undefined;
  /**
   * Predicts class 1, or a label of a multilabel set, where its probability is above this, in [0, 1]; ½ by default, which is a logit
   * above 0. Of several classes there is none: `ERR_OPTION`.
   */
  readonly threshold?: number | undefined;
  /** Key in events, if the same metric is wanted twice. */
  readonly name?: string | undefined;
}

/** Options without a name, and with one. */
type Unnamed = AverageOptions & { readonly name?: undefined };
type Named<N extends string> = AverageOptions & { readonly name: N };

/** Sums of weights of one class: predicted rightly, predicted wrongly, missed, and whether it occurs. */
interface Counts {
  readonly hits: number;
  readonly wrong: number;
  readonly missed: number;
  readonly occurs: boolean;
}

const COUNTS = 4;

/** 0 where nothing was there to be counted, as in scikit-learn. */
function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

function countsOf(sums: Float64Array, index: number): Counts {
  const [hits = 0, wrong = 0, missed = 0, occurs = 0] = sums.subarray(index * COUNTS, (index + 1) * COUNTS);
  return { hits, wrong, missed, occurs: occurs > 0 };
}

/** Notes one decision: whether class `index` was meant and whether it was predicted. */
function note(sums: Float64Array, index: number, actual: boolean, predicted: boolean, weight: number): void {
  if (!(actual || predicted)) return;
  const which = actual && predicted ? 0 : predicted ? 1 : 2;
  increase(sums, index * COUNTS + which, weight);
  sums[index * COUNTS + COUNTS - 1] = 1;
}

/** Behind the counts stands what was weighed without a prediction, because an output is NaN. */
function countInto(sums: Float64Array, labels: Labels, rows: MetricRows): void {
  const untold = labels.count * COUNTS;
  for (let row = 0; row < rows.rows; row++) {
    const weight = rows.weights[row] ?? 0;
    if (labels.kind === "multilabel") {
      for (let column = 0; column < labels.count; column++) {
        const actual = labels.actual(rows, row, column) === 1;
        const predicted = labels.predicted(rows, row, column);
        if (predicted < 0) increase(sums, untold, weight);
        else note(sums, column, actual, predicted === 1, weight);
      }
      continue;
    }
    const actual = labels.actual(rows, row, 0);
    const predicted = labels.predicted(rows, row, 0);
    if (predicted < 0) {
      increase(sums, untold, weight);
      continue;
    }
    note(sums, actual, true, predicted === actual, weight);
    if (predicted !== actual) note(sums, predicted, false, true, weight);
  }
}

function averaged(sums: Float64Array, labels: Labels, average: Average, score: (counts: Counts) => number): number {
  if ((sums[labels.count * COUNTS] ?? 0) > 0) return Number.NaN;
  if (average === "binary") return score(countsOf(sums, 1));
  const classes = Array.from({ length: labels.count }, (_, index) => countsOf(sums, index));
  if (average === "micro") {
    const total = (key: "hits" | "wrong" | "missed"): number => classes.reduce((sum, counts) => sum + counts[key], 0);
    return score({ hits: total("hits"), wrong: total("wrong"), missed: total("missed"), occurs: true });
  }
  if (average === "weighted") {
    const examples = classes.map(({ hits, missed }) => hits + missed);
    const sum = classes.reduce((total, counts, index) => total + (examples[index] ?? 0) * score(counts), 0);
    return ratio(
      sum,
      examples.reduce((total, count) => total + count, 0),
    );
  }
  const counted = labels.kind === "multilabel" ? classes : classes.filter(({ occurs }) => occurs);
  return counted.reduce((sum, counts) => sum + score(counts), 0) / counted.length;
}

function averagedMetric(kind: string, options: AverageOptions, score: (counts: Counts) => number): Metric {
  checkKeys(kind, options, ["average", "threshold", "name"]);
  const { average, threshold, name = kind } = options;
  if (average !== undefined) checkOneOf(`${kind}.average`, average, AVERAGES);
  if (threshold !== undefined) checkNumber(`${kind}.threshold`, threshold, { min: 0, max: 1 });
  const metric: Metric = {
    name: checkMetricName(`${kind}.name`, name),
    range: SHARE,
    begin(set: MetricSet): Accumulator {
      const usual = labelsOf(name, set);
      const labels = threshold === undefined ? usual : labelsAbove(`${kind}.threshold`, usual, set, threshold);
      const two = labels.count === 2 && labels.kind !== "multilabel";
      if (average === "binary" && !two) {
        const problem = `expected 'macro', 'weighted' or 'micro' for '${kind}.average', as there are ${labels.count} classes`;
        throw new CarillonError("ERR_OPTION", `${kind}.average`, problem);
      }
      const used = average ?? (two ? "binary" : "macro");
      return summing(
        labels.count * COUNTS + 1,
        (sums, rows) => countInto(sums, labels, rows),
        (sums) => averaged(sums, labels, used, score),
        (place) => (place === labels.count * COUNTS ? "figures" : place % COUNTS === COUNTS - 1 ? "mark" : "weights"),
      );
    },
  };
  return madeBy(kind, { average, threshold, name }, Object.freeze(metric));
}

/**
 * hits/(hits + wrong): the share of what was predicted that is so. 0 where nothing was predicted. Sums of weights, as
 * scikit-learn's `precision_score`. A single output predicts class 1 where it is above 0 (a probability above ½). NaN, as
 * `recall` and `f1` are, if an output is NaN.
 */
export function precision(options?: Unnamed): Metric<"precision">;
export function precision<const N extends string>(options: Named<N>): Metric<N>;
export function precision(options: AverageOptions = {}): Metric {
  return averagedMetric("precision", options, ({ hits, wrong }) => ratio(hits, hits + wrong));
}

/** hits/(hits + missed): the share of what is so that was predicted. 0 where nothing is. scikit-learn's `recall_score`. */
export function recall(options?: Unnamed): Metric<"recall">;
export function recall<const N extends string>(options: Named<N>): Metric<N>;
export function recall(options: AverageOptions = {}): Metric {
  return averagedMetric("recall", options, ({ hits, missed }) => ratio(hits, hits + missed));
}

/** 2·hits/(2·hits + wrong + missed), the harmonic mean of precision and recall. scikit-learn's `f1_score`. */
export function f1(options?: Unnamed): Metric<"f1">;
export function f1<const N extends string>(options: Named<N>): Metric<N>;
export function f1(options: AverageOptions = {}): Metric {
  return averagedMetric("f1", options, ({ hits, wrong, missed }) => ratio(2 * hits, 2 * hits + wrong + missed));
}

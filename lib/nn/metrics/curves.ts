import { checkKeys, checkNumber, checkOneOf } from "../../options.js";
import { expectChances, expectTwo, labelsOf } from "./labels.js";
import { type Accumulator, checkMetricName, type Metric, type MetricSet, SHARE } from "./metric.js";
import { type Curve, Scores, totalsOf, walk } from "./scores.js";

/** Keeps the scores of a set; the figure is the mean over its curves, without those that have none (NaN). */
function overCurves(scores: Scores, figure: (curve: Curve) => Promise<number>): Accumulator {
  return {
    add: (rows) => scores.add(rows),
    async result() {
      const known: number[] = [];
      for (const curve of scores.curves() ?? []) {
        const one = await figure(curve);
        if (!Number.isNaN(one)) known.push(one);
      }
      return known.reduce((sum, one) => sum + one, 0) / known.length;
    },
    state: () => scores.state(),
    check: (state, weight) => scores.check(state, weight),
    restore: (state) => scores.restore(state),
  };
}

/** The share of the pairs of a positive and another example that are in the right order, half of those with equal scores. */
async function areaUnder(curve: Curve): Promise<number> {
  let area = 0;
  let negatives = 0;
  let positives = 0;
  await walk(curve, ({ yes, no }) => {
    area += yes * (negatives + no / 2);
    positives += yes;
    negatives += no;
  });
  return area / (positives * negatives);
}

/**
 * Area under the ROC curve, exact, equal scores counted half, as scikit-learn's `roc_auc_score`. One output, or two
 * classes: of class 1. More classes: the mean of every class against the rest, in the order of the softmax probabilities in float64;
 * several labels: the mean over the labels. Those without positive or without negative examples are left out; NaN if none is left,
 * or an output is NaN.
 */
export const auc: Metric<"auc"> = {
  name: "auc",
  range: SHARE,
  begin: (set) => overCurves(new Scores(labelsOf("auc", set)), areaUnder),
};

/** Σ over the scores of (gain of recall)·(precision of what has the score or more). */
async function precisionUnder(curve: Curve): Promise<number> {
  const { positives, negatives } = totalsOf(curve);
  let hits = positives;
  let wrong = negatives;
  let area = 0;
  await walk(curve, ({ yes, no }) => {
    if (yes > 0) area += (yes / positives) * (hits / (hits + wrong));
    hits -= yes;
    wrong -= no;
  });
  return positives === 0 ? Number.NaN : area;
}

/**
 * Average precision, the area under the curve of precision over recall as steps: Σ (Rₙ − Rₙ₋₁)·Pₙ over the falling scores,
 * scikit-learn's `average_precision_score`. One output, or two classes: of class 1. More classes: the mean of every class against
 * the rest; several labels: the mean over the labels. Those without positive examples are left out; NaN if none is left, or
 * an output is NaN.
 */
export const averagePrecision: Metric<"averagePrecision"> = {
  name: "averagePrecision",
  range: SHARE,
  begin: (set) => overCurves(new Scores(labelsOf("averagePrecision", set)), precisionUnder),
};

/** Cost of a wrong answer for an example of either class. */
export interface ThresholdCosts {
  /** Of an example of class 0 that is predicted as class 1, ≥ 0. */
  readonly wrong: number;
  /** Of an example of class 1 that is predicted as class 0, ≥ 0. */
  readonly missed: number;
}

/** Options of {@link bestThreshold}. */
export interface ThresholdOptions {
  /**
   * The threshold that is sought: of the highest `'f1'` (the default); of the highest `'youden'`, the share of class 1 that is predicted less the
   * share of class 0 that is taken for it; or the lowest sum of costs. `{ precision: 0.9 }` is that of the highest recall whose precision is 0.9 or more, `{ recall: 0.9 }`
   * the reverse.
   */
  readonly by?:
    | "f1"
    | "youden"
    | ThresholdCosts
    | { readonly precision: number }
    | { readonly recall: number }
    | undefined;
  /** Key in events, if several are wanted. */
  readonly name?: string | undefined;
}

/** How good it is to predict class 1 for these: Σ w predicted rightly, wrongly, and the totals. */
type Worth = (hits: number, wrong: number, totals: ReturnType<typeof totalsOf>) => number;

/** Of what does not reach what is asked: it is never the best. */
const NEVER = Number.NaN;

/** @param where name of the option's owner, for errors */
export function worthOf(where: string, by: ThresholdOptions["by"]): Worth {
  if (typeof by === "object" && by !== null && "precision" in by) {
    checkKeys(`${where}.by`, by, ["precision"]);
    const least = checkNumber(`${where}.by.precision`, by.precision, { above: 0, max: 1 });
    return (hits, wrong) => (hits > 0 && hits >= least * (hits + wrong) ? hits : NEVER);
  }
  if (typeof by === "object" && by !== null && "recall" in by) {
    checkKeys(`${where}.by`, by, ["recall"]);
    const least = checkNumber(`${where}.by.recall`, by.recall, { above: 0, max: 1 });
    return (hits, wrong, { positives }) => (hits >= least * positives ? hits / (hits + wrong) : NEVER);
  }
  if (typeof by === "object") {
    checkKeys(`${where}.by`, by, ["wrong", "missed"]);
    const each = checkNumber(`${where}.by.wrong`, by.wrong, { min: 0 });
    const missed = checkNumber(`${where}.by.missed`, by.missed, { min: 0 });
    return (hits, wrong, { positives }) => -(each * wrong + missed * (positives - hits));
  }
  if (checkOneOf(`${where}.by`, by ?? "f1", ["f1", "youden"]) === "youden") {
    return (hits, wrong, { positives, negatives }) => hits / positives - wrong / negatives;
  }
  return (hits, wrong, { positives }) => (2 * hits) / (hits + wrong + positives);
}

/** A number in [low, high), in the middle if there is one. */
function between(low: number, high: number): number {
  const middle = low + (high - low) / 2;
  return middle < high ? middle : low;
}

/**
 * The threshold of class 1, in the middle between two probabilities of the set; of equally good ones the highest. NaN if there is none:
 * one of the classes has no weight.
 */
export async function bestOf(curve: Curve, worth: Worth): Promise<number> {
  const totals = totalsOf(curve);
  let hits = totals.positives;
  let wrong = totals.negatives;
  let best = Number.NEGATIVE_INFINITY;
  let threshold = Number.NaN;
  let below = 0;
  const consider = (above: number): void => {
    const found = worth(hits, wrong, totals);
    if (!(found >= best)) return;
    best = found;
    threshold = below === 1 ? 1 : between(below, above);
  };
  await walk(curve, ({ score, yes, no }) => {
    consider(score);
    hits -= yes;
    wrong -= no;
    below = score;
  });
  [hits, wrong] = [0, 0]; // nothing is predicted: what is left of the sums is rounding
  consider(1);
  return totals.positives === 0 || totals.negatives === 0 ? Number.NaN : threshold;
}

/** Options without a name, and with one. */
type Unnamed = ThresholdOptions & { readonly name?: undefined };
type Named<N extends string> = ThresholdOptions & { readonly name: N };

/**
 * The probability above which class 1 is best predicted on a set, for `precision({ threshold })` and its like: the best of all
 * thresholds, by F1, Youden's index (Youden 1950) or what errors cost. One output, or two classes, else `ERR_OPTION`. It lies in
 * the middle between two probabilities of the set; of equally good ones it is the highest. NaN where one class has no examples, or
 * an output is NaN. Choose it on validation data: on its own set it flatters.
 *
 * @example
 * const { metrics } = await model.evaluate(validation, { loss, metrics: [bestThreshold({ by: { wrong: 1, missed: 10 } })] });
 * await model.evaluate(test, { loss, metrics: [recall({ threshold: metrics.bestThreshold })] });
 */
export function bestThreshold(options?: Unnamed): Metric<"bestThreshold">;
export function bestThreshold<const N extends string>(options: Named<N>): Metric<N>;
export function bestThreshold(options: ThresholdOptions = {}): Metric {
  checkKeys("bestThreshold", options, ["by", "name"]);
  const worth = worthOf("bestThreshold", options.by);
  const name = checkMetricName("bestThreshold.name", options.name ?? "bestThreshold");
  return Object.freeze({
    name,
    range: SHARE,
    begin(set: MetricSet): Accumulator {
      const labels = labelsOf(name, set);
      expectChances(set.where, set);
      expectTwo(set.where, labels);
      return overCurves(new Scores(labels, true), (curve) => bestOf(curve, worth));
    },
  });
}

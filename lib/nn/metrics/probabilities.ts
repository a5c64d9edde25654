import { madeBy } from "../../described.js";
import { checkKeys, checkNumber } from "../../options.js";
import { isInts } from "../../tensor/arrays.js";
import { exp, log } from "../../tensor/exact.js";
import { expectChances, type Labels, labelsOf, largest } from "./labels.js";
import { type Accumulator, type Metric, type MetricRows, type MetricSet, POSITIVE, SHARE } from "./metric.js";
import { increase, summing } from "./sums.js";

/** Labels of a set whose outputs say probabilities; else `ERR_OPTION`. */
function labelsWithChances(name: string, set: MetricSet): Labels {
  const labels = labelsOf(name, set);
  expectChances(`${set.where}: ${name}`, set);
  return labels;
}

/** Σ w·(figure of an example)/Σ w, without what weighs nothing. */
function meanOf(figure: (rows: MetricRows, row: number) => number): Accumulator {
  return summing(
    2,
    (sums, rows) => {
      for (let row = 0; row < rows.rows; row++) {
        const weight = rows.weights[row] ?? 0;
        if (weight === 0) continue;
        increase(sums, 0, weight * figure(rows, row));
        increase(sums, 1, weight);
      }
    },
    ([sum = 0, all = 0]) => sum / all,
    (place) => (place === 0 ? "figures" : "weights"),
  );
}

/** ln(1 + y), y ≥ 0, with the digits of a small y (Kahan). */
function log1p(y: number): number {
  const sum = 1 + y;
  return sum === 1 ? y : (log(sum) * y) / (sum - 1);
}

/** ln(1 + eˣ) */
function softplus(x: number): number {
  return Math.max(x, 0) + log1p(exp(-Math.abs(x)));
}

/** t·v, 0 for t = 0 whatever v is. */
function share(target: number, value: number): number {
  return target === 0 ? 0 : target * value;
}

/** Target of a class in an example: 1 or 0, or the probability that the target says. */
function targetOf({ targets, columns }: MetricRows, row: number, column: number): number {
  if (isInts(targets)) return targets[row] === column ? 1 : 0;
  return targets[row * columns + column] ?? 0;
}

/** −t·ln p − (1 − t)·ln(1 − p) of one column. */
function binaryLoss(rows: MetricRows, row: number, column: number, labels: Labels): number {
  const target = targetOf(rows, row, column);
  if (labels.ending === undefined) {
    const logit = rows.outputs[row * rows.columns + column] ?? 0;
    return share(target, softplus(-logit)) + share(1 - target, softplus(logit));
  }
  const chance = labels.chance(rows, row, column);
  return -share(target, log(chance)) - share(1 - target, log(1 - chance));
}

/** −Σ t·ln p over the classes of one row. */
function classLoss(rows: MetricRows, row: number, labels: Labels): number {
  const { outputs, columns } = rows;
  const offset = row * columns;
  const top = largest(outputs, offset, columns);
  if (top < 0) return Number.NaN;
  const most = outputs[offset + top] ?? 0;
  let sum = 0;
  for (let column = 0; column < columns; column++)
    sum += column === top ? 0 : exp((outputs[offset + column] ?? 0) - most);
  const spread = log1p(sum);
  let loss = 0;
  for (let column = 0; column < columns; column++) {
    const output = outputs[offset + column] ?? 0;
    const minusLog = labels.ending === undefined ? spread + (most - output) : -logChance(output, labels);
    loss += share(targetOf(rows, row, column), minusLog);
  }
  return loss;
}

function logChance(output: number, { ending }: Labels): number {
  return ending === "logSoftmax" ? output : log(output);
}

/** Mean over the columns of what each gives. */
function meanOver(columns: number, each: (column: number) => number): number {
  let sum = 0;
  for (let column = 0; column < columns; column++) sum += each(column);
  return sum / columns;
}

/**
 * Log loss: Σ w·(−Σ t·ln p)/Σ w, in double, from the logits, so that nothing is clipped (scikit-learn's `log_loss` clips p at
 * 2.2e-16). One output: −t·ln p − (1 − t)·ln(1 − p); several labels: the mean over them. Without label smoothing, whatever
 * the loss has. NaN if an output is NaN.
 */
export const logLoss: Metric<"logLoss"> = {
  name: "logLoss",
  range: POSITIVE,
  begin(set) {
    const labels = labelsWithChances("logLoss", set);
    if (labels.kind === "classes") return meanOf((rows, row) => classLoss(rows, row, labels));
    return meanOf((rows, row) => meanOver(set.outputs, (column) => binaryLoss(rows, row, column, labels)));
  },
};

/** Probabilities of the classes of one row, in double. */
function chances({ outputs, columns }: MetricRows, row: number, { ending }: Labels, into: Float64Array): void {
  const offset = row * columns;
  const top = largest(outputs, offset, columns);
  if (top < 0) {
    into.fill(Number.NaN);
    return;
  }
  const most = ending === undefined ? (outputs[offset + top] ?? 0) : 0;
  let sum = 0;
  for (let column = 0; column < columns; column++) {
    const output = outputs[offset + column] ?? 0;
    into[column] = ending === undefined || ending === "logSoftmax" ? exp(output - most) : output;
    sum += into[column] ?? 0;
  }
  if (ending === undefined) for (let column = 0; column < columns; column++) into[column] = (into[column] ?? 0) / sum;
}

/**
 * Brier score, the mean of squared differences between probabilities and what came: (p − t)² of class 1 where there are two,
 * Σ (p − t)² over the classes where there are more, the mean over several labels. Brier 1950; scikit-learn's
 * `brier_score_loss`. NaN if an output is NaN.
 */
export const brier: Metric<"brier"> = {
  name: "brier",
  range: POSITIVE,
  begin(set) {
    const labels = labelsWithChances("brier", set);
    const squared = (rows: MetricRows, row: number, column: number, place: number): number => {
      const difference = labels.chance(rows, row, column) - targetOf(rows, row, place);
      return difference * difference;
    };
    if (labels.kind !== "classes") {
      return meanOf((rows, row) => meanOver(set.outputs, (column) => squared(rows, row, column, column)));
    }
    if (labels.count === 2) return meanOf((rows, row) => squared(rows, row, 0, 1));
    const row = new Float64Array(set.outputs);
    return meanOf((rows, index) => {
      chances(rows, index, labels, row);
      return row.reduce((sum, chance, column) => {
        const difference = chance - targetOf(rows, index, column);
        return sum + difference * difference;
      }, 0);
    });
  },
};

/** Options of {@link calibrationError}. */
export interface CalibrationOptions {
  /** Bins of equal width in [0, 1], 15 by default. */
  readonly bins?: number | undefined;
}

const DEFAULT_BINS = 15;
const MOST_BINS = 100_000;

/** Sums of a bin: Σ w, Σ w·p, Σ w of what came. */
const PER_BIN = 3;

/** Bin of a probability: k of (k/bins, (k + 1)/bins]; 0 belongs to the first. */
function binOf(chance: number, bins: number): number {
  let bin = Math.min(Math.max(Math.ceil(chance * bins) - 1, 0), bins - 1);
  if (bin > 0 && chance <= bin / bins) bin -= 1; // the product was rounded
  if (bin < bins - 1 && chance > (bin + 1) / bins) bin += 1;
  return bin;
}

/**
 * Expected calibration error: Σ over the bins of (share of the weight)·|how often it came − mean probability|. One output, or
 * two classes: of the probability of class 1, as scikit-learn's `calibration_curve`. More classes: of the probability of the
 * class that is predicted (Guo et al. 2017). Several labels: the mean over them. NaN if an output is NaN. Naeini et al. 2015.
 *
 * `ERR_OPTION`: bins no integer in [1, 100000].
 */
export function calibrationError(options: CalibrationOptions = {}): Metric<"calibrationError"> {
  checkKeys("calibrationError", options, ["bins"]);
  const range = { min: 1, max: MOST_BINS, integer: true };
  const bins = checkNumber("calibrationError.bins", options.bins ?? DEFAULT_BINS, range);
  const name = "calibrationError";
  const metric: Metric<typeof name> = {
    name,
    range: SHARE,
    begin(set: MetricSet): Accumulator {
      const labels = labelsWithChances(name, set);
      const parts = labels.kind === "multilabel" ? labels.count : 1;
      const shares = new Float64Array(set.outputs);
      /** The probability that is looked at, and whether it came. */
      const look = (rows: MetricRows, row: number, part: number): readonly [chance: number, came: boolean] => {
        if (labels.kind !== "classes" || labels.count === 2) {
          return [labels.chance(rows, row, part), labels.actual(rows, row, part) === 1];
        }
        chances(rows, row, labels, shares);
        const predicted = labels.predicted(rows, row, 0);
        return [shares[predicted] ?? Number.NaN, predicted === labels.actual(rows, row, 0)];
      };
      return summing(
        parts * bins * PER_BIN,
        (sums, rows) => {
          for (let row = 0; row < rows.rows; row++) {
            const weight = rows.weights[row] ?? 0;
            for (let part = 0; part < parts && weight > 0; part++) {
              const [chance, came] = look(rows, row, part);
              const place = (part * bins + (Number.isNaN(chance) ? 0 : binOf(chance, bins))) * PER_BIN;
              increase(sums, place, weight);
              increase(sums, place + 1, weight * chance);
              increase(sums, place + 2, came ? weight : 0);
            }
          }
        },
        (sums) => meanOver(parts, (part) => errorOf(sums.subarray(part * bins * PER_BIN, (part + 1) * bins * PER_BIN))),
        (place) => (place % PER_BIN === 1 ? "figures" : "weights"),
      );
    },
  };
  return madeBy(name, { bins }, Object.freeze(metric));
}

function errorOf(sums: Float64Array): number {
  let all = 0;
  let apart = 0;
  for (let place = 0; place < sums.length; place += PER_BIN) {
    all += sums[place] ?? 0;
    apart += Math.abs((sums[place + 2] ?? 0) - (sums[place + 1] ?? 0));
  }
  return apart / all;
}

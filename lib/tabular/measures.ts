// How good answers are, by the task: exact figures, in double.
import { CarillonError } from "../errors.js";
import type { Task } from "../table/schema/schema.js";
import { log } from "../tensor/exact.js";

/** Named figures. Of classes `accuracy`, `logLoss` and, of two, `auc`; of values `rmse`, `mae` and `r2`, of several columns their means. */
export type Measures = Readonly<Record<string, number>>;

/** Whether more of a measure is better. */
export function isHigherBetter(measure: string): boolean {
  return measure === "accuracy" || measure === "auc" || measure === "r2";
}

/** Answers of rows: probabilities of classes or of yes, or values; [rows, width], those of a row one after another. */
export interface Answers {
  readonly width: number;
  readonly data: Float32Array | Float64Array;
}

/** Targets of rows: a class, or numbers one after another. */
export type TargetValues = Int32Array | Float64Array;

/** Probabilities below this count as this, as float32 has it for 1: `log_loss` of scikit-learn. */
const LEAST = 1.1920928955078125e-7;

/** The measures of answers, in the order of their worth; `ERR_DATA` for no rows. */
export function measure(task: Task, answers: Answers, targets: TargetValues): Measures {
  const rows = targets.length / (task === "binary" || task === "classes" ? 1 : answers.width);
  if (rows === 0)
    throw new CarillonError("ERR_DATA", "evaluate", "expected a row or more for 'evaluate' but received none");
  switch (task) {
    case "binary":
      return { ...ofClasses(answers, targets), auc: auc(column(answers, 1), targets) };
    case "classes":
      return ofClasses(answers, targets);
    case "labels":
      return ofLabels(answers, targets);
    default:
      return ofValues(answers, targets);
  }
}

function column({ width, data }: Answers, at: number): Float64Array {
  return Float64Array.from({ length: data.length / width }, (_, row) => data[row * width + at] ?? 0);
}

/** The place of the largest of the numbers of a row, the first of several. */
export function largestAt(data: ArrayLike<number>, from: number, width: number): number {
  let best = 0;
  for (let at = 1; at < width; at++) if ((data[from + at] ?? 0) > (data[from + best] ?? 0)) best = at;
  return best;
}

function ofClasses({ width, data }: Answers, targets: TargetValues): Measures {
  let [right, sum] = [0, 0];
  for (let row = 0; row < targets.length; row++) {
    const target = targets[row] ?? 0;
    if (largestAt(data, row * width, width) === target) right += 1;
    sum -= log(Math.max(data[row * width + target] ?? 0, LEAST));
  }
  return { accuracy: right / targets.length, logLoss: sum / targets.length };
}

/**
 * The area under the ROC curve: the share of pairs of a yes and a no whose scores are in that order, half of those that are alike, by ranks. NaN
 * where all rows are of one class.
 */
export function auc(scores: Float64Array, targets: TargetValues): number {
  const order = Uint32Array.from(scores.keys()).sort((a, b) => (scores[a] ?? 0) - (scores[b] ?? 0));
  let [ranks, yes] = [0, 0];
  for (let from = 0; from < order.length; ) {
    let to = from + 1;
    const score = scores[order[from] ?? 0];
    while (to < order.length && scores[order[to] ?? 0] === score) to += 1;
    for (let at = from; at < to; at++) {
      if (targets[order[at] ?? 0] !== 1) continue;
      yes += 1;
      ranks += (from + 1 + to) / 2;
    }
    from = to;
  }
  const no = order.length - yes;
  return yes === 0 || no === 0 ? Number.NaN : (ranks - (yes * (yes + 1)) / 2) / (yes * no);
}

/** Means over the columns of yes and no. */
function ofLabels({ width, data }: Answers, targets: TargetValues): Measures {
  let [right, sum, area] = [0, 0, 0];
  for (let at = 0; at < data.length; at++) {
    const [yes, target] = [data[at] ?? 0, targets[at] ?? 0];
    if (yes > 0.5 === (target === 1)) right += 1;
    sum -= log(Math.max(target === 1 ? yes : 1 - yes, LEAST));
  }
  const all: Answers = { width, data };
  for (let at = 0; at < width; at++)
    area += auc(column(all, at), column({ width, data: Float64Array.from(targets) }, at));
  return { accuracy: right / data.length, logLoss: sum / data.length, auc: area / width };
}

function ofValues({ width, data }: Answers, targets: TargetValues): Measures {
  const rows = targets.length / width;
  const sums = { rmse: 0, mae: 0, r2: 0 };
  for (let at = 0; at < width; at++) {
    let mean = 0;
    for (let row = 0; row < rows; row++) mean += (targets[row * width + at] ?? 0) / rows;
    let [squares, spread, absolute] = [0, 0, 0];
    for (let row = 0; row < rows; row++) {
      const target = targets[row * width + at] ?? 0;
      const error = (data[row * width + at] ?? 0) - target;
      squares += error * error;
      absolute += Math.abs(error);
      spread += (target - mean) * (target - mean);
    }
    sums.rmse += Math.sqrt(squares / rows) / width;
    sums.mae += absolute / rows / width;
    sums.r2 += (spread > 0 ? 1 - squares / spread : squares === 0 ? 1 : 0) / width;
  }
  return sums;
}

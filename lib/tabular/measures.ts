// How good answers are, by the task: exact figures, in double.
import { turn } from "../binding/clock.js";
import { CarillonError } from "../errors.js";
import { type Curve, totalsOf, walk } from "../nn/metrics/scores.js";
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

/** Rows between two turns of the event loop. */
const SLICE = 2048;

/** −ln p of a class that came; of a p below 2⁻²³ as of that. */
export function lossOfChance(chance: number): number {
  return -log(Math.max(chance, LEAST));
}

/** The measures of answers, in the order of their worth; `ERR_DATA` for no rows. */
export async function measure(task: Task, answers: Answers, targets: TargetValues): Promise<Measures> {
  const rows = targets.length / (task === "binary" || task === "classes" ? 1 : answers.width);
  if (rows === 0)
    throw new CarillonError("ERR_DATA", "evaluate", "expected a row or more for 'evaluate' but received none");
  switch (task) {
    case "binary":
      return { ...(await ofClasses(answers, targets)), auc: await auc(column(answers, 1), targets) };
    case "classes":
      return await ofClasses(answers, targets);
    case "labels":
      return await ofLabels(answers, targets);
    default:
      return await ofValues(answers, targets);
  }
}

/** What a choice among answers makes least: `logLoss` of classes and labels, `rmse` of values. */
export async function lossOfAnswers(task: Task, answers: Answers, targets: TargetValues): Promise<number> {
  if (task === "value" || task === "values") return (await ofValues(answers, targets)).rmse ?? 0;
  const { logLoss = 0 } = task === "labels" ? await told(answers, targets) : await ofClasses(answers, targets);
  return logLoss;
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

async function ofClasses({ width, data }: Answers, targets: TargetValues): Promise<Measures> {
  let [right, sum] = [0, 0];
  for (let row = 0; row < targets.length; row++) {
    const target = targets[row] ?? 0;
    if (largestAt(data, row * width, width) === target) right += 1;
    sum += lossOfChance(data[row * width + target] ?? 0);
    if (row % SLICE === SLICE - 1) await turn();
  }
  return { accuracy: right / targets.length, logLoss: sum / targets.length };
}

/**
 * The area under the ROC curve: the share of pairs of a yes and a no whose scores are in that order, half of those that are alike. NaN
 * where all rows are of one class.
 */
export async function auc(scores: Float64Array, targets: TargetValues): Promise<number> {
  const curve: Curve = {
    scores,
    weights: new Float64Array(scores.length).fill(1),
    isPositive: (row) => targets[row] === 1,
  };
  const { positives, negatives } = totalsOf(curve);
  let [below, pairs] = [0, 0];
  await walk(curve, ({ yes, no }) => {
    pairs += yes * (below + no / 2);
    below += no;
  });
  return positives === 0 || negatives === 0 ? Number.NaN : pairs / (positives * negatives);
}

/** Accuracy and log loss of yes and no, of all columns together. */
async function told({ data }: Answers, targets: TargetValues): Promise<Measures> {
  let [right, sum] = [0, 0];
  for (let at = 0; at < data.length; at++) {
    const [yes, target] = [data[at] ?? 0, targets[at] ?? 0];
    if (yes > 0.5 === (target === 1)) right += 1;
    sum += lossOfChance(target === 1 ? yes : 1 - yes);
    if (at % SLICE === SLICE - 1) await turn();
  }
  return { accuracy: right / data.length, logLoss: sum / data.length };
}

/** Means over the columns of yes and no. */
async function ofLabels(answers: Answers, targets: TargetValues): Promise<Measures> {
  const { width } = answers;
  const all: Answers = { width, data: Float64Array.from(targets) };
  let area = 0;
  for (let at = 0; at < width; at++) area += await auc(column(answers, at), column(all, at));
  return { ...(await told(answers, targets)), auc: area / width };
}

async function ofValues({ width, data }: Answers, targets: TargetValues): Promise<Measures> {
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
      if (row % SLICE === SLICE - 1) await turn();
    }
    sums.rmse += Math.sqrt(squares / rows) / width;
    sums.mae += absolute / rows / width;
    sums.r2 += (spread > 0 ? 1 - squares / spread : squares === 0 ? 1 : 0) / width;
  }
  return sums;
}

import { madeBy } from "../../described.js";
import { CarillonError } from "../../errors.js";
import { checkNumber } from "../../options.js";
import { type Labels, labelsOf, standBefore } from "./labels.js";
import { type Accumulator, type Metric, type MetricRows, type MetricSet, SHARE } from "./metric.js";
import { increase, summing } from "./sums.js";

/** The share of what is to be found of a row that is found; `undefined` of one of which nothing is to be found. */
type Found = (rows: MetricRows, row: number) => number | undefined;

/** Of the labels of a row, those among the k largest outputs. */
function ofColumns(k: number, { kind, count, actual }: Labels): Found {
  if (kind === "classes") {
    return (rows, row) => {
      const { outputs, columns } = rows;
      return standBefore(outputs, row * columns, columns, actual(rows, row, 0)) < k ? 1 : 0;
    };
  }
  return (rows, row) => {
    const { outputs, columns } = rows;
    let [all, found] = [0, 0];
    for (let column = 0; column < count; column++) {
      if (actual(rows, row, column) === 0) continue;
      all += 1;
      if (standBefore(outputs, row * columns, columns, column) < k) found += 1;
    }
    return all === 0 ? undefined : found / all;
  };
}

/** Whether what a row asks for is among the k best of its batch: products of vectors, in double, but those of rows of the same thing and of no weight. */
function ofBatch(k: number): Found {
  return ({ rows, columns, outputs, targets, weights }, row) => {
    const size = columns / 2;
    const score = (other: number): number => {
      let sum = 0;
      for (let at = 0; at < size; at++)
        sum += (outputs[row * columns + at] ?? 0) * (outputs[other * columns + size + at] ?? 0);
      return sum;
    };
    const own = score(row);
    let count = Number.isNaN(own) ? k : 0;
    for (let other = 0; other < rows; other++) {
      if (other === row || targets[other] === targets[row] || !((weights[other] ?? 0) > 0)) continue;
      const value = score(other);
      if (Number.isNaN(value)) return 0;
      if (value > own || (value === own && other > row)) count += 1;
    }
    return count < k ? 1 : 0;
  };
}

/**
 * Recall among the first k: of each example the share of what is to be found that stands among its k largest outputs, and the mean of that by weight,
 *
 *     Σ w·|labels ∩ first k|/|labels| / Σ w
 *
 * over the examples of which something is to be found: NaN where there is none. With one class an example it is {@link topK}, scikit-learn's `top_k_accuracy_score`; of scored candidates (`bpr`) the chance that the chosen one stands
 * among the first; of several labels recall@k as recommenders have it. With `inBatchSoftmax` candidates are the things of a batch, as in the loss, by their products alone. Of equal outputs the later one stands first. An
 * example with an output that is NaN has found nothing. Its name is `recallAt5` for `recallAt(5)`.
 *
 * `ERR_OPTION`: k is no integer ≥ 1, more than the outputs, or the loss is none of several classes or labels.
 */
export function recallAt<const K extends number>(k: K): Metric<`recallAt${K}`> {
  checkNumber("recallAt.k", k, { min: 1, integer: true });
  const name = `recallAt${k}` as const;
  const metric: Metric<`recallAt${K}`> = {
    name,
    range: SHARE,
    begin(set: MetricSet): Accumulator {
      const found = set.loss.kind === "inBatchSoftmax" ? ofBatch(k) : ofColumns(k, severalOf(name, k, set));
      return summing(
        2,
        (sums, rows) => {
          for (let row = 0; row < rows.rows; row++) {
            const weight = rows.weights[row] ?? 0;
            const share = weight > 0 ? found(rows, row) : undefined;
            if (share === undefined) continue;
            increase(sums, 0, share * weight);
            increase(sums, 1, weight);
          }
        },
        ([share = 0, all = 0]) => share / all,
        () => "weights",
      );
    },
  };
  return madeBy("recallAt", { k }, Object.freeze(metric));
}

function severalOf(name: string, k: number, set: MetricSet): Labels {
  const labels = labelsOf(name, set);
  const { where, outputs } = set;
  if (labels.kind === "binary" || set.loss.target === "signs") {
    const problem = `expected a loss of several classes or labels for the metric '${name}' of '${where}'`;
    throw new CarillonError("ERR_OPTION", where, problem);
  }
  checkNumber(`${where}.${name}`, k, { max: outputs });
  return labels;
}

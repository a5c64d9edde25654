import { CarillonError } from "../../errors.js";
import { type Accumulator, expectAlike, type Metric, type MetricRows, type MetricSet, POSITIVE } from "./metric.js";
import { increase, type SumKind, summing } from "./sums.js";

/** `ERR_OPTION` unless the loss compares values with values. */
function expectValues(name: string, set: MetricSet): void {
  const { where, loss } = set;
  if ((loss.target ?? "values") === "values") {
    expectAlike(name, set);
    return;
  }
  throw new CarillonError("ERR_OPTION", where, `expected a regression loss for the metric '${name}' of '${where}'`);
}

/** Calls `take` for every element, with the weight of its row; what weighs nothing is left out. */
function overElements(
  { rows, columns, outputs, targets, weights }: MetricRows,
  take: (column: number, output: number, target: number, weight: number) => void,
): void {
  for (let row = 0; row < rows; row++) {
    const weight = weights[row] ?? 0;
    if (weight === 0) continue;
    for (let column = 0; column < columns; column++) {
      const place = row * columns + column;
      take(column, outputs[place] ?? 0, targets[place] ?? 0, weight);
    }
  }
}

/** Mean over the columns of what each gives. */
function meanOver(columns: number, each: (column: number) => number): number {
  let sum = 0;
  for (let column = 0; column < columns; column++) sum += each(column);
  return sum / columns;
}

/** Σ w·e/Σ w a column, e of the network's units, times the column's scale; the last sum is Σ w. */
function averageError(
  { outputs, units }: MetricSet,
  error: (difference: number) => number,
  last: (mean: number) => number,
) {
  return summing(
    outputs + 1,
    (sums, rows) => {
      overElements(rows, (column, output, target, weight) => increase(sums, column, weight * error(output - target)));
      for (let row = 0; row < rows.rows; row++) increase(sums, outputs, rows.weights[row] ?? 0);
    },
    (sums) =>
      meanOver(outputs, (column) => {
        return Math.abs(units?.scale[column] ?? 1) * last((sums[column] ?? 0) / (sums[outputs] ?? 0));
      }),
    (place) => (place === outputs ? "weights" : "figures"),
  );
}

/**
 * Σ w·|output − target|/Σ w, the mean over the columns. scikit-learn's `mean_absolute_error`. Differences are taken in the
 * network's units and multiplied by the scale of the column, in double: the shift of targets far from 0 costs no digits.
 */
export const mae: Metric<"mae"> = {
  name: "mae",
  range: POSITIVE,
  begin(set) {
    expectValues("mae", set);
    return averageError(set, Math.abs, (mean) => mean);
  },
};

/** √(Σ w·(output − target)²/Σ w), the mean over the columns, as for {@link mae}. scikit-learn's `root_mean_squared_error`. */
export const rmse: Metric<"rmse"> = {
  name: "rmse",
  range: POSITIVE,
  begin(set) {
    expectValues("rmse", set);
    return averageError(set, (difference) => difference * difference, Math.sqrt);
  },
};

/** Sums of one column: Σ w·(output − target)², Σ w, the mean of the targets, Σ w·(target − mean)². */
const PER_COLUMN = 4;
const R2_SUMS: readonly SumKind[] = ["figures", "weights", "any", "figures"];

/** One weighted value in a running mean and its sum of squares (West 1979): nothing cancels. */
function include(sums: Float64Array, at: number, target: number, weight: number): void {
  const total = (sums[at + 1] ?? 0) + weight;
  const mean = sums[at + 2] ?? 0;
  const step = (target - mean) * (weight / total);
  sums[at + 1] = total;
  sums[at + 2] = mean + step;
  increase(sums, at + 3, weight * (target - mean) * (target - mean - step));
}

/** 1 − squares/spread; of a constant target 1 where every output is it, otherwise 0. */
function determination(squares: number, spread: number): number {
  if (spread !== 0) return 1 - squares / spread;
  return squares === 0 ? 1 : 0;
}

/**
 * 1 − Σ w·(output − target)²/Σ w·(target − mean)², the mean over the columns; 1 is perfect, 0 no better than the mean.
 * NaN for a single example. It is the same in any units, and taken in those of the network. scikit-learn's `r2_score`.
 */
export const r2: Metric<"r2"> = {
  name: "r2",
  range: { max: 1 },
  begin(set): Accumulator {
    expectValues("r2", set);
    const { outputs } = set;
    const count = outputs * PER_COLUMN;
    return summing(
      count + 1,
      (sums, rows) => {
        overElements(rows, (column, output, target, weight) => {
          increase(sums, column * PER_COLUMN, weight * (output - target) * (output - target));
          include(sums, column * PER_COLUMN, target, weight);
        });
        increase(sums, count, rows.rows);
      },
      (sums) => {
        if ((sums[count] ?? 0) < 2) return Number.NaN;
        return meanOver(outputs, (column) => {
          const [squares = 0, , , spread = 0] = sums.subarray(column * PER_COLUMN, (column + 1) * PER_COLUMN);
          return determination(squares, spread);
        });
      },
      (place) => {
        if (place === count) return "figures";
        return R2_SUMS[place % PER_COLUMN] ?? "any";
      },
    );
  },
};

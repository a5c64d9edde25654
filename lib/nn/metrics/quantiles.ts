import { madeBy } from "../../described.js";
import { CarillonError } from "../../errors.js";
import { checkNumber } from "../../options.js";
import { type Accumulator, type Metric, type MetricRows, type MetricSet, POSITIVE, SHARE } from "./metric.js";
import { increase, summing } from "./sums.js";

/** The quantiles that outputs are; `ERR_OPTION` where the loss trains none. */
function quantilesOf(name: string, { where, loss }: MetricSet): readonly number[] {
  const quantiles = loss.kind === "pinball" ? loss.options?.quantiles : undefined;
  if (typeof quantiles === "object" && quantiles !== null) return quantiles;
  const received = loss.kind ?? "another one";
  const problem = `expected the loss pinball() for the metric '${name}' of '${where}' but received ${received}`;
  throw new CarillonError("ERR_OPTION", where, problem);
}

/** Calls `take` for every target with what it weighs, and the place of the first of its quantiles; what weighs nothing is left out. */
function overTargets(
  { rows, columns, targetColumns, targets, weights }: MetricRows,
  take: (column: number, target: number, first: number, weight: number) => void,
): void {
  const count = columns / targetColumns;
  for (let row = 0; row < rows; row++) {
    const weight = weights[row] ?? 0;
    if (weight === 0) continue;
    for (let column = 0; column < targetColumns; column++) {
      take(column, targets[row * targetColumns + column] ?? 0, row * columns + column * count, weight);
    }
  }
}

/** Sums a column of the targets, and Σ w behind them. */
function averaged(
  { targets, units }: Pick<MetricSet, "targets" | "units">,
  of: (outputs: MetricRows["outputs"], first: number, target: number) => number,
): Accumulator {
  return summing(
    targets + 1,
    (sums, rows) => {
      overTargets(rows, (column, target, first, weight) => {
        increase(sums, column, weight * of(rows.outputs, first, target));
      });
      for (let row = 0; row < rows.rows; row++) increase(sums, targets, rows.weights[row] ?? 0);
    },
    (sums) => {
      let mean = 0;
      for (let column = 0; column < targets; column++) {
        mean += (Math.abs(units?.scale[column] ?? 1) * (sums[column] ?? 0)) / (sums[targets] ?? 0);
      }
      return mean / targets;
    },
    (place) => (place === targets ? "weights" : "figures"),
  );
}

/**
 * The pinball loss of outputs that are quantiles, in the units of the data: Σ w·(q·max(0, e) + (1 − q)·max(0, −e))/Σ w, e = target − output, the mean over
 * quantiles and targets. scikit-learn's `mean_pinball_loss`, averaged over quantiles.
 */
export const pinball: Metric<"pinball"> = {
  name: "pinball",
  range: POSITIVE,
  begin(set) {
    const quantiles = quantilesOf("pinball", set);
    return averaged(set, (outputs, first, target) => {
      let sum = 0;
      for (const [index, quantile] of quantiles.entries()) {
        const error = target - (outputs[first + index] ?? 0);
        sum += error > 0 ? quantile * error : (quantile - 1) * error;
      }
      return sum / quantiles.length;
    });
  },
};

/** How far two numbers may be apart that stand for one quantile: 0.9 and 1 − 0.1, for an example. */
const NEAR = 1e-9;

/**
 * The share of the targets that lie in the interval of so many percent: between the quantiles (1 − p)/2 and (1 + p)/2 of p = percent/100, the ends included. Of a model
 * that is right it is p. Its name is `coverage80` for `coverage(80)`. Targets of all columns count alike; an output that is NaN covers nothing.
 *
 * `ERR_OPTION`: percent is no integer in [1, 99], the loss is no `pinball`, or does not train both quantiles.
 */
export function coverage<const P extends number>(percent: P): Metric<`coverage${P}`> {
  checkNumber("coverage.percent", percent, { min: 1, max: 99, integer: true });
  const name = `coverage${percent}` as const;
  const metric: Metric<`coverage${P}`> = {
    name,
    range: SHARE,
    begin(set: MetricSet): Accumulator {
      const quantiles = quantilesOf(name, set);
      const placeOf = (quantile: number): number => {
        const place = quantiles.findIndex((one) => Math.abs(one - quantile) < NEAR);
        if (place >= 0) return place;
        const problem = `expected the quantile ${quantile} in the loss for the metric '${name}' of '${set.where}'`;
        throw new CarillonError("ERR_OPTION", set.where, `${problem} but received ${quantiles.join(", ")}`);
      };
      const [low, high] = [placeOf((100 - percent) / 200), placeOf((100 + percent) / 200)];
      return averaged({ targets: set.targets, units: undefined }, (outputs, first, target) => {
        return target >= (outputs[first + low] ?? 0) && target <= (outputs[first + high] ?? 0) ? 1 : 0;
      });
    },
  };
  return madeBy("coverage", { percent }, Object.freeze(metric));
}

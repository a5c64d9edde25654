import { CarillonError } from "../errors.js";
import * as ops from "../ops/index.js";
import type { Value } from "../tensor/value.js";
import type { Loss } from "./losses/index.js";

/** Names of the built-in metrics. */
export type MetricName = "accuracy";

/** A figure over a whole set: sums of each batch are added, then divided by the number of examples. */
export interface Metric<N extends string = string> {
  readonly name: N;
  /** The sum over a batch, a scalar. */
  total(output: Value, target: Value): Value;
}

const METRICS: Readonly<Record<MetricName, (loss: Loss) => Metric>> = {
  accuracy(loss) {
    if (loss.target !== "classes") {
      throw new CarillonError("ERR_OPTION", "metrics", "expected a classification loss for the metric 'accuracy'");
    }
    return { name: "accuracy", total: (output, target) => ops.countEqual(ops.argmax(output), target) };
  },
};

/** The metrics of these names; an unknown name is `ERR_OPTION`. */
export function findMetrics(names: readonly string[], loss: Loss): readonly Metric[] {
  return names.map((name) => {
    const known = Object.keys(METRICS).find((key): key is MetricName => key === name);
    if (known !== undefined) return METRICS[known](loss);
    const list = Object.keys(METRICS).join("', '");
    throw new CarillonError("ERR_OPTION", "metrics", `expected one of '${list}' for 'metrics' but received '${name}'`);
  });
}

import { CarillonError, fail } from "../errors.js";
import * as ops from "../ops/index.js";
import { checkOneOf } from "../options.js";
import type { Value } from "../tensor/value.js";
import type { Loss } from "./losses/loss.js";

/** Names of the built-in metrics. */
export type MetricName = "accuracy";

/** A figure over a whole set: sums of each batch are added, then divided by the number of examples. */
export interface Metric<N extends string = string> {
  readonly name: N;
  /** The sum over a batch, a scalar. */
  total(output: Value, target: Value): Value;
}

const METRICS: Readonly<Record<MetricName, (where: string, loss: Loss) => Metric>> = {
  accuracy(where, loss) {
    if (loss.target !== "classes") {
      throw new CarillonError(
        "ERR_OPTION",
        where,
        `expected a classification loss for the metric 'accuracy' of '${where}'`,
      );
    }
    return { name: "accuracy", total: (output, target) => ops.countEqual(ops.argmax(output), target) };
  },
};

/** The metrics of these names; an unknown name, or one that stands twice, is `ERR_OPTION`. */
export function findMetrics(where: string, names: readonly string[], loss: Loss): readonly Metric[] {
  if (!Array.isArray(names)) return fail("ERR_OPTION", where, "an array of names", names);
  return names.map((name, index) => {
    const known = checkOneOf(where, name, Object.keys(METRICS) as MetricName[]);
    if (names.indexOf(name) !== index) fail("ERR_OPTION", where, "every name once", name);
    return METRICS[known](where, loss);
  });
}

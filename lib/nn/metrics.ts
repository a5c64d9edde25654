import { fail } from "../errors.js";
import { checkOneOf } from "../options.js";
import { accuracy, confusionMatrix, f1, precision, recall } from "./metrics/classification.js";
import { auc, averagePrecision } from "./metrics/curves.js";
import type { ConfusionMatrix, Metric, MetricValue } from "./metrics/metric.js";
import { brier, calibrationError, logLoss } from "./metrics/probabilities.js";
import { mae, r2, rmse } from "./metrics/regression.js";

const METRICS = {
  accuracy,
  precision: precision(),
  recall: recall(),
  f1: f1(),
  auc,
  averagePrecision,
  logLoss,
  brier,
  calibrationError: calibrationError(),
  confusionMatrix,
  mae,
  rmse,
  r2,
} as const satisfies Readonly<Record<string, Metric>>;

/** Names of the built-in metrics. */
export type MetricName = keyof typeof METRICS;

/** {@link MetricName}s. */
export const metricNames: readonly string[] = Object.keys(METRICS);

/** Metrics as options take them: names, or made ones. */
export type Metrics = readonly (MetricName | Metric)[];

/** Keys of the figures that metrics give. */
export type MetricKey<M extends Metrics> = KeyOf<M[number]>;
type KeyOf<M> = M extends string ? M : M extends Metric<infer N> ? N : never;

/** Figures by name: numbers, and the confusion matrix. */
export type Figures<K extends string = string> = {
  readonly [N in K]: string extends N ? MetricValue : N extends "confusionMatrix" ? ConfusionMatrix : number;
};

/** Those figures that are numbers. */
export function numbersOf(figures: Figures): Readonly<Record<string, number>> {
  const entries = Object.entries(figures).filter((entry): entry is [string, number] => typeof entry[1] === "number");
  return Object.fromEntries(entries);
}

/** Metrics of which less is better. */
const LOWER: readonly string[] = [
  "mae",
  "rmse",
  "logLoss",
  "brier",
  "calibrationError",
] satisfies readonly MetricName[];

/** Whether less of this figure is better, as far as names tell: losses, penalties and errors. */
export function isLowerBetter(name: string): boolean {
  return ["loss", "dataLoss", "penalty", ...LOWER].includes(name);
}

/** The metrics of these names; an unknown name, or one that stands twice, is `ERR_OPTION`. */
export function findMetrics(where: string, given: Metrics): readonly Metric[] {
  if (!Array.isArray(given)) return fail("ERR_OPTION", where, "an array of names and metrics", given);
  const names = new Set<string>();
  return given.map((one: MetricName | Metric) => {
    const metric = isMetric(one) ? one : METRICS[checkOneOf(where, one, Object.keys(METRICS) as MetricName[])];
    if (names.has(metric.name)) fail("ERR_OPTION", where, "every name once", metric.name);
    names.add(metric.name);
    return metric;
  });
}

function isMetric(value: unknown): value is Metric {
  return typeof value === "object" && value !== null && "begin" in value && typeof value.begin === "function";
}

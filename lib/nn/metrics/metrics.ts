import { fail } from "../../errors.js";
import { checkOneOf } from "../../options.js";
import { areNamed, type RowSpec } from "../../tensor/row_spec.js";
import { byName } from "../structure/by_name.js";
import { accuracy, classError, confusionMatrix, f1, precision, recall } from "./classification.js";
import { auc, averagePrecision } from "./curves.js";
import type { ConfusionMatrix, Metric, MetricValue } from "./metric.js";
import { brier, calibrationError, logLoss } from "./probabilities.js";
import { pinball } from "./quantiles.js";
import { mae, r2, rmse } from "./regression.js";

const METRICS = {
  accuracy,
  classError,
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
  pinball,
} as const satisfies Readonly<Record<string, Metric>>;

/** Names of the built-in metrics. */
export type MetricName = keyof typeof METRICS;

/** {@link MetricName}s. */
export const metricNames: readonly string[] = Object.keys(METRICS);

/** Metrics as options take them: names, or made ones. */
export type Metrics = readonly (MetricName | Metric)[];

/** Keys of the figures that metrics give. */
export type MetricKey<M> = M extends Metrics
  ? KeyOf<M[number]>
  : { [O in keyof M & string]: M[O] extends Metrics ? `${O}.${KeyOf<M[O][number]>}` : never }[keyof M & string];
type KeyOf<M> = M extends string ? M : M extends Metric<infer N> ? N : never;

/** Figures by name: numbers, and the confusion matrix. */
export type Figures<K extends string = string> = {
  readonly [N in K]: string extends N
    ? MetricValue
    : N extends "confusionMatrix" | `${string}.confusionMatrix`
      ? ConfusionMatrix
      : number;
};

/** Those figures that are numbers. */
export function numbersOf(figures: Figures): Readonly<Record<string, number>> {
  const entries = Object.entries(figures).filter((entry): entry is [string, number] => typeof entry[1] === "number");
  return Object.fromEntries(entries);
}

/** Metrics of which less is better. */
const LOWER: readonly string[] = [
  "classError",
  "mae",
  "rmse",
  "logLoss",
  "brier",
  "calibrationError",
  "pinball",
] satisfies readonly MetricName[];

/** Whether less of this figure is better, as far as names tell: losses, penalties and errors. */
export function isLowerBetter(name: string): boolean {
  return ["loss", "dataLoss", "penalty", ...LOWER].includes(name.slice(name.lastIndexOf(".") + 1));
}

/** A metric of an output; of a named one it is called `rating.auc`. */
export interface OutputMetric extends Metric {
  readonly output: number;
}

/** Metrics of a model with one output; of one with several, those of each by name. */
export type MetricsOf = Metrics | Readonly<Record<string, Metrics | undefined>>;

/** The metrics of all outputs; errors as {@link findMetrics}. */
export function findMetricsOf(
  where: string,
  given: MetricsOf | undefined,
  outputs: readonly RowSpec[],
): readonly OutputMetric[] {
  if (given === undefined) return [];
  const named = areNamed("y", outputs);
  return byName(where, given, "y", outputs, "metrics").flatMap(({ where: place, value }, output) => {
    const found = value === undefined ? [] : findMetrics(place, value as Metrics);
    const prefix = named ? `${outputs[output]?.name}.` : "";
    return found.map((metric): OutputMetric => ({ ...metric, name: `${prefix}${metric.name}`, output }));
  });
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

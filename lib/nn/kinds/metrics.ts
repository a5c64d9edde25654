import { Family, kind, plain } from "../../described.js";
import { type AverageOptions, f1, precision, recall, topK } from "../metrics/classification.js";
import type { Metric } from "../metrics/metric.js";
import { calibrationError } from "../metrics/probabilities.js";
import { coverage } from "../metrics/quantiles.js";
import { recallAt } from "../metrics/ranking.js";

const AVERAGE = { average: plain, threshold: plain, name: plain };

/** Metrics that are made, by kind; the others are names. */
export const metrics = new Family<Metric>("metric", {
  recallAt: kind(({ k }: { readonly k: number }) => recallAt(k), { k: plain }),
  topK: kind(({ k }: { readonly k: number }) => topK(k), { k: plain }),
  precision: kind(({ name = "precision", ...options }: AverageOptions) => precision({ ...options, name }), AVERAGE),
  recall: kind(({ name = "recall", ...options }: AverageOptions) => recall({ ...options, name }), AVERAGE),
  f1: kind(({ name = "f1", ...options }: AverageOptions) => f1({ ...options, name }), AVERAGE),
  coverage: kind(({ percent }: { readonly percent: number }) => coverage(percent), { percent: plain }),
  calibrationError: kind(calibrationError, { bins: plain }),
});

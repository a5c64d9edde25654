// From a table, its schema and a preset to what is trained, and how.

import { fail } from "../errors.js";
import { binaryCrossEntropy, crossEntropy } from "../nn/losses/classification.js";
import type { Loss } from "../nn/losses/loss.js";
import { mse } from "../nn/losses/regression.js";
import type { Mixing } from "../nn/model/joint.js";
import { adagrad } from "../optim/adagrad.js";
import { adam } from "../optim/adam.js";
import { adamw } from "../optim/adamw.js";
import type { Optimizer } from "../optim/optimizer.js";
import type { Partition } from "../optim/partition.js";
import { flatCosine, logCosine } from "../optim/schedules/cosine.js";
import type { PreparedInputs } from "../table/preparation/features.js";
import type { Preparation } from "../table/preparation/preparation.js";
import type { Target } from "../table/preparation/target.js";
import { type Schema, type Task, targetsOf } from "../table/schema/schema.js";
import { isTextAlone, type NetworkKind } from "./networks.js";
import type { CheckedTabular, Preset, SelectionMetric } from "./options.js";

/** Kinds of members of each preset: every fold has one of each. */
export const KINDS: Readonly<Record<Preset, readonly NetworkKind[]>> = {
  fast: ["realMlpSmall"],
  auto: ["realMlp"],
  best: ["realMlp", "tabM"],
};

/** Values of a category that become numbers of their own, at most: of more a table is looked up. */
const ONE_HOT: Readonly<Record<NetworkKind, number>> = { realMlp: 8, realMlpSmall: 32, tabM: 8 };

/** Rows of the table of a text's pieces where several members have one each: 4 MB a member. */
const BUCKETS = 65_536;

/** What each column becomes, in the place of the defaults of a preparation; `levelsOf` tells how many values a category has. */
export function transformsFor(
  schema: Schema,
  kind: NetworkKind,
  given: Readonly<Record<string, unknown>>,
  levelsOf: (name: string) => number,
): Readonly<Record<string, unknown>> {
  const targets = targetsOf(schema);
  const chosen = Object.entries(schema.columns).flatMap(([name, column]): [string, unknown][] => {
    if (targets.includes(name) || Object.hasOwn(given, name)) return [];
    if (column.kind === "text" && kind !== "realMlpSmall")
      return [[name, { kind: "hashedText", options: { buckets: BUCKETS } }]];
    if (column.kind === "boolean") return [[name, { kind: "oneHot" }]];
    if (column.kind !== "category") return [];
    return [[name, { kind: levelsOf(name) <= ONE_HOT[kind] ? "oneHot" : "categories" }]];
  });
  return { ...Object.fromEntries(chosen), ...given };
}

/** What columns become for TabM beside another network: numbers quantiles of the normal distribution, values of few numbers that are not scaled. */
export function secondFor(
  schema: Schema,
  kinds: readonly NetworkKind[],
  transforms: Readonly<Record<string, unknown>>,
  given: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  if (kinds.length < 2 || !kinds.includes("tabM")) return {};
  const targets = targetsOf(schema);
  return Object.fromEntries(
    Object.entries(schema.columns).flatMap(([name, { kind }]): [string, unknown][] => {
      if (targets.includes(name) || kind === "text") return [];
      if (Object.hasOwn(given, name)) {
        const isShared = ["categories", "hashedText"].includes(String(Reflect.get(Object(given[name]), "kind")));
        return isShared ? [] : [[name, given[name]]];
      }
      if (kind === "number") return [[name, { kind: "numeric", options: { scale: "normal" } }]];
      if (kind === "date") return [[name, { kind: "dateParts" }]];
      if (kind === "boolean") return [[name, { kind: "oneHot", options: { scale: "none" } }]];
      const isHot = kind === "category" && JSON.stringify(transforms[name]) === JSON.stringify({ kind: "oneHot" });
      return isHot ? [[name, { kind: "oneHot", options: { scale: "none" } }]] : [];
    }),
  );
}

/** Answers of the network, by the task. */
export function outputsOf({ task, columns, classes }: Target): { readonly outputs: number; readonly mixing: Mixing } {
  if (task === "binary" || task === "classes") return { outputs: classes[0]?.length ?? 2, mixing: "classes" };
  return { outputs: columns.length, mixing: task === "labels" ? "labels" : "values" };
}

/** Epochs of a member, and rows of a batch; those of a linear model of the pieces of a text, which is mostly at its best after a few, and without a better one for how many it is done. */
const EPOCHS = 256;
const BATCH = 256;
const TEXT = { least: 8, epochs: 64, steps: 2500, batch: 64, patience: 2 } as const;

/** Epochs of a linear model, at most: the fewer the more steps each has. */
function textEpochs(rows: number, batchSize: number): number {
  return Math.min(TEXT.epochs, Math.max(TEXT.least, Math.ceil((TEXT.steps * batchSize) / rows)));
}

/** Epochs without a better one after which a member is done, where it is not trained to its end. */
const PATIENCE: Readonly<Partial<Record<NetworkKind, number>>> = { tabM: 16 };

/** Whether all members are linear models of the pieces of a text. */
function areLinear(inputs: PreparedInputs, preset: Preset): boolean {
  return isTextAlone(inputs) && !KINDS[preset].includes("tabM");
}

/** How long members are trained, and what is done with one of them. */
export interface TrainingPlan {
  /** Of each member, at most. */
  readonly epochs: number;
  /** About. */
  readonly batchSize: number;
  readonly monitor: "accuracy" | "rmse" | "loss";
  /**
   * Whether the only member is trained once more, on all rows, for as many epochs as were best without those held out: a linear model, which needs about as many for a few rows more. Not where
   * somebody has said which rows are not trained on.
   */
  readonly isAgain: boolean;
  /** Epochs without a better one after which a member is done; `undefined` for one that is trained to its end. */
  patienceOf(kind: NetworkKind): number | undefined;
}

/** @param count of all rows. */
export function trainingPlan(
  preparation: Pick<Preparation, "target" | "inputs">,
  settings: CheckedTabular,
  rows: unknown,
  count: number,
): TrainingPlan {
  const { preset, folds, epochs } = settings;
  const isLinear = areLinear(preparation.inputs, preset);
  const { batchSize = isLinear ? TEXT.batch : BATCH } = settings;
  const areNamed = typeof rows === "object" && rows !== null && "train" in rows;
  return {
    epochs: epochs ?? (isLinear ? textEpochs(count, batchSize) : EPOCHS),
    batchSize,
    monitor: monitorFor(preparation, settings),
    isAgain: folds === 1 && isLinear && !areNamed,
    patienceOf: (kind) => (isLinear ? TEXT.patience : PATIENCE[kind]),
  };
}

/** The figure that the best epoch is chosen by: of a linear model of texts cross-entropy, which is finer, unless accuracy is asked for. */
export function monitorFor(
  { target, inputs }: Pick<Preparation, "target" | "inputs">,
  { metric, preset }: CheckedTabular,
): "accuracy" | "rmse" | "loss" {
  const task = target?.task ?? "value";
  const own = monitorOf(task, metric);
  return own === "accuracy" && metric === undefined && areLinear(inputs, preset) ? "loss" : own;
}

/** The figure that the best epoch is chosen by. `ERR_OPTION` for one that the task has not. */
function monitorOf(task: Task, metric: SelectionMetric | undefined): "accuracy" | "rmse" | "loss" {
  const isValue = task === "value" || task === "values";
  const allowed: readonly SelectionMetric[] = isValue ? ["rmse"] : ["accuracy", "logLoss", "auc"];
  if (metric !== undefined && !allowed.includes(metric))
    fail("ERR_OPTION", "tabular.metric", `'${allowed.join("' or '")}', as the target is of the task ${task},`, metric);
  if (task === "labels") return "loss";
  if (isValue) return "rmse";
  return metric === undefined || metric === "accuracy" ? "accuracy" : "loss";
}

/** The loss; smoothed labels of classes where the best epoch is that of the most that are right. */
export function lossOf(task: Task, monitor: "accuracy" | "rmse" | "loss"): Loss {
  if (task === "labels") return binaryCrossEntropy();
  if (task === "value" || task === "values") return mse();
  return monitor === "accuracy" ? crossEntropy({ labelSmoothing: 0.1 }) : crossEntropy();
}

/** The rate of a linear model of the pieces of a text: what was best, or near, on rows held out of the training rows of three sets of texts. */
const TEXT_RATE = 0.03;

/**
 * Adam as the networks have it: β₂ 0.95, four cycles of the rate; of the larger ones a decay that fades out. Linear models of pieces, of which most are rare, have Adagrad: each piece has
 * a rate of its own, by how often it was there.
 */
export function optimizerOf(
  kind: NetworkKind,
  task: Task,
  inputs: PreparedInputs,
  options: CheckedTabular,
): Optimizer | Partition {
  if (options.optimizer !== undefined) return options.optimizer;
  if (isTextAlone(inputs) && kind !== "tabM") return adagrad({ lr: options.lr ?? TEXT_RATE });
  if (kind === "tabM") return adamw({ lr: options.lr ?? 0.002, weightDecay: 3e-4 });
  const isValue = task === "value" || task === "values";
  const [small, large] = isValue ? [0.07, 0.2] : [0.04, 0.04];
  const lr = logCosine({ lr: options.lr ?? (kind === "realMlp" ? large : small) });
  return kind === "realMlp"
    ? adamw({ lr, beta2: 0.95, weightDecay: flatCosine({ value: 0.02 }) })
    : adam({ lr, beta2: 0.95 });
}

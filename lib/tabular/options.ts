// What an estimator and its runs are told.
import { THREADS, threadLimit } from "../binding/threads.js";
import { fail } from "../errors.js";
import type { Optimizer } from "../optim/optimizer.js";
import type { Partition } from "../optim/partition.js";
import { checkOptimizers } from "../optim/partition.js";
import { checkBoolean, checkFunction, checkKeys, checkNumber, checkOneOf, checkString } from "../options.js";
import { checked, type Regularizers } from "../regularizers/index.js";
import { checkSignal } from "../signals.js";
import type { TableOptions } from "../table/options.js";
import type { Schema } from "../table/schema/schema.js";
import type { TabularEvent } from "./events.js";

/** How much work goes into a model: {@link tabular}. */
export type Preset = "fast" | "auto" | "best";

/** Figures that the best epoch of a member can be chosen by. */
export type SelectionMetric = "accuracy" | "logLoss" | "auc" | "rmse";

export const PRESETS = ["fast", "auto", "best"] as const satisfies readonly Preset[];
const METRICS = ["accuracy", "logLoss", "auc", "rmse"] as const satisfies readonly SelectionMetric[];

/** Options of {@link tabular}; what is left out is as the preset has it. */
export interface TabularOptions {
  /** `'auto'` by default. */
  readonly preset?: Preset | undefined;
  /** Times that all training rows are seen; 256 by default, of a text alone 8 to 64 at most, fewer of more rows. */
  readonly epochs?: number | undefined;
  /** Rows a step, about: batches of an epoch are of one size, give or take a row. 256 by default, of a text alone 64. */
  readonly batchSize?: number | undefined;
  /** Members, each of which is trained without one of so many parts of the rows; 1: one member, a fifth of the rows held out. */
  readonly folds?: number | undefined;
  /** Minutes that training may take, about: epochs are as many as fit, told by the first 50 steps. The bits depend on the time then. */
  readonly minutes?: number | undefined;
  /** An integer in [0, 2⁵³), 0 by default: parts, first weights, order, masks. */
  readonly seed?: number | undefined;
  /** Native threads, at most. The bits do not depend on it. */
  readonly threads?: number | undefined;
  /**
   * The figure that the best epoch is chosen by: `'accuracy'` of classes, `'rmse'` of values by default. `'logLoss'` and `'auc'`, of classes: by
   * cross-entropy, and trained without smoothed labels.
   */
  readonly metric?: SelectionMetric | undefined;
  /** In the place of the preset's Adam and its schedule. */
  readonly optimizer?: Optimizer | Partition | undefined;
  /** Learning rate at its peaks, in the place of the preset's. */
  readonly lr?: number | undefined;
  /** Penalties of all weights; none by default. */
  readonly regularizer?: Regularizers | undefined;
  /** Share of hidden units that are dropped in training, [0, 1). */
  readonly dropout?: number | undefined;
  /** Units of the hidden layers; `[256, 256, 256]` by default. */
  readonly hidden?: readonly number[] | undefined;
}

/** Options of {@link Tabular.fit}. */
export interface TabularFitOptions {
  /** The column that is to be predicted, or several; by default the schema says it. */
  readonly target?: string | readonly string[] | undefined;
  /** What columns are; those that it does not name are guessed. */
  readonly schema?: Partial<Schema> | undefined;
  /** What columns become, by name, in the place of the defaults: as for {@link prepare}. */
  readonly transforms?: Readonly<Record<string, unknown>> | undefined;
  /** The rows that are used, by their numbers; or which are trained on and which the best epoch is chosen by. All by default. */
  readonly rows?: ArrayLike<number> | TabularRows | undefined;
  /**
   * Megabytes up to which a source is held as one table, 64 by default: of files as they lie (compressed and columnar ones count four times), of queries 8 bytes a value. A larger
   * one is read block by block, three times, and what networks are given of it, 4 bytes a number, is kept in memory up to twice as many megabytes, else in a file. Its parts are drawn by the numbers of the rows.
   */
  readonly memory?: number | undefined;
  /** How the source is read: as for {@link table}. */
  readonly read?: TableOptions | undefined;
  /** Told every event, beside the run's own. */
  readonly onEvent?: ((event: TabularEvent) => void) | undefined;
  /** Shows a line on standard error that says how far the run is, if that is a terminal; `false` by default. */
  readonly progress?: boolean | undefined;
  /** An aborted signal rejects the run with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** A folder for checkpoints of every member, so that a run that was broken off can go on. */
  readonly checkpoint?: { readonly dir: string; readonly resume?: boolean | undefined } | undefined;
  /** `'background'` lets everything else on the machine go first. */
  readonly priority?: "normal" | "background" | undefined;
}

/** Rows by their numbers. */
export interface TabularRows {
  readonly train: ArrayLike<number>;
  readonly validation: ArrayLike<number>;
}

const KEYS = [
  ...["preset", "epochs", "batchSize", "folds", "minutes", "seed", "threads", "metric", "optimizer", "lr"],
  ...["regularizer", "dropout", "hidden"],
];
const FIT_KEYS = [
  ...[
    "target",
    "schema",
    "transforms",
    "rows",
    "memory",
    "read",
    "onEvent",
    "progress",
    "signal",
    "checkpoint",
    "priority",
  ],
] as const;

/** {@link TabularOptions}, checked, with defaults but for those that the task decides. */
export interface CheckedTabular extends TabularOptions {
  readonly preset: Preset;
  readonly folds: number;
  readonly seed: number;
  readonly threads: number;
  readonly hidden: readonly number[];
}

/** `ERR_OPTION` and `ERR_UNKNOWN_OPTION` for what is no option. */
export function checkTabular(options: TabularOptions): CheckedTabular {
  const where = "tabular";
  checkKeys(where, options, KEYS);
  const { minutes, metric, optimizer, lr, dropout, hidden = [256, 256, 256] } = options;
  const preset = checkOneOf(`${where}.preset`, options.preset ?? "auto", PRESETS);
  for (const key of ["epochs", "batchSize"] as const)
    checkNumber(`${where}.${key}`, options[key] ?? 1, { min: 1, integer: true });
  const folds = options.folds ?? (preset === "fast" ? 1 : 5);
  checkNumber(`${where}.folds`, folds, { min: 1, max: 1000, integer: true });
  if (minutes !== undefined) checkNumber(`${where}.minutes`, minutes, { above: 0 });
  if (metric !== undefined) checkOneOf(`${where}.metric`, metric, METRICS);
  if (optimizer !== undefined) checkOptimizers(`${where}.optimizer`, optimizer);
  if (lr !== undefined) checkNumber(`${where}.lr`, lr, { above: 0 });
  if (lr !== undefined && optimizer !== undefined)
    fail("ERR_OPTION", `${where}.lr`, "none beside an optimizer, which has its own", lr);
  if (dropout !== undefined) checkNumber(`${where}.dropout`, dropout, { min: 0, below: 1 });
  checked(`${where}.regularizer`, options.regularizer);
  if (!Array.isArray(hidden)) fail("ERR_OPTION", `${where}.hidden`, "a list of numbers of units", hidden);
  for (const [at, units] of hidden.entries())
    checkNumber(`${where}.hidden[${at}]`, units, { min: 1, max: 65_536, integer: true });
  if (options.threads !== undefined) checkNumber(`${where}.threads`, options.threads, THREADS);
  return {
    ...options,
    preset,
    folds,
    seed: checkNumber(`${where}.seed`, options.seed ?? 0, { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true }),
    threads: options.threads ?? threadLimit(),
    hidden: [...hidden],
  };
}

/** The same of {@link TabularFitOptions}. */
export function checkTabularFit(options: TabularFitOptions): TabularFitOptions {
  const where = "fit";
  checkKeys(where, options, FIT_KEYS);
  const { onEvent, progress, signal, checkpoint, priority, memory } = options;
  if (memory !== undefined && memory !== Number.POSITIVE_INFINITY) checkNumber(`${where}.memory`, memory, { min: 0 });
  if (onEvent !== undefined) checkFunction(`${where}.onEvent`, onEvent);
  if (progress !== undefined) checkBoolean(`${where}.progress`, progress);
  checkSignal(where, signal);
  if (priority !== undefined) checkOneOf(`${where}.priority`, priority, ["normal", "background"]);
  if (checkpoint !== undefined) {
    checkKeys(`${where}.checkpoint`, checkpoint, ["dir", "resume"]);
    checkString(`${where}.checkpoint.dir`, checkpoint.dir);
    if (checkpoint.resume !== undefined) checkBoolean(`${where}.checkpoint.resume`, checkpoint.resume);
  }
  return options;
}

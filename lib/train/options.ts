import { THREADS, threadLimit } from "../binding/threads.js";
import type { BoundExamples, ClassWeights } from "../data/bind.js";
import type { BatchBy, CheckedBatchBy } from "../data/by_length.js";
import { checkNames } from "../data/labels.js";
import type { PackedRows } from "../data/packed.js";
import { checkTransform, isTransform, type Transform, type UnitsOfRows } from "../data/transform.js";
import { CarillonError, fail } from "../errors.js";
import { checkPriority, type Priority } from "../graph/compiled.js";
import type { Evaluation } from "../nn/evaluation/evaluator.js";
import type { Loss } from "../nn/losses/loss.js";
import { checkLosses, type OutputLoss } from "../nn/losses/outputs.js";
import { labelClasses, weightedClasses } from "../nn/meaning/meaning.js";
import type { DataOf, LossesOf, LossWeightsOf, MetricsFor, Some } from "../nn/meaning/row_types.js";
import { findMetricsOf, type MetricKey, type Metrics, type OutputMetric } from "../nn/metrics/metrics.js";
import { type AnyModel, Model } from "../nn/model/model.js";
import { byName } from "../nn/structure/by_name.js";
import type { Taken } from "../nn/structure/chain.js";
import type { InputSize, Sizes } from "../nn/structure/sequence.js";
import { type AverageWeights, type Clip, checkAverage, checkClip } from "../optim/minimizer_options.js";
import type { Optimizer } from "../optim/optimizer.js";
import { checkOptimizers, type Partition } from "../optim/partition.js";
import { checkBoolean, checkFunction, checkKeys, checkNumber, checkOneOf, checkString } from "../options.js";
import { checkBiasRegularizers, checked, type Regularizers } from "../regularizers/index.js";
import { checkSignal } from "../signals.js";
import type { RowSpec, RowSpecs } from "../tensor/row_spec.js";
import type { Callback, Every } from "./callbacks/callback.js";
import { EVERY_EPOCH } from "./callbacks/callbacks.js";
import { checkMonitor } from "./callbacks/monitor.js";
import {
  type CheckedCheckpoint,
  type CheckedResume,
  type CheckpointOptions,
  checkCheckpoint,
  checkEvery,
  checkResume,
  type MonitorCheck,
  type ResumeFrom,
  type ResumeOptions,
} from "./checkpoint/options.js";
import { checkBalanced, checkLengths, checkShuffle } from "./rows_options.js";
import { checkSteps } from "./run/epochs.js";

/**
 * Examples in memory, x: [rows, inputs] and y: labels or [rows, outputs], with a weight ≥ 0 a row if wanted; or a stream of
 * them. Data in memory is copied at the call if it is small (4 MB, training and validation together), otherwise before the start
 * event: until then a change may or may not be seen, and memory that goes away is `ERR_DETACHED`.
 */
export type FitData<In extends Sizes = Taken, Out extends Sizes = Taken> = DataOf<In, Out>;

/** The same of any model, and rows that lie in native memory already. */
export type AnyData = DataOf<Sizes, Sizes> | PackedRows;

/** Options of {@link fit} for any model. */
export interface AnyOptions
  extends Omit<
    FitOptions<MetricsFor<Sizes>, AnyData | undefined, ValidationSchedule | undefined, Sizes, Sizes>,
    "data"
  > {
  readonly data: AnyData;
}

/** One value, or one an input or output of a model whose inputs or outputs have names; `null` takes away what the model has. */
export type ForSome<S extends Sizes, T> = Some<S, T | null> | null;

/** When the validation set is measured. */
export interface ValidationSchedule {
  readonly every: Every;
}

/** Options of {@link fit}. `epochs` or `steps` is required. */
export interface FitOptions<
  M = Metrics,
  V = FitData | undefined,
  S extends ValidationSchedule | undefined = ValidationSchedule | undefined,
  In extends Sizes = Taken,
  Out extends Sizes = Taken,
> {
  readonly data: DataOf<In, Out>;
  /** Measured at the end of every epoch, and of the run. */
  readonly validation?: V;
  /** Measures it after every so many steps or epochs instead, and at the end of the run. */
  readonly validate?: S;
  /**
   * Change of units of the inputs, fitted on `data` and kept by the model: `predict` takes the units of `data`. Left out,
   * the model keeps the one that it has; `null` takes it away.
   */
  readonly inputs?: ForSome<In, Transform> | undefined;
  /** The same for targets that are values: losses are in the new units, metrics and `predict` in those of `data`. */
  readonly targets?: ForSome<Out, Transform> | undefined;
  /** One an output, of a model with named outputs; the total is Σ over outputs of weight·(Σwℓ/Σw). */
  readonly loss: LossesOf<Out>;
  /** The weight of each named output's loss in the total, a number ≥ 0; 1 by default. */
  readonly lossWeights?: LossWeightsOf<Out> | undefined;
  /** One for all parameters, or a partition. */
  readonly optimizer: Optimizer | Partition;
  /** Model-wide, one or several, for weights that have none of their own. */
  readonly regularizer?: Regularizers | undefined;
  /** The same for biases, which are left alone otherwise: penalties only. */
  readonly biasRegularizer?: Regularizers | undefined;
  /** Bounds the gradient of the data loss: its global norm, or each element. */
  readonly clip?: Clip | undefined;
  /** Parts that a batch is worked on in, 1 by default: less memory, the same masks and forward bits. */
  readonly accumulate?: number | undefined;
  /** A moving average of the weights, which validation then measures; `result.averaged()` gives it. */
  readonly averageWeights?: AverageWeights | undefined;
  /**
   * Factors of the weights of training examples by their class: one number ≥ 0 a class, or `'balanced'`, which is
   * examples/(classes·examples of the class). For losses of integer labels, of which each of several places of an example weighs what its class does, and for `binaryCrossEntropy` of one output with
   * targets 0 and 1, `contrastive` likewise, and `hinge` of one output, −1 and 1, which are the classes. Validation is not weighted by them.
   */
  readonly classWeights?: Some<Out, ClassWeights> | undefined;
  /**
   * Names of the classes, that of class k at place k: then labels may be names. The model keeps them, and `predict` gives them
   * back. By default the names that the model has; if it has none and the labels in memory are strings, those of the training
   * examples in the order of their code units. `null` takes them away. Labels of a stream are names only if these are told.
   */
  readonly classes?: ForSome<Out, readonly string[]> | undefined;
  /** Figures besides the loss: names, or what `topK`, `precision`, `recall`, `f1` and `defineMetric` give. */
  readonly metrics?: M | undefined;
  /** Times that all examples are seen. */
  readonly epochs?: number | undefined;
  /** Optimizer steps; instead of, or as a limit to, `epochs`. */
  readonly steps?: number | undefined;
  /** Examples a step, 32 by default; the last batch of an epoch may be shorter. */
  readonly batchSize?: number | undefined;
  /** A new order every epoch, true by default; of data with `carry`, whose rows have their order, false. */
  readonly shuffle?: boolean | undefined;
  /**
   * Puts rows of like length into one batch, of data in memory: rows of `pool` batches together are put in order by the lengths that an input of that name says, and the batches are drawn; `{ lengths: 'lengths' }`.
   * Every row comes once an epoch.
   */
  readonly batchBy?: BatchBy<In extends InputSize ? "x" : keyof In & string> | undefined;
  /** An integer in [0, 2⁵³), 0 by default: initial weights, order, masks. */
  readonly seed?: number | undefined;
  /**
   * Native threads, at most; by default and in no case more than `runtime.threads`, which several runs of the process
   * share evenly. The bits do not depend on it.
   */
  readonly threads?: number | undefined;
  /**
   * `'background'` lowers the operating system's priority of the training threads, so that the run gives way to
   * whatever else wants the processors; it uses threads that other runs leave, and at least one. `'normal'` by default.
   */
  readonly priority?: Priority | undefined;
  /** Steps between step events; none by default. */
  readonly reportEvery?: number | undefined;
  /**
   * `'steps'` keeps the loss of every step for the result's `losses`: 8 bytes a step, of at most 134,217,728 steps (1 GiB). A run that
   * is known to be longer is refused; of a stream that is longer the first ones are kept. Otherwise nothing is kept.
   */
  readonly log?: "steps" | undefined;
  /**
   * Shows a line on a terminal (standard error) while the run goes on: epoch, loss, metrics, rows a second, time left. Elsewhere nothing is written.
   * `false` by default.
   */
  readonly progress?: boolean | undefined;
  readonly callbacks?: readonly Callback[] | undefined;
  /** An aborted signal rejects the run with its reason, after the step in hand. */
  readonly signal?: AbortSignal | undefined;
  /** Writes checkpoints that survive a crash at any moment. */
  readonly checkpoint?: CheckpointOptions | undefined;
  /**
   * A checkpoint to continue: its bytes, the path of its file, or `'auto'`: the newest sound one in `checkpoint.dir`, or a
   * run from its beginning where there is none. `{ from, changed: ['lr'] }` names settings that may differ from its own.
   */
  readonly resume?: ResumeFrom | ResumeOptions | undefined;
}

const KEYS = [
  "data",
  "validation",
  "validate",
  "inputs",
  "targets",
  "loss",
  "lossWeights",
  "optimizer",
  "regularizer",
  "biasRegularizer",
  "clip",
  "accumulate",
  "averageWeights",
  "classWeights",
  "classes",
  "metrics",
  "epochs",
  "steps",
  "batchSize",
  "shuffle",
  "batchBy",
  "seed",
  "threads",
  "priority",
  "reportEvery",
  "log",
  "progress",
  "callbacks",
  "signal",
  "checkpoint",
  "resume",
] as const;

/** Options of what is given to a run, for suggestions. */
const MEANT: Readonly<Record<string, string>> = {
  x: "data.x",
  y: "data.y",
  labels: "data.y",
  weight: "data.weight",
  weights: "data.weight",
  sampleWeight: "data.weight",
  sample_weight: "data.weight",
  lr: "optimizer.lr",
  learningRate: "optimizer.lr",
  learning_rate: "optimizer.lr",
  patience: "callbacks: [earlyStopping({ patience })]",
};

const DEFAULT_BATCH_SIZE = 32;

/** Options with every default filled in and every value checked, but for the data. */
export interface CheckedSettings {
  readonly data: AnyData;
  readonly validationData: AnyData | undefined;
  /** When it is measured. */
  readonly validate: Every;
  /** Of each input. */
  readonly inputs: readonly (Transform | null | undefined)[];
  /** Of each output. */
  readonly targets: readonly (Transform | null | undefined)[];
  readonly classWeights: readonly (ClassWeights | undefined)[];
  readonly classes: readonly (readonly string[] | null | undefined)[];
  readonly epochs: number | undefined;
  readonly limit: number | undefined;
  readonly losses: readonly OutputLoss[];
  readonly optimizer: Optimizer | Partition;
  readonly regularizer: Regularizers;
  readonly biasRegularizer: Regularizers | undefined;
  readonly clip: Clip | undefined;
  readonly accumulate: number;
  readonly averageWeights: AverageWeights | undefined;
  readonly metrics: readonly OutputMetric[];
  readonly batchSize: number;
  readonly shuffle: boolean;
  readonly batchBy: CheckedBatchBy | undefined;
  /** `undefined`: 0, or the seed of the checkpoint that is resumed. */
  readonly seed: number | undefined;
  readonly threads: number;
  readonly priority: Priority;
  readonly reportEvery: number;
  /** Whether the loss of every step is kept. */
  readonly logsSteps: boolean;
  /** Whether a line on a terminal is shown. */
  readonly progress: boolean;
  readonly callbacks: readonly Callback[];
  readonly signal: AbortSignal | undefined;
  readonly checkpoint: CheckedCheckpoint | undefined;
  readonly resume: CheckedResume | undefined;
}

/** Checked options and the data, ready for programs. */
export interface CheckedOptions extends CheckedSettings {
  readonly train: BoundExamples;
  readonly validation: BoundExamples | undefined;
  readonly units: UnitsOfRows;
  /** Of each output. */
  readonly classNames: readonly (readonly string[] | undefined)[];
}

function checkCallback(where: string, callback: Callback): void {
  checkObjectLike(where, callback);
  checkString(`${where}.name`, callback.name);
  const { every, decide, begin, start, end, state, restore } = callback;
  checkFunction(`${where}.decide`, decide);
  for (const [key, hook] of Object.entries({ begin, start, end, state, restore })) {
    if (hook !== undefined) checkFunction(`${where}.${key}`, hook);
  }
  if (every !== undefined) checkEvery(`${where}.every`, every);
}

function checkSchedule(schedule: ValidationSchedule | undefined, validation: AnyData | undefined): Every {
  const where = "fit.validate";
  if (schedule === undefined) return EVERY_EPOCH;
  checkKeys(where, schedule, ["every"]);
  if (validation === undefined) fail("ERR_OPTION", where, "a validation set", validation);
  return checkEvery(`${where}.every`, schedule.every);
}

/** Callbacks may be instances of classes. */
function checkObjectLike(where: string, value: unknown): void {
  if (typeof value !== "object" || value === null) fail("ERR_OPTION", where, "an object", value);
}

function checkCallbacks(callbacks: readonly Callback[], checkFigure: MonitorCheck): readonly Callback[] {
  if (!Array.isArray(callbacks)) fail("ERR_OPTION", "fit.callbacks", "an array", callbacks);
  const names = new Set<string>();
  for (const [index, callback] of callbacks.entries()) {
    checkCallback(`fit.callbacks[${index}]`, callback);
    if (names.has(callback.name))
      fail("ERR_OPTION", `fit.callbacks[${index}].name`, "a name of its own", callback.name);
    names.add(callback.name);
    if (callback.monitor !== undefined) checkFigure(`${callback.name}.monitor`, callback.monitor);
  }
  return [...callbacks];
}

/** Class weights for a loss of integer labels, or a binary one of a single output; else `ERR_OPTION`. */
function checkClassWeights(
  where: string,
  weights: unknown,
  loss: Loss,
  outputs: readonly number[],
): ClassWeights | undefined {
  if (weights === undefined) return undefined;
  const classes = weightedClasses(loss, outputs);
  if (classes === undefined) return fail("ERR_OPTION", where, "no weights, as the loss takes no classes,", weights);
  if (weights === "balanced") return weights;
  if (!Array.isArray(weights) || weights.length !== classes) {
    fail("ERR_OPTION", where, `'balanced' or ${classes} numbers, one a class,`, weights);
  }
  return weights.map((weight, index) => checkNumber(`${where}[${index}]`, weight, { min: 0 }));
}

/** Names of classes for a loss of labels; else `ERR_OPTION`. */
function checkClasses(
  where: string,
  names: unknown,
  loss: Loss,
  outputs: readonly number[],
): readonly string[] | null | undefined {
  if (names === undefined || names === null) return names;
  const classes = labelClasses(loss, outputs);
  if (classes === undefined) fail("ERR_OPTION", where, "no names, as the loss takes no labels,", names);
  return checkNames(where, names, classes);
}

/** Changes of units of inputs of floats; else `ERR_OPTION`. */
function checkInputUnits(given: AnyOptions["inputs"], specs: readonly RowSpec[]): CheckedSettings["inputs"] {
  if (given === null) return specs.map(() => null);
  return byName("fit.inputs", given, "x", specs, "a transform", isTransform).map(({ where, value }, at) => {
    const transform = checkTransform(where, value);
    if (transform && specs[at]?.dtype === "i32")
      fail("ERR_OPTION", where, "none, as the input is integers,", transform);
    if (transform && specs[at]?.bytes)
      fail("ERR_OPTION", where, "none, as the input is bytes that 'images' normalizes,", transform);
    return transform;
  });
}

/** Changes of units of targets that are values; else `ERR_OPTION`. */
function checkTargetUnits(
  given: AnyOptions["targets"],
  specs: readonly RowSpec[],
  losses: readonly OutputLoss[],
): CheckedSettings["targets"] {
  if (given === null) return specs.map(() => null);
  return byName("fit.targets", given, "y", specs, "a transform", isTransform).map(({ where, value }, at) => {
    const transform = checkTransform(where, value);
    const loss = losses[at]?.loss;
    if (transform && (loss?.target ?? "values") !== "values") {
      fail("ERR_OPTION", where, "a loss of values, as targets are transformed,", loss);
    }
    return transform;
  });
}

/** The options of each output's loss. */
function forEach<T>(
  where: string,
  given: unknown,
  what: string,
  { outputs }: RowSpecs,
  losses: readonly OutputLoss[],
  check: (where: string, value: unknown, loss: Loss, outputs: readonly number[]) => T,
): readonly T[] {
  const values = byName(where, given, "y", outputs, what);
  return losses.map(({ loss }, at) => {
    const one = values[at] ?? { where, value: undefined };
    return check(one.where, one.value, loss, outputs[at]?.shape ?? []);
  });
}

/** Checks everything that can be checked without looking at the data. */
export function checkSettings(model: AnyModel, options: AnyOptions): CheckedSettings {
  if (!(model instanceof Model)) fail("ERR_OPTION", "fit.model", "a model", model);
  checkKeys("fit", options, KEYS, MEANT);
  const count = (key: "epochs" | "steps" | "batchSize" | "accumulate" | "reportEvery"): number | undefined => {
    const value = options[key];
    return value === undefined ? undefined : checkNumber(`fit.${key}`, value, { min: 1, integer: true });
  };
  const { rows } = model;
  const called = { loss: "fit.loss", weights: "fit.lossWeights" };
  const losses = checkLosses(called, options.loss, options.lossWeights, rows.outputs);
  const epochs = count("epochs");
  const limit = count("steps");
  if (limit !== undefined) checkSteps("fit.steps", limit);
  if (epochs !== undefined && limit === undefined) checkSteps("fit.epochs", epochs);
  if (epochs === undefined && limit === undefined) {
    throw new CarillonError("ERR_OPTION", "fit.epochs", "expected a number >= 1 for 'fit.epochs' or 'fit.steps'");
  }
  const regularizer = checked("fit.regularizer", options.regularizer) ?? null;
  const biasRegularizer = checked("fit.biasRegularizer", options.biasRegularizer);
  checkBiasRegularizers("fit.biasRegularizer", biasRegularizer);
  const clip = checkClip("fit.clip", options.clip) ?? undefined;
  const averageWeights = checkAverage("fit.averageWeights", options.averageWeights) ?? undefined;
  const signal = checkSignal("fit", options.signal);
  if (options.seed !== undefined) checkNumber("fit.seed", options.seed, { min: 0, integer: true });
  const shuffle = checkShuffle(options);
  const optimizer = checkOptimizers("fit.optimizer", options.optimizer);
  const found = findMetricsOf("fit.metrics", options.metrics, rows.outputs);
  const names = found.map(({ name }) => name);
  const hasValidation = options.validation !== undefined;
  const checkFigure: MonitorCheck = (where, figure) => checkMonitor(where, figure, names, hasValidation);
  const callbacks = checkCallbacks(options.callbacks ?? [], checkFigure);
  const validate = checkSchedule(options.validate, options.validation);
  const checkpoint = checkCheckpoint(options.checkpoint, checkFigure);
  const resume = checkResume(options.resume, checkpoint);
  const threads = options.threads === undefined ? threadLimit() : checkNumber("fit.threads", options.threads, THREADS);

  const targets = checkTargetUnits(options.targets, rows.outputs, losses);
  return {
    data: options.data,
    validationData: options.validation,
    validate,
    inputs: checkInputUnits(options.inputs, rows.inputs),
    targets,
    classWeights: checkBalanced(
      model,
      forEach("fit.classWeights", options.classWeights, "weights", rows, losses, checkClassWeights),
      losses,
    ),
    classes:
      options.classes === null
        ? losses.map(() => null)
        : forEach("fit.classes", options.classes, "names", rows, losses, checkClasses),
    epochs,
    limit,
    losses,
    optimizer,
    regularizer,
    biasRegularizer,
    clip,
    accumulate: count("accumulate") ?? 1,
    averageWeights,
    metrics: found,
    batchSize: count("batchSize") ?? DEFAULT_BATCH_SIZE,
    shuffle,
    batchBy: checkLengths(options, rows),
    seed: options.seed,
    threads,
    priority: checkPriority("fit.priority", options.priority),
    reportEvery: count("reportEvery") ?? 0,
    logsSteps: options.log !== undefined && checkOneOf("fit.log", options.log, ["steps"]) === "steps",
    progress: checkBoolean("fit.progress", options.progress ?? false),
    callbacks,
    signal,
    checkpoint,
    resume,
  };
}

/** The validation's part of the events of epochs. */
export type ValidationOf<M, V, S> = V extends undefined
  ? undefined
  : S extends undefined
    ? Evaluation<MetricKey<M>>
    : Evaluation<MetricKey<M>> | undefined;

import { type BoundExamples, type Interruption, measureExamples } from "../data/bind.js";
import { bindData } from "../data/bind_stream.js";
import type { ExampleShape } from "../data/block.js";
import { type Held, hold, isSmall } from "../data/held.js";
import { findNames, namesText } from "../data/labels.js";
import { type Answers, Measurement } from "../data/measure.js";
import { measureStream } from "../data/measure_stream.js";
import { Dataset } from "../data/stream.js";
import type { Affine, Transform, Transforms } from "../data/transform.js";
import { CarillonError, fail } from "../errors.js";
import { labelClasses } from "../nn/meaning.js";
import type { Model } from "../nn/model.js";
import { type Course, checkSteps, MemoryCourse, StreamCourse, type StreamProgress, type Turning } from "./course.js";
import type { CheckedOptions, CheckedSettings, FitData } from "./options.js";
import { checkLogged } from "./step_losses.js";

/** Rows of a batch at validation. */
export const EVALUATION_BATCH = 256;

/** The data of a run as it was at the call. */
export interface HeldData {
  readonly train: Held<FitData>;
  readonly validation: Held<FitData> | undefined;
}

/** Copies data in memory at once if it is small, training and validation together. */
export function holdData({ data, validationData }: CheckedSettings): HeldData {
  const atOnce = isSmall(data, validationData);
  const validation = validationData === undefined ? undefined : hold("fit.validation", validationData, atOnce);
  return { train: hold("fit.data", data, atOnce), validation };
}

/**
 * Copies data in memory, opens streams, and fits the transforms on the training examples. Rejects with the reason of an abort of
 * `signal`.
 */
export async function prepareData(
  model: Model,
  given: CheckedSettings,
  { train: held, validation: heldValidation }: HeldData,
  resumed: TakenUp,
  signal: AbortSignal,
): Promise<CheckedOptions> {
  const settings = { ...given, data: held.data, validationData: heldValidation?.data };
  const { data, validationData, batchSize } = settings;
  const { is: names } = resumed.names ?? { is: await namesFor(model, settings, signal) };
  const target = settings.loss.target ?? "values";
  const shape = { ...model.columns, target, names } as const;
  const { unchanged } = held;
  const { transforms, classFactors } = await measureTraining(model, settings, shape, resumed.units, {
    unchanged,
    signal,
  });
  const train = await bindData("fit.data", data, {
    shape,
    batch: batchSize,
    transforms,
    classFactors,
    shuffle: settings.shuffle,
    pass: "epoch",
    unchanged,
    signal,
  });
  try {
    // In the units of the training: nothing is fitted on it.
    const options = {
      shape,
      batch: EVALUATION_BATCH,
      transforms,
      unchanged: heldValidation?.unchanged,
      signal,
    } as const;
    const validation: BoundExamples | undefined =
      validationData === undefined ? undefined : await bindData("fit.validation", validationData, options);
    const batch = data instanceof Dataset ? batchSize : Math.min(batchSize, train.samples);
    expectCountable(settings, train, batch, resumed);
    const accumulate = Math.min(settings.accumulate, batch);
    return { ...settings, train, validation, transforms, classNames: names, batchSize: batch, accumulate };
  } catch (error) {
    await train.stream?.close();
    throw error;
  }
}

/** The names of classes that a run is told of, those that the model has, or those of the labels. */
async function namesFor(
  model: Model,
  { data, loss, classes: given }: CheckedSettings,
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  const classes = labelClasses(loss, model.columns.outputs);
  if (classes === undefined || given === null) return undefined;
  const known = given ?? (model.classNames?.length === classes ? model.classNames : undefined);
  if (known !== undefined || data instanceof Dataset) return known;
  const y: unknown = typeof data === "object" && data !== null ? data.y : undefined; // checked as it is bound
  const found = await findNames(y, signal);
  if (found === undefined || found.length === classes) return found;
  const labels = Array.isArray(y) ? (y as readonly unknown[]) : [];
  const other = labels.findIndex((label) => typeof label !== "string");
  if (other >= 0) fail("ERR_LABEL", "fit.data.y", `a name in row ${other}, as row 0 has one,`, labels[other]);
  const received = `${found.length}: ${namesText(found)}; the option 'classes' names all`;
  const problem = `expected ${classes} names for 'fit.data.y', as the model tells so many classes apart, but received ${received}`;
  throw new CarillonError("ERR_LABEL", "fit.data.y", problem);
}

/** `ERR_OPTION` where a run would have more steps than can be counted, or kept, as far as that is known. */
function expectCountable(
  { epochs, limit, logsSteps }: CheckedSettings,
  train: BoundExamples,
  batch: number,
  turning: Turning,
): void {
  const { steps } =
    train.stream === undefined
      ? new MemoryCourse({ samples: train.samples, batch, epochs, limit }, turning)
      : { steps: limit };
  const where = steps === limit ? "fit.steps" : "fit.epochs";
  if (steps === undefined) return;
  checkSteps(where, steps);
  if (logsSteps) checkLogged(where, steps);
}

/** The transform that a run is told of, none, or the one that the model has. */
async function measureTraining(
  model: Model,
  { data, inputs, targets, classWeights }: CheckedSettings,
  shape: ExampleShape,
  units: TakenUp["units"],
  interruption: Interruption,
): Promise<{ readonly transforms: Transforms; readonly classFactors: readonly number[] | undefined }> {
  const questions = {
    inputs: units.inputs === undefined ? (inputs ?? undefined) : undefined,
    targets: units.targets === undefined ? (targets ?? undefined) : undefined,
    classWeights,
  };
  const ask = (): Promise<Answers> => {
    if (!(data instanceof Dataset)) return measureExamples("fit.data", data, shape, questions, interruption);
    return measureStream("fit.data", data, shape, questions, interruption.signal);
  };
  const none: Answers = {
    transforms: {},
    classFactors: Array.isArray(classWeights) ? (classWeights as readonly number[]) : undefined,
  };
  const { transforms: fitted, classFactors } = Measurement.needed(questions) ? await ask() : none;
  const choose = (key: keyof Transforms, transform: Transform | null | undefined): Transforms[typeof key] =>
    units[key] === undefined ? (transform === undefined ? model.transforms[key] : fitted[key]) : units[key].is;
  // Units of values that the model has are none of labels that it learns now.
  const ofTargets = shape.target === "values" ? choose("targets", targets) : undefined;
  return { transforms: { inputs: choose("inputs", inputs), targets: ofTargets }, classFactors };
}

/** What of a run that is continued decides how its data is gone through. */
export interface TakenUp extends Turning {
  /** In a stream; `null` for data in memory. */
  readonly place: StreamProgress | null;
  readonly stoppedBy: string | null;
  /** Transforms that are not fitted on the data: those that the run has had before. */
  readonly units: Readonly<Partial<Record<keyof Transforms, { readonly is: Affine | undefined }>>>;
  /** The same of the names of classes. */
  readonly names: { readonly is: readonly string[] | undefined } | undefined;
}

/** The course of a run through its data, behind `step`; of one that a callback has stopped nothing is read. */
export function makeCourse(
  { train, data, batchSize: batch, epochs, limit, shuffle }: CheckedOptions,
  seed: number,
  step: number,
  resumed: TakenUp,
): Course {
  const { samples, stream } = train;
  if (stream === undefined) return new MemoryCourse({ samples, batch, epochs, limit }, resumed);
  const { place, stoppedBy, cut } = resumed;
  const shuffleBuffer = shuffleBufferOf({ data, shuffle }) ?? 1;
  const options = { seed, batch, epochs, limit, shuffleBuffer, reads: stoppedBy === null, cut };
  return new StreamCourse(stream, options, step, place);
}

/** A stream with a single pass cannot be read again from the beginning of an epoch: `ERR_STATE`. */
export function refuseOneShot(data: FitData): void {
  if (data instanceof Dataset) data.expectPasses("fit.data", "a resume");
}

/** Before anything is done: streams with a single pass of which a run is sure to need a second one are `ERR_STATE`. */
export function refuseSecondPasses(settings: CheckedSettings): void {
  const { data, validationData, epochs, limit, validate } = settings;
  // With `steps` as well a run may be over before its first epoch is.
  if (data instanceof Dataset && (epochs ?? 1) > 1 && limit === undefined) data.expectPasses("fit.data", "epoch 2");
  if (!(validationData instanceof Dataset)) return;
  const { epochs: everyEpochs, steps: everySteps } = validate;
  const sure =
    (everyEpochs !== undefined && limit === undefined && (epochs ?? 0) > everyEpochs) ||
    (everySteps !== undefined && epochs === undefined && (limit ?? 0) > everySteps);
  if (sure) validationData.expectPasses("fit.validation", "validation 2");
}

/** Examples in memory; 0 for a stream. */
export function samplesOf({ train }: Pick<CheckedOptions, "train">): number {
  return train.stream === undefined ? train.samples : 0;
}

/** Examples that a stream is shuffled with; `null` for data in memory. */
export function shuffleBufferOf({ data, shuffle }: Pick<CheckedSettings, "data" | "shuffle">): number | null {
  if (!(data instanceof Dataset)) return null;
  return shuffle ? data.shuffleBuffer : 1;
}

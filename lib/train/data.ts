import { type BoundExamples, measureExamples } from "../data/bind.js";
import { bindData } from "../data/bind_stream.js";
import type { ExampleShape } from "../data/block.js";
import { isCarried } from "../data/carry.js";
import type { Interruption } from "../data/chunks.js";
import { type Held, hold, isSmall } from "../data/held.js";
import { findNames, namesText } from "../data/labels.js";
import { type Answers, type ClassFactors, Measurement, type Questions } from "../data/measure.js";
import { measureStream } from "../data/measure_stream.js";
import { PackedRows } from "../data/packed.js";
import { Dataset } from "../data/stream.js";
import { type Affine, NO_UNITS, type Transform, type UnitsOfRows, unitColumns } from "../data/transform.js";
import { CarillonError, fail } from "../errors.js";
import { exampleShape, type OutputLoss } from "../nn/losses/outputs.js";
import { labelClasses, targetUnits } from "../nn/meaning/meaning.js";
import type { AnyModel } from "../nn/model/model.js";
import { areMembers } from "../tensor/copied.js";
import { areNamed, pathsOf } from "../tensor/row_spec.js";
import type { AnyData, CheckedOptions, CheckedSettings } from "./options.js";
import {
  checkSteps,
  type Epochs,
  MemoryEpochs,
  StreamEpochs,
  type StreamProgress,
  type Turning,
} from "./run/epochs.js";
import { checkLogged } from "./run/step_losses.js";

/** Rows of a batch at validation. */
export const EVALUATION_BATCH = 256;

/** The data of a run as it was at the call. */
export interface HeldData {
  readonly train: Held<AnyData>;
  readonly validation: Held<AnyData> | undefined;
}

/** Copies data in memory at once if it is small, training and validation together. */
export function holdData({ data, validationData }: CheckedSettings): HeldData {
  const atOnce = isSmall(data, validationData);
  const validation = validationData === undefined ? undefined : hold("fit.validation", validationData, atOnce);
  return { train: hold("fit.data", data, atOnce), validation };
}

/**
 * Copies data in memory, opens streams, and fits the transforms on the training examples; `read` is told how many of a stream were read for that.
 * Rejects with the reason of an abort of `signal`.
 */
export async function prepareData(
  model: AnyModel,
  given: CheckedSettings,
  { train: held, validation: heldValidation }: HeldData,
  resumed: TakenUp,
  { signal, read }: { readonly signal: AbortSignal; readonly read: (examples: number) => void },
): Promise<CheckedOptions> {
  const settings = { ...given, data: held.data, validationData: heldValidation?.data };
  const { data, validationData, batchSize } = settings;
  const { is: names } = resumed.names ?? { is: await namesFor(model, settings, signal) };
  const shape = exampleShape(model.rows, settings.losses, names);
  const { unchanged } = held;
  const { units, classFactors } = await measureTraining(model, settings, shape, resumed.units, {
    unchanged,
    signal,
    read,
  });
  const train = await bindData("fit.data", data, {
    shape,
    batch: batchSize,
    units,
    classFactors,
    shuffle: settings.shuffle,
    batchBy: settings.batchBy,
    pass: "epoch",
    unchanged,
    signal,
  });
  try {
    // In the units of the training: nothing is fitted on it.
    const options = {
      shape,
      batch: isCarried(validationData) ? batchSize : EVALUATION_BATCH,
      units,
      unchanged: heldValidation?.unchanged,
      signal,
    } as const;
    const validation: BoundExamples | undefined =
      validationData === undefined ? undefined : await bindData("fit.validation", validationData, options);
    const batch = data instanceof Dataset ? batchSize : Math.min(batchSize, train.samples);
    expectCountable(settings, train, batch, resumed);
    const accumulate = Math.min(settings.accumulate, batch);
    return { ...settings, train, validation, units, classNames: names, batchSize: batch, accumulate };
  } catch (error) {
    await train.stream?.close();
    throw error;
  }
}

/** Whether data is a set of the caller's memory. */
function isInMemory(data: AnyData): data is Exclude<AnyData, Dataset | PackedRows> {
  return typeof data === "object" && data !== null && !(data instanceof Dataset) && !(data instanceof PackedRows);
}

/** The names of the classes of each output. */
async function namesFor(model: AnyModel, settings: CheckedSettings, signal: AbortSignal): Promise<Names> {
  const { data, losses } = settings;
  const { outputs } = model.rows;
  const given: unknown = isInMemory(data) ? data.y : undefined;
  const paths = pathsOf("y", outputs);
  const names: (readonly string[] | undefined)[] = [];
  for (const [at, own] of losses.entries()) {
    const spec = outputs[at];
    const y: unknown = areNamed("y", outputs) && areMembers(given) ? given[spec?.name ?? ""] : given; // checked as it is bound
    const known = { given: settings.classes[at], known: model.meaning.outputs[at]?.classNames };
    names.push(await namesOf(`fit.data.${paths[at]}`, own, spec?.shape ?? [], known, y, signal));
  }
  return names;
}

/** The names that a run is told of, those that the model has, or those of the labels, which a stream does not tell beforehand. */
async function namesOf(
  where: string,
  { loss }: OutputLoss,
  outputs: readonly number[],
  {
    given,
    known: kept,
  }: { readonly given: readonly string[] | null | undefined; readonly known: readonly string[] | undefined },
  y: unknown,
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  const classes = labelClasses(loss, outputs);
  if (classes === undefined || given === null) return undefined;
  const known = given ?? (kept?.length === classes ? kept : undefined);
  if (known !== undefined) return known;
  const found = await findNames(y, signal);
  if (found === undefined || found.length === classes) return found;
  const labels = Array.isArray(y) ? (y as readonly unknown[]) : [];
  const other = labels.findIndex((label) => typeof label !== "string");
  if (other >= 0) fail("ERR_LABEL", where, `a name in row ${other}, as row 0 has one,`, labels[other]);
  const received = `${found.length}: ${namesText(found)}; the option 'classes' names all`;
  const problem = `expected ${classes} names for '${where}', as the model tells so many classes apart, but received ${received}`;
  throw new CarillonError("ERR_LABEL", where, problem);
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
      ? new MemoryEpochs({ samples: train.samples, batch, epochs, limit }, turning)
      : { steps: limit };
  const where = steps === limit ? "fit.steps" : "fit.epochs";
  if (steps === undefined) return;
  checkSteps(where, steps);
  if (logsSteps) checkLogged(where, steps);
}

/** Changes of units of each input and output: what a run is told of, fitted on its data; none; or what the model has. */
async function measureTraining(
  model: AnyModel,
  { data, inputs, targets, classWeights }: CheckedSettings,
  shape: ExampleShape,
  units: TakenUp["units"],
  interruption: Interruption & { readonly read: (examples: number) => void },
): Promise<{ readonly units: UnitsOfRows; readonly classFactors: ClassFactors }> {
  const asked = (
    kept: KeptUnits,
    given: readonly (Transform | null | undefined)[],
    at: number,
  ): Transform | undefined => (kept?.[at] === undefined ? (given[at] ?? undefined) : undefined);
  const questions: Questions = {
    inputs: shape.inputs.map((_, at) => asked(units.inputs, inputs, at)),
    targets: shape.targets.map((_, at) => {
      return { transform: asked(units.targets, targets, at), classWeights: classWeights[at] };
    }),
  };
  const ask = (): Promise<Answers> => {
    if (data instanceof PackedRows)
      return fail("ERR_OPTION", "fit.data", "examples that transforms are fitted on", data);
    if (!(data instanceof Dataset)) return measureExamples("fit.data", data, shape, questions, interruption);
    return measureStream("fit.data", data, shape, questions, interruption.signal, interruption.read);
  };
  const none: Answers = {
    units: NO_UNITS,
    classFactors: classWeights.map((weights) => (weights === "balanced" ? undefined : weights)),
  };
  const { units: fitted, classFactors } = Measurement.needed(questions) ? await ask() : none;
  const choose = (
    kept: KeptUnits,
    given: Transform | null | undefined,
    known: Affine | undefined,
    found: Affine | undefined,
    at: number,
  ): Affine | undefined => {
    const own = kept?.[at];
    return own === undefined ? (given === undefined ? known : found) : own.is;
  };
  const { meaning } = model;
  return {
    units: {
      inputs: shape.inputs.map((_, at) => choose(units.inputs, inputs[at], meaning.inputs[at], fitted.inputs[at], at)),
      targets: shape.targets.map(({ target, shape: axes }, at) => {
        // Units of values that the model has are none of labels that it learns now.
        if (target !== "values") return undefined;
        const found = choose(units.targets, targets[at], meaning.outputs[at]?.units, fitted.targets[at], at);
        return targetUnits(found, unitColumns(axes));
      }),
    },
    classFactors,
  };
}

/** Transforms that are not fitted on the data: those that a run has had before. */
type KeptUnits = readonly ({ readonly is: Affine | undefined } | undefined)[] | undefined;

/** Names of the classes of each output. */
type Names = readonly (readonly string[] | undefined)[];

/** The part of a continued run that decides how its data is gone through. */
export interface TakenUp extends Turning {
  /** In a stream; `null` for data in memory. */
  readonly place: StreamProgress | null;
  readonly stoppedBy: string | null;
  /** Of inputs and outputs, in their order. */
  readonly units: { readonly inputs?: KeptUnits; readonly targets?: KeptUnits };
  /** The same of the names of classes. */
  readonly names: { readonly is: Names } | undefined;
}

/** The epochs of a run through its data, behind `step`; of one that a callback has stopped nothing is read. */
export function makeEpochs(
  { train, data, batchSize: batch, epochs, limit, shuffle }: CheckedOptions,
  seed: number,
  step: number,
  resumed: TakenUp,
): Epochs {
  const { samples, stream } = train;
  const begin = train.byLength && ((epoch: number): void => train.byLength?.begin(epoch, seed));
  if (stream === undefined) return new MemoryEpochs({ samples, batch, epochs, limit, begin }, resumed);
  const { place, stoppedBy, cut } = resumed;
  const shuffleBuffer = shuffleBufferOf({ data, shuffle }) ?? 1;
  const options = { seed, batch, epochs, limit, shuffleBuffer, reads: stoppedBy === null, cut };
  return new StreamEpochs(stream, options, step, place);
}

/** A stream with a single pass cannot be read again from the beginning of an epoch: `ERR_STATE`. */
export function refuseOneShot(data: AnyData): void {
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

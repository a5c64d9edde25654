import { Turns } from "../data/turns.js";
import type { CompiledProgram } from "../graph/compiled.js";
import type { CarriedLanes } from "../nn/evaluation/carried.js";
import { measuredSets, unitsOf } from "../nn/evaluation/evaluator.js";
import { Meter } from "../nn/metrics/meter.js";
import type { AnyModel } from "../nn/model/model.js";
import { Minimizer } from "../optim/minimizer.js";
import type { Telling } from "../optim/words.js";
import type { CheckpointFile, CheckpointFolder } from "./checkpoint/folder.js";
import { checkData, findCheckpoint, RESUME, type Resumed } from "./checkpoint/resume.js";
import { type Settings, type SettingsSource, settingsOf, type ToldSettings } from "./checkpoint/settings.js";
import { shuffleBufferOf } from "./data.js";
import type { FiniteCheck } from "./finite.js";
import type { CheckedOptions, CheckedSettings } from "./options.js";
import { Validator } from "./run/validator.js";
import { type CompiledStep, compileStep, type RowNeeds, type StepOptions } from "./step.js";
import { type StepProgram, StepPrograms } from "./step_programs.js";
import { trimmedTimes, withFewerSteps } from "./trimmed.js";

/** A run before its data is looked at. */
export interface Beginning {
  readonly minimizer: Minimizer;
  /** Made when somebody first asks: they ask users' functions. They hold on to no data. */
  readonly settings: ToldSettings;
  readonly resumed: Resumed;
  readonly folder: CheckpointFolder | undefined;
}

/** A run before its first step. */
export interface Parts extends Beginning {
  readonly seed: number;
  readonly program: StepProgram;
  /** The checks of its guard, by the number that a fault reports. */
  readonly checks: readonly FiniteCheck[];
  readonly rowNeeds: RowNeeds;
  /** Where rows go on from one another. */
  readonly carried: CarriedLanes | undefined;
  /** Metrics of the training examples. */
  readonly meter: Meter;
  readonly validator: Validator;
  /** Checkpoints in its folder that are its own. */
  readonly files: readonly CheckpointFile[];
  /** Gives a model its first weights. */
  readonly initialize: (() => void) | undefined;
}

/** Finds what is to be continued. A folder that cannot be had, or a checkpoint that does not fit, throws here. */
export async function findBeginning(
  model: AnyModel,
  options: CheckedSettings,
  folder: CheckpointFolder | undefined,
): Promise<Beginning> {
  await folder?.inspect();
  const { optimizer, regularizer, biasRegularizer, clip, averageWeights, validate, validationData } = options;
  const minimizer = new Minimizer([model], optimizer, { regularizer, biasRegularizer, clip, averageWeights });
  const { losses, accumulate, classWeights, batchSize, shuffle, batchBy } = options;
  const source: SettingsSource = {
    ...{ losses, regularizer, biasRegularizer, clip, accumulate, classWeights, batchSize, shuffle, batchBy },
    validate: validationData === undefined ? null : validate,
    shuffleBuffer: shuffleBufferOf(options),
  };
  const made = new Map<Telling, Settings>();
  const settings: ToldSettings = (telling) => {
    const told = made.get(telling) ?? settingsOf(model, minimizer, source, telling);
    made.set(telling, told);
    return told;
  };
  return { minimizer, settings, folder, resumed: await findCheckpoint(model, minimizer, options, folder, settings) };
}

/**
 * Traces and verifies the step and the validation, and looks into the folder. Data, a layer, loss, metric or folder that does not fit
 * throws here; neither the model nor a callback has been told anything by then, and the folder is as it was. Rejects with the reason of
 * an abort of `signal`.
 */
export async function makeParts(
  model: AnyModel,
  options: CheckedOptions,
  beginning: Beginning,
  signal: AbortSignal,
): Promise<Parts> {
  const { losses, metrics, train } = options;
  const { minimizer, resumed, folder } = beginning;
  const { checkpoint, passedOver, origin } = resumed;
  checkData(model, resumed, options);
  const seed = checkpoint?.progress.seed ?? options.seed ?? 0;
  const meter = new Meter(metrics, measuredSets("fit.metrics", model, losses, metrics, unitsOf(train)));
  const turns = new Turns(signal);
  const step = await compileSteps(model, minimizer, seed, { ...options, meter, origin }, turns);
  const { lanes } = checkpoint?.progress.data ?? {};
  if (lanes !== undefined && options.resume?.newData === false) step.carried?.restore(lanes, resumed.path ?? RESUME);
  const validator = await Validator.inTurns(model, minimizer, options, turns);
  const drawn = !model.initialized && checkpoint === undefined;
  const initialize = drawn ? await model.prepareInitial(seed, signal) : undefined;
  const useless = passedOver.map(({ path }) => path);
  const files = (await folder?.filesUntil(checkpoint?.progress.step ?? 0, useless)) ?? [];
  return { ...beginning, ...step, seed, meter, validator, files, initialize };
}

/** The step of a run: one program, or, of batches of rows of like length, one for each of some numbers of steps that sequences have. */
async function compileSteps(
  model: AnyModel,
  minimizer: Minimizer,
  seed: number,
  options: StepOptions,
  turns: Turns,
): Promise<Omit<CompiledStep, "program"> & { readonly program: StepProgram }> {
  const { byLength } = options.train;
  const [time, ...longer] = trimmedTimes(model, byLength);
  const compile = (one: typeof time): Promise<CompiledStep> =>
    withFewerSteps(one, () => turns.through(compileStep(model, minimizer, seed, { ...options, time: one })));
  const first = await compile(time);
  if (byLength === undefined || time === undefined) return first;
  const others: CompiledProgram[] = [];
  for (const one of longer) others.push((await compile(one)).program);
  const sizes = [time, ...longer].map((one) => one?.steps ?? 0);
  const placeOf = (step: number): number => {
    const longest = byLength.longestOf((step - 1 - (options.origin?.step ?? 0)) % byLength.batches);
    const place = sizes.findIndex((size) => size >= longest);
    return place < 0 ? sizes.length - 1 : place; // a length that there is not is told by the program of the longest
  };
  return { ...first, program: new StepPrograms(first.program, others, placeOf) };
}

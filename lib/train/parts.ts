import type { CompiledProgram } from "../graph/compiled.js";
import { measuredSet } from "../nn/evaluator.js";
import { Meter } from "../nn/meter.js";
import type { Model } from "../nn/model.js";
import { Minimizer } from "../optim/minimizer.js";
import { type CheckpointFile, checkFolder } from "./checkpoint_store.js";
import { refuseOneShot } from "./data.js";
import type { CheckedOptions } from "./options.js";
import { FROM_THE_BEGINNING, findCheckpoint, type Resumed } from "./resume.js";
import { compileStep } from "./step.js";
import { Validator } from "./validator.js";

/** What a run begins with. */
export interface Parts {
  readonly minimizer: Minimizer;
  readonly resumed: Resumed;
  readonly seed: number;
  readonly program: CompiledProgram;
  /** Metrics of the training examples. */
  readonly meter: Meter;
  readonly validator: Validator;
  /** Checkpoints in its folder that are its own. */
  readonly files: readonly CheckpointFile[];
  /** Gives a model its first weights. */
  readonly initialize: (() => void) | undefined;
}

/**
 * Finds what is to be continued, traces and verifies the step and the validation, and looks into the folder. A checkpoint, layer,
 * loss, metric or folder that does not fit throws here; neither the model nor a callback has been told anything by then, and the folder
 * is as it was. Rejects with the reason of an abort of `signal`.
 */
export async function makeParts(model: Model, options: CheckedOptions, signal: AbortSignal): Promise<Parts> {
  const {
    optimizer,
    regularizer,
    biasRegularizer,
    clip,
    averageWeights,
    resume,
    checkpoint: folder,
    loss,
    metrics,
  } = options;
  const minimizer = new Minimizer([model], optimizer, { regularizer, biasRegularizer, clip, averageWeights });
  const resumed = resume === undefined ? FROM_THE_BEGINNING : await findCheckpoint(model, minimizer, options);
  const { checkpoint, passedOver } = resumed;
  if (checkpoint !== undefined) refuseOneShot(options.data);
  const seed = checkpoint?.progress.seed ?? options.seed ?? 0;
  const meter = new Meter(metrics, measuredSet("fit.metrics", model, loss, metrics, options.train));
  const program = compileStep(model, minimizer, seed, { ...options, meter, guarded: true });
  const validator = new Validator(model, minimizer, options);
  const drawn = !model.initialized && checkpoint === undefined;
  const initialize = drawn ? await model.prepareInitial(seed, signal) : undefined;
  const useless = passedOver.map(({ path }) => path);
  const files = folder === undefined ? [] : await checkFolder(folder.dir, checkpoint?.progress.step ?? 0, useless);
  return { minimizer, resumed, seed, program, meter, validator, files, initialize };
}

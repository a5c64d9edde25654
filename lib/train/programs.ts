import type { CompiledProgram } from "../graph/compiled.js";
import { Meter } from "../nn/meter.js";
import type { Model } from "../nn/model.js";
import type { Minimizer } from "../optim/minimizer.js";
import type { CheckedOptions } from "./options.js";
import { compileStep } from "./step.js";
import { Validator } from "./validator.js";

/** What a run is traced into before it changes or writes anything. */
export interface RunPrograms {
  readonly step: CompiledProgram;
  /** Metrics of the training examples. */
  readonly meter: Meter;
  readonly validator: Validator;
}

/** Traces and verifies the step and the validation of a run. A layer, loss or metric that does not fit throws here. */
export function compileRun(model: Model, minimizer: Minimizer, seed: number, options: CheckedOptions): RunPrograms {
  const meter = new Meter(options.metrics, { where: "fit.metrics", loss: options.loss, outputs: model.outputs });
  const step = compileStep(model, minimizer, seed, { ...options, meter, guarded: true });
  return { step, meter, validator: new Validator(model, minimizer, options) };
}

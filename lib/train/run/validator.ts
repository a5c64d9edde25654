import type { Effort } from "../../graph/compiled.js";
import { type Evaluation, Evaluator } from "../../nn/evaluation/evaluator.js";
import type { RunControl } from "../../nn/evaluation/run_control.js";
import type { ModelBody } from "../../nn/model/body.js";
import type { AnyModel } from "../../nn/model/model.js";
import type { Minimizer } from "../../optim/minimizer.js";
import { EVALUATION_BATCH } from "../data.js";
import type { CheckedOptions } from "../options.js";

/** Measures a run's validation set: with the weights of the model, or with their averages where the run keeps some. */
export class Validator {
  readonly #model: AnyModel;
  readonly #minimizer: Minimizer;
  readonly #effort: Effort;
  /** The model that is measured: that of the run, or one that is given the averaged weights before. */
  readonly #measured: ModelBody;
  readonly #evaluator: Evaluator | undefined;

  constructor(model: AnyModel, minimizer: Minimizer, options: CheckedOptions) {
    const { losses, metrics, validation, averageWeights, threads, priority } = options;
    this.#model = model;
    this.#minimizer = minimizer;
    this.#effort = { threads, priority };
    this.#measured = averageWeights === undefined ? model : model.bare();
    if (validation === undefined) return;
    this.#evaluator = new Evaluator("fit.metrics", this.#measured, losses, metrics, validation, EVALUATION_BATCH);
  }

  /** Whether there is no set. */
  get empty(): boolean {
    return this.#evaluator === undefined;
  }

  /** `undefined` if the run was stopped meanwhile. */
  async run(control: RunControl): Promise<Evaluation | undefined> {
    const averages = this.#minimizer.averages(this.#model);
    if (averages !== undefined) this.#measured.restore(averages, "averageWeights");
    return await this.#evaluator?.run(control, this.#effort);
  }

  /** The weights that are measured, by name. */
  weights(): ReadonlyMap<string, Float32Array> {
    const averages = this.#minimizer.averages(this.#model);
    return averages ?? new Map([...this.#model.weights()].map(([name, { data }]) => [name, data]));
  }
}

import type { Turns } from "../../data/turns.js";
import type { Effort } from "../../graph/compiled.js";
import { type Evaluation, Evaluator } from "../../nn/evaluation/evaluator.js";
import type { RunControl } from "../../nn/evaluation/run_control.js";
import type { ModelBody } from "../../nn/model/body.js";
import type { AnyModel } from "../../nn/model/model.js";
import type { Minimizer } from "../../optim/minimizer.js";
import { EVALUATION_BATCH } from "../data.js";
import type { CheckedOptions } from "../options.js";

/** The model that is measured, and what measures it, if there is a set. */
interface Measured {
  readonly model: ModelBody;
  readonly evaluator: Evaluator | undefined;
}

/** Measures a run's validation set: with the weights of the model, or with their averages where the run keeps some. */
export class Validator {
  readonly #model: AnyModel;
  readonly #minimizer: Minimizer;
  readonly #effort: Effort;
  /** The model that is measured: that of the run, or one that is given the averaged weights before. */
  readonly #measured: ModelBody;
  readonly #evaluator: Evaluator | undefined;

  private constructor(model: AnyModel, minimizer: Minimizer, options: CheckedOptions, measured: Measured) {
    const { threads, priority } = options;
    this.#model = model;
    this.#minimizer = minimizer;
    this.#effort = { threads, priority };
    this.#measured = measured.model;
    this.#evaluator = measured.evaluator;
  }

  /** Records and compiles what measures it, with turns of the event loop in between. */
  static async inTurns(
    model: AnyModel,
    minimizer: Minimizer,
    options: CheckedOptions,
    turns: Turns,
  ): Promise<Validator> {
    const { losses, metrics, validation, averageWeights } = options;
    const measured = averageWeights === undefined ? model : model.bare();
    const own = { metrics, batchSize: EVALUATION_BATCH, turns };
    const evaluator =
      validation && (await Evaluator.inTurns("fit.metrics", measured, losses, { ...own, examples: validation }));
    return new Validator(model, minimizer, options, { model: measured, evaluator });
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

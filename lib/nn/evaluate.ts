import { bindData } from "../data/bind_stream.js";
import type { Examples, Features, Labels, Targets } from "../data/dataset.js";
import { hold, isSmall } from "../data/held.js";
import type { Dataset } from "../data/stream.js";
import { fail } from "../errors.js";
import { checkKeys } from "../options.js";
import { Brake } from "./brake.js";
import { type Evaluation, Evaluator } from "./evaluator.js";
import { PREDICT_BATCH } from "./inference.js";
import { checkLoss } from "./losses/loss.js";
import { findMetrics, type Metrics } from "./metrics.js";
import type { Model } from "./model.js";
import { checkWork, type EvaluateOptions } from "./predict_options.js";

/** What `Model.evaluate` gives: of a copy of the model, which nobody changes. */
export async function evaluateModel(
  model: Model,
  data: Examples<Features, Labels | Targets> | Dataset,
  options: EvaluateOptions<Metrics>,
): Promise<Evaluation> {
  checkKeys("evaluate", options, ["loss", "metrics", "threads", "signal"]);
  const loss = checkLoss("evaluate.loss", options.loss, model.columns.outputs);
  const { threads, signal } = checkWork("evaluate", options);
  const metrics = findMetrics("evaluate.metrics", options.metrics ?? []);
  const held = hold("evaluate.data", data, isSmall(data));
  const measured = await model.cloneBeside();
  const { classNames, transforms } = measured;
  const examples = await bindData("evaluate.data", held.data, {
    shape: { ...measured.columns, target: loss.target ?? "values", names: classNames },
    batch: PREDICT_BATCH,
    transforms,
    unchanged: held.unchanged,
    signal,
  });
  const brake = new Brake(signal);
  try {
    const evaluator = new Evaluator("evaluate.metrics", measured, loss, metrics, examples, PREDICT_BATCH);
    const evaluation = await evaluator.run(brake, { threads });
    signal?.throwIfAborted();
    return evaluation ?? fail("ERR_STATE", "evaluate", "an evaluation", evaluation);
  } finally {
    brake.release();
    await examples.stream?.close();
  }
}

import { bindData } from "../../data/bind_stream.js";
import type { AnyExamples } from "../../data/dataset.js";
import { hold, isSmall } from "../../data/held.js";
import type { Dataset } from "../../data/stream.js";
import { unitColumns } from "../../data/transform.js";
import { Turns } from "../../data/turns.js";
import { fail } from "../../errors.js";
import { checkKeys } from "../../options.js";
import { checkLosses, exampleShape } from "../losses/outputs.js";
import { type Meaning, targetUnits } from "../meaning/meaning.js";
import type { MetricsFor } from "../meaning/row_types.js";
import { findMetricsOf } from "../metrics/metrics.js";
import { checkWork, type EvaluateOptions, PREDICT_BATCH } from "../serving/predict_options.js";
import type { Sizes } from "../structure/sequence.js";
import { type Evaluation, Evaluator, type Measurable } from "./evaluator.js";
import { RunControl } from "./run_control.js";

/** A model with what belongs to its weights. */
interface Evaluated extends Measurable {
  readonly meaning: Meaning;
  /** A copy with the weights of one moment. */
  cloneBeside(): Promise<Evaluated>;
}

/** The evaluation of `Model.evaluate`: of a copy of the model, which nobody changes. */
export async function evaluateModel(
  model: Evaluated,
  data: AnyExamples | Dataset,
  options: EvaluateOptions<MetricsFor<Sizes>, Sizes>,
): Promise<Evaluation> {
  checkKeys("evaluate", options, ["loss", "lossWeights", "metrics", "threads", "signal"]);
  const { outputs } = model.rows;
  const losses = checkLosses(
    { loss: "evaluate.loss", weights: "evaluate.lossWeights" },
    options.loss,
    options.lossWeights,
    outputs,
  );
  const { threads, signal } = checkWork("evaluate", options);
  const metrics = findMetricsOf("evaluate.metrics", options.metrics, outputs);
  const held = hold("evaluate.data", data, isSmall(data));
  const measured = await model.cloneBeside();
  const { rows, meaning } = measured;
  const names = meaning.outputs.map(({ classNames }) => classNames);
  const shape = exampleShape(rows, losses, names);
  const examples = await bindData("evaluate.data", held.data, {
    shape,
    batch: PREDICT_BATCH,
    units: {
      inputs: meaning.inputs,
      targets: meaning.outputs.map(({ units }, at) => targetUnits(units, unitColumns(shape.targets[at]?.shape ?? []))),
    },
    unchanged: held.unchanged,
    signal,
  });
  const control = new RunControl(signal);
  try {
    const turns = new Turns(signal);
    const own = { metrics, examples, batchSize: PREDICT_BATCH, turns };
    const evaluator = await Evaluator.inTurns("evaluate.metrics", measured, losses, own);
    const evaluation = await evaluator.run(control, { threads });
    signal?.throwIfAborted();
    return evaluation ?? fail("ERR_STATE", "evaluate", "an evaluation", evaluation);
  } finally {
    control.release();
    await examples.stream?.close();
  }
}

import type { BoundExamples } from "../data/bind.js";
import { CompiledProgram, type FeedOrigin } from "../graph/compiled.js";
import { Trace, tracing } from "../graph/trace.js";
import { logObjective } from "../nn/evaluator.js";
import { LOG, LOG_COLUMNS, logScalar } from "../nn/log.js";
import type { Loss } from "../nn/losses/loss.js";
import { CALL_STEPS, type Meter } from "../nn/meter.js";
import type { Model } from "../nn/model.js";
import { divisorOf, type Objective, recordObjective } from "../nn/objective.js";
import * as ops from "../ops/index.js";
import type { Minimizer } from "../optim/minimizer.js";
import type { TrainedParameters, WithGradients } from "../optim/trained.js";
import type { Value } from "../tensor/value.js";
import { type FiniteCheck, FiniteChecks } from "./finite.js";
import { PartSums } from "./part_sums.js";

/** What a training program is made of. */
export interface StepOptions {
  readonly train: BoundExamples;
  readonly loss: Loss;
  /** Of the training examples. */
  readonly meter: Meter;
  readonly batchSize: number;
  readonly shuffle: boolean;
  /** Where the epochs of data in memory are counted from. */
  readonly origin?: FeedOrigin | undefined;
  /** Parts that a batch is worked on in. */
  readonly accumulate: number;
}

/** A training program, and what its guard looks at, by the number that a fault reports. */
export interface CompiledStep {
  readonly program: CompiledProgram;
  readonly checks: readonly FiniteCheck[];
}

/**
 * The program of one optimizer step: gather, forward, loss, backward, update, and the log of its sums. A step whose loss or
 * gradients are not finite ends before it changes anything.
 */
export function compileStep(model: Model, minimizer: Minimizer, seed: number, options: StepOptions): CompiledStep {
  const { train, batchSize, shuffle, origin, accumulate } = options;
  const trace = new Trace(seed, true);
  const checks = new FiniteChecks(trace);
  tracing(trace, () => recordStep(trace, model, minimizer, checks, options));
  const program = new CompiledProgram(trace, {
    maxRows: Math.ceil(batchSize / accumulate),
    bindings: train.bindings,
    feed: { samples: train.samples, batch: batchSize, shuffle: shuffle && train.stream === undefined, origin },
    logColumns: LOG_COLUMNS,
    logRows: CALL_STEPS,
  });
  return { program, checks: checks.list };
}

/** What the parts of a batch come to. */
interface Combined {
  readonly totals: Pick<Objective, "total" | "weight">;
  /** Records what is left of the backward pass. */
  gradients(): WithGradients;
  /** What the gradients are still to be multiplied by. */
  readonly scale: Value | null;
}

/** A step in three phases: the parts of a batch, what they come to together, and what is done with it. */
function recordStep(
  trace: Trace,
  model: Model,
  minimizer: Minimizer,
  checks: FiniteChecks,
  options: StepOptions,
): void {
  const { loss, train, meter, batchSize, accumulate } = options;
  const trained = minimizer.trained(trace);
  const endPart = accumulate === 1 ? beginWhole(trained) : beginPart(trace, model, trained, train);
  const objective = recordObjective(model, loss, train);
  meter.record(trace, objective, batchSize);

  // A sum over processes would be an effect on these totals and gradients.
  const { totals, gradients, scale } = endPart(objective);

  logObjective(trace, totals);
  checks.loss(totals.total);
  const { penalty } = minimizer.apply(gradients(), scale, checks);
  trace.end(); // behind the checks: a step that they end has changed no state
  trace.add(logScalar(penalty, LOG.penalty));
}

/** Ends a part of a batch that an objective was recorded of. */
type EndPart = (objective: Objective) => Combined;

/** The batch as it is: the gradient is that of its mean. */
function beginWhole(trained: TrainedParameters): EndPart {
  return (objective) => {
    return { totals: objective, gradients: () => trained.gradientsOf(objective.mean), scale: null };
  };
}

/** Micro-batches: sums are accumulated, and the gradient of Σ wℓ is divided by Σ w of the whole batch once: no mean of means. */
function beginPart(trace: Trace, model: Model, trained: TrainedParameters, train: BoundExamples): EndPart {
  const states = model.states(trace);
  states.beginParts();
  const sums = new PartSums(trace, [...trained.parameters.map(({ shape }) => shape), [], []]);
  return ({ total, weight }) => {
    const { list } = trained.gradientsOf(total);
    states.endPart();
    const summed = sums.end([...list.map(({ gradient }) => gradient), total, weight]);
    const totals = { total: summed.at(-2) ?? total, weight: summed.at(-1) ?? weight };
    const gradients = list.map((each, index) => ({ ...each, gradient: summed[index] ?? each.gradient }));
    return {
      totals,
      gradients: () => ({ list: gradients }),
      scale: ops.divide(1, divisorOf(totals.weight, train)),
    };
  };
}

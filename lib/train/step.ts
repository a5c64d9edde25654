import type { BoundExamples } from "../data/bind.js";
import { CompiledProgram, type FeedOrigin } from "../graph/compiled.js";
import { Trace, tracing } from "../graph/trace.js";
import { logObjective } from "../nn/evaluator.js";
import type { Loss } from "../nn/losses/loss.js";
import { CALL_STEPS, type Meter } from "../nn/meter.js";
import type { Model } from "../nn/model.js";
import { divisorOf, LOG, LOG_COLUMNS, type Objective, recordObjective } from "../nn/objective.js";
import * as ops from "../ops/index.js";
import type { Minimizer } from "../optim/minimizer.js";
import { Value } from "../tensor/value.js";

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
  /** Ends a step whose loss or gradients are not finite before it changes anything; false by default. */
  readonly guarded?: boolean | undefined;
}

/** The program of one optimizer step: gather, forward, loss, backward, update, and the log of its sums. */
export function compileStep(model: Model, minimizer: Minimizer, seed: number, options: StepOptions): CompiledProgram {
  const { train, batchSize, shuffle, origin, accumulate } = options;
  const trace = new Trace(seed, true, options.guarded);
  tracing(trace, () => {
    if (accumulate === 1) recordWhole(trace, model, minimizer, options);
    else recordDivided(trace, model, minimizer, options);
  });
  return new CompiledProgram(trace, {
    maxRows: Math.ceil(batchSize / accumulate),
    bindings: train.bindings,
    feed: { samples: train.samples, batch: batchSize, shuffle: shuffle && train.stream === undefined, origin },
    logColumns: LOG_COLUMNS,
    logRows: CALL_STEPS,
  });
}

function recordWhole(trace: Trace, model: Model, minimizer: Minimizer, options: StepOptions): void {
  const { loss, train, meter, batchSize } = options;
  const objective = recordObjective(model, loss, train);
  meter.record(trace, objective, batchSize);
  logObjective(trace, objective);
  trace.expectFinite("loss", "loss", objective.total);
  const { penalty } = minimizer.minimize(objective.mean);
  trace.add({ kind: "log", value: penalty, column: LOG.penalty });
}

/**
 * The same in micro-batches: sums are accumulated, and the gradient of Σ wℓ is divided by Σ w of the whole batch once, so
 * that it is never a mean of means.
 */
function recordDivided(trace: Trace, model: Model, minimizer: Minimizer, options: StepOptions): void {
  const { loss, train, meter, batchSize } = options;
  const parameters = minimizer.trained(trace);
  const accumulators: Value[] = [];
  /** A value that every micro-batch adds to. */
  const accumulator = ({ shape }: Pick<Value, "shape">): Value => {
    const value = new Value(shape, "f32", { kind: "input", name: `accumulator ${accumulators.length}` });
    accumulators.push(value);
    trace.add({ kind: "clear", accumulator: value });
    return value;
  };
  const sums = parameters.parameters.map(accumulator);
  const scalar = { shape: [] };
  const totals: Pick<Objective, "total" | "weight"> = { total: accumulator(scalar), weight: accumulator(scalar) };

  trace.add({ kind: "micro" });
  const objective = recordObjective(model, loss, train);
  meter.record(trace, objective, batchSize);
  const { list } = parameters.gradientsOf(objective.total);
  const parts = [...list.map(({ gradient }) => gradient), objective.total, objective.weight];
  for (const [index, value] of parts.entries()) {
    const sum = accumulators[index];
    if (sum !== undefined) trace.add({ kind: "accumulate", accumulator: sum, value });
  }

  trace.add({ kind: "whole" });
  logObjective(trace, totals);
  trace.expectFinite("loss", "loss", totals.total);
  const scale = ops.divide(1, divisorOf(totals.weight, train));
  const summed = list.map((each, index) => ({ ...each, gradient: sums[index] ?? each.gradient }));
  const { penalty } = minimizer.apply({ list: summed }, scale);
  trace.add({ kind: "log", value: penalty, column: LOG.penalty });
}

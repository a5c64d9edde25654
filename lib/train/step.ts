import type { BoundExamples } from "../data/bind.js";
import { CarillonError } from "../errors.js";
import { CompiledProgram, type FeedOrigin } from "../graph/compiled.js";
import { Trace, tracing } from "../graph/trace.js";
import { CarriedLanes } from "../nn/evaluation/carried.js";
import { logObjective } from "../nn/evaluation/evaluator.js";
import { LOG, logColumns, logScalar } from "../nn/evaluation/log.js";
import {
  divisorOf,
  type Objective,
  type OutputObjective,
  recordObjective,
  type TrimmedTime,
} from "../nn/evaluation/objective.js";
import type { OutputLoss } from "../nn/losses/outputs.js";
import { CALL_STEPS, type Meter } from "../nn/metrics/meter.js";
import type { AnyModel } from "../nn/model/model.js";
import * as ops from "../ops/index.js";
import type { Minimizer } from "../optim/minimizer.js";
import { type Gradient, sumOf, timesScale } from "../optim/row_gradient.js";
import type { TrainedParameters, WithGradients } from "../optim/trained.js";
import type { Value } from "../tensor/value.js";
import { type FiniteCheck, FiniteChecks } from "./finite.js";
import { PartSums } from "./part_sums.js";

/** Options of a training program. */
export interface StepOptions {
  readonly train: BoundExamples;
  readonly losses: readonly OutputLoss[];
  /** Of the training examples. */
  readonly meter: Meter;
  readonly batchSize: number;
  readonly shuffle: boolean;
  /** Where the epochs of data in memory are counted from. */
  readonly origin?: FeedOrigin | undefined;
  /** Parts that a batch is worked on in. */
  readonly accumulate: number;
  /** Of batches whose rows are short. */
  readonly time?: TrimmedTime | undefined;
}

/** A training program, and what its guard looks at, by the number that a fault reports. */
export interface CompiledStep {
  readonly program: CompiledProgram;
  readonly checks: readonly FiniteCheck[];
  readonly rowNeeds: RowNeeds;
  /** Where rows go on from one another. */
  readonly carried: CarriedLanes | undefined;
}

/** How many rows a part of a batch has, and needs. */
export interface RowNeeds {
  /** Of a part that is full. */
  readonly part: number;
  /** The layer that needs most, and what it needs. */
  readonly layer: string;
  readonly needed: number;
}

/** Rows of the smallest part of a batch: parts are full but for the last one. */
export function smallestPart(batch: number, part: number): number {
  return batch % part || part;
}

/**
 * The program of one optimizer step: gather, forward, loss, backward, update, and the log of its sums. A step whose loss,
 * gradients or states of layers are not finite ends before it changes anything. One piece at each `next`: where this code runs for the first
 * time it takes tens of milliseconds.
 */
export function* compileStep(
  model: AnyModel,
  minimizer: Minimizer,
  seed: number,
  options: StepOptions,
): Generator<void, CompiledStep> {
  const { train, losses, batchSize, shuffle, origin } = options;
  const trace = new Trace(seed, true);
  const checks = new FiniteChecks(trace);
  const carried = train.carry && new CarriedLanes(train.carry);
  const phases = recordStep(trace, model, minimizer, checks, { ...options, carried });
  while (tracing(trace, () => phases.next().done) !== true) yield;
  expectRows(trace, options);
  yield;
  const program = yield* CompiledProgram.inPieces(trace, {
    maxRows: partOf(options),
    bindings: train.bindings,
    feed: {
      ...{ samples: train.samples, batch: batchSize, shuffle: shuffle && isDrawn(train) },
      ...{ origin, set: train.set, rows: train.rows },
    },
    logColumns: logColumns(losses.length),
    logRows: CALL_STEPS,
  });
  const { by, rows } = trace.needed;
  return { program, checks: checks.list, rowNeeds: { part: partOf(options), layer: by, needed: rows }, carried };
}

/** Whether a program draws the order of an epoch, if it is to be drawn: of a stream, and of batches by length, it is made before. */
export const isDrawn = ({ stream, byLength }: BoundExamples): boolean => stream === undefined && byLength === undefined;

/** Rows of a part of a batch. */
function partOf({ batchSize, accumulate }: Pick<StepOptions, "batchSize" | "accumulate">): number {
  return Math.ceil(batchSize / accumulate);
}

/** `ERR_OPTION` where a layer needs more rows than a batch, a part of one, or the last batch of data in memory is known to have. */
function expectRows({ needed: { by, rows } }: Trace, { train, batchSize, accumulate }: StepOptions): void {
  const refuse = (received: string): never => {
    const problem = `expected ${rows} rows or more in a batch for the layer '${by}' but received ${received}`;
    throw new CarillonError("ERR_OPTION", "fit.batchSize", problem);
  };
  const inParts = accumulate > 1 ? ` in ${accumulate} parts` : "";
  const smallest = (batch: number): number => smallestPart(batch, partOf({ batchSize, accumulate }));
  const isInMemory = train.stream === undefined;
  const isWhole = !isInMemory || train.samples >= batchSize;
  if (isWhole && smallest(batchSize) < rows) refuse(`batches of ${batchSize}${inParts}`);
  const last = isInMemory ? train.samples % batchSize : 0;
  if (last > 0 && smallest(last) < rows) {
    refuse(`a last batch of ${last}${inParts}: ${train.samples} rows in batches of ${batchSize}`);
  }
}

/** Sums and gradients of a whole batch. */
interface Combined {
  /** Of each output. */
  readonly totals: readonly Pick<OutputObjective, "total" | "weight">[];
  /** Records what is left of the backward pass. */
  gradients(): WithGradients;
  /** Factor of the gradients; `null` for none. */
  readonly scale: Value | null;
}

/** A step in three phases: the parts of a batch, what they come to together, and what is done with it. One piece at each `next`. */
function* recordStep(
  trace: Trace,
  model: AnyModel,
  minimizer: Minimizer,
  checks: FiniteChecks,
  options: StepOptions & Pick<CompiledStep, "carried">,
): Generator<void, void> {
  const { losses, train, meter, batchSize, accumulate, carried, time } = options;
  const trained = minimizer.trained(trace);
  const parts = { count: accumulate, rows: Math.ceil(batchSize / accumulate) };
  const endPart = accumulate === 1 ? beginWhole(trained) : beginPart(trace, model, trained, losses, train, parts);
  const objective = recordObjective(model, losses, train, parts.rows, { carried, time });
  yield;
  meter.record(trace, objective.outputs, batchSize);

  // A sum over processes would be an effect on these totals and gradients.
  const { totals, gradients, scale } = endPart(objective);

  logObjective(trace, totals);
  for (const { total } of totals) checks.loss(total);
  checks.states(model.states(trace).changes);
  const summed = gradients();
  yield;
  const { penalty } = minimizer.apply(summed, scale, checks);
  trace.end(); // behind the checks: a step that they end has changed no state
  trace.add(logScalar(penalty, LOG.penalty));
}

/** Ends a part of a batch that an objective was recorded of. */
type EndPart = (objective: Objective) => Combined;

/** The batch as it is: the gradient is that of its mean. */
function beginWhole(trained: TrainedParameters): EndPart {
  return (objective) => {
    return { totals: objective.outputs, gradients: () => trained.gradientsOf(objective.mean), scale: null };
  };
}

/**
 * Micro-batches: sums are accumulated, and the gradient of Σ wℓ is divided by Σ w of the whole batch once: no mean of means. Outputs whose
 * weights are the same are summed together; where they differ, each has gradients of its own until its Σ w is known.
 */
function beginPart(
  trace: Trace,
  model: AnyModel,
  trained: TrainedParameters,
  losses: readonly OutputLoss[],
  { outputs }: BoundExamples,
  division: ConstructorParameters<typeof PartSums>[1],
): EndPart {
  const states = model.states(trace);
  states.beginParts();
  const [first] = outputs;
  const alike = outputs.every(({ weight }) => weight === first?.weight);
  const sums = new PartSums(trace, division);
  return ({ outputs: parts }) => {
    const together = alike && (parts.length === 1 || parts.every(({ steps }) => steps === undefined));
    const groups = together ? [losses.map((_, at) => at)] : losses.map((_, at) => [at]);
    const weighted = (at: number): Value => scaled(parts[at]?.total ?? missing(), losses[at]?.weight ?? 1);
    const list = trained.gradientsOfSums(groups.map((group) => group.map(weighted).reduce(ops.add)));
    states.endPart();
    const count = trained.parameters.length;
    const summed = sums.add(list.flat());
    const totals = sums.add(parts.map(({ total }) => total));
    const weights = sums.add(parts.map(({ weight }) => weight));
    sums.close();
    const whole = parts.map((_, at) => ({ total: totals[at] ?? missing(), weight: weights[at] ?? missing() }));
    const shares = groups.map(([at = 0]) => {
      return ops.divide(1, divisorOf(whole[at]?.weight ?? missing(), parts[at]?.weighs === true));
    });
    const gradient = (parameter: number): Gradient | undefined => {
      const terms = groups.map((_, group) => summed[group * count + parameter]);
      if (terms.length === 1) return terms[0];
      return sumOf(
        terms.flatMap((term, group) => (term === undefined ? [] : [timesScale(term, shares[group] ?? missing())])),
      );
    };
    const gradients = (): WithGradients =>
      trained.withGradients(trained.parameters.map((_, parameter) => gradient(parameter)));
    return { totals: whole, gradients, scale: groups.length === 1 ? (shares[0] ?? null) : null };
  };
}

function scaled(value: Value, factor: number): Value {
  return factor === 1 ? value : ops.multiply(value, factor);
}

function missing(): never {
  throw new CarillonError("ERR_STATE", "fit", "expected an objective for every output");
}

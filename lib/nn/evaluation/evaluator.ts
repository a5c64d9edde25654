import type { BoundExamples } from "../../data/bind.js";
import type { Affine, UnitsOfRows } from "../../data/transform.js";
import type { Turns } from "../../data/turns.js";
import { CompiledProgram, type Effort } from "../../graph/compiled.js";
import { Trace, tracing } from "../../graph/trace.js";
import * as ops from "../../ops/index.js";
import { extent } from "../../tensor/shape.js";
import type { Ending } from "../losses/ending.js";
import { targetShape } from "../losses/loss.js";
import type { OutputLoss } from "../losses/outputs.js";
import { Meter } from "../metrics/meter.js";
import type { MetricSet } from "../metrics/metric.js";
import type { Figures, OutputMetric } from "../metrics/metrics.js";
import { Caller } from "./caller.js";
import { CarriedLanes } from "./carried.js";
import { columnsOfOutput, dataLossOf, LOG, logColumns, logScalar } from "./log.js";
import { type OutputObjective, type Recordable, recordObjective } from "./objective.js";
import { Passes } from "./passes.js";
import type { RunControl } from "./run_control.js";

/** Figures of a whole set. */
export interface Evaluation<K extends string = string> {
  /** Σ wℓ/Σ w over all examples, of several outputs the sum of these times the weights of their losses; without penalties. */
  readonly loss: number;
  readonly metrics: Figures<K>;
}

/** Sums over steps, in double, in the order of the steps. */
export class Sums {
  readonly #losses: readonly number[];
  #values: number[];
  #steps = 0;

  /** @param losses What the loss of each output counts. */
  constructor(losses: readonly number[]) {
    this.#losses = losses;
    this.#values = new Array<number>(logColumns(losses.length)).fill(0);
  }

  /** Adds a row of the log. */
  add(row: Float32Array): void {
    this.#values = this.#values.map((value, column) => value + (row[column] ?? 0));
    this.#steps += 1;
  }

  clear(): void {
    this.#values.fill(0);
    this.#steps = 0;
  }

  /** 0 of examples that weigh nothing. */
  get loss(): number {
    return dataLossOf(this.#values, this.#losses);
  }

  /** Mean over the steps: every step has its own weights. */
  get penalty(): number {
    return this.#column(LOG.penalty) / this.#steps;
  }

  get rows(): number {
    return this.#column(LOG.rows);
  }

  /** The sums so far, for a resume in the middle of an epoch. */
  state(): readonly number[] {
    return [this.#steps, ...this.#values];
  }

  restore([steps = 0, ...values]: readonly number[]): void {
    this.#steps = steps;
    this.#values = this.#values.map((_, column) => values[column] ?? 0);
  }

  #column(index: number): number {
    return this.#values[index] ?? 0;
  }
}

/** Logs what {@link Sums} adds up. */
export function logObjective(trace: Trace, outputs: readonly Pick<OutputObjective, "total" | "weight">[]): void {
  for (const [output, { total, weight }] of outputs.entries()) {
    const columns = columnsOfOutput(output);
    trace.add(logScalar(total, columns.total));
    trace.add(logScalar(weight, columns.weight));
  }
  trace.add(logScalar(ops.rowCount(), LOG.rows));
}

/** The change of units of each output's targets. */
export function unitsOf({ outputs }: Pick<BoundExamples, "outputs">): UnitsOfRows["targets"] {
  return outputs.map(({ units }) => units);
}

/** A model that can be measured. */
export interface Measurable extends Recordable {
  /** Of each output, whether it is probabilities already. */
  readonly endings: readonly (Ending | undefined)[];
  /** Of each output, whether it is the steps of sequences with lengths. */
  readonly sequences: readonly boolean[];
}

/** The sets that metrics measure, one for each output of a model. */
export function measuredSets(
  where: string,
  model: Measurable,
  losses: readonly OutputLoss[],
  metrics: readonly OutputMetric[],
  units: UnitsOfRows["targets"],
): readonly MetricSet[] {
  const [endings, sequences] = metrics.length === 0 ? [[], []] : [model.endings, model.sequences];
  return losses.map(({ loss }, at) => {
    const { shape = [] } = model.rows.outputs[at] ?? {};
    const targets = extent(targetShape(loss, shape));
    const places = loss.target === "classes" ? targets : sequences[at] === true ? (shape[0] ?? 1) : 1;
    const sizes = { outputs: extent(shape) / places, targets: targets / places, places };
    return { where, loss, ...sizes, ending: endings[at], units: repeated(units[at], sizes.targets) };
  });
}

/** Units of the last axis of a row as those of all of its numbers. */
function repeated(units: Affine | undefined, columns: number): Affine | undefined {
  if (units === undefined || units.shift.length === columns) return units;
  const all = (values: readonly number[]): readonly number[] =>
    Array.from({ length: columns }, (_, column) => values[column % values.length] ?? 0);
  return { ...units, shift: all(units.shift), scale: all(units.scale) };
}

/** What an evaluator is made of. */
interface Measuring {
  readonly meter: Meter;
  readonly losses: readonly OutputLoss[];
  readonly passes: Passes;
  readonly program: CompiledProgram;
}

/** Options of {@link Evaluator.inTurns}. */
export interface EvaluatorOptions {
  readonly metrics: readonly OutputMetric[];
  readonly examples: BoundExamples;
  /** Rows of a step at most. */
  readonly batchSize: number;
  readonly turns: Turns;
}

/** Records and compiles the program, one piece at each `next`. */
function* measuringInPieces(
  where: string,
  model: Measurable,
  losses: readonly OutputLoss[],
  { metrics, examples, batchSize }: EvaluatorOptions,
): Generator<void, Measuring> {
  const trace = new Trace(0, false);
  const { carry } = examples;
  const batch = carry?.lanes ?? Math.min(batchSize, examples.samples);
  const carried = carry && new CarriedLanes(carry);
  const meter = new Meter(metrics, measuredSets(where, model, losses, metrics, unitsOf(examples)));
  const { outputs } = tracing(trace, () => recordObjective(model, losses, examples, batch, { carried }));
  yield;
  tracing(trace, () => {
    meter.record(trace, outputs, batch);
    logObjective(trace, outputs);
    trace.end();
  });
  yield;
  const program = yield* CompiledProgram.inPieces(trace, {
    maxRows: batch,
    bindings: examples.bindings,
    feed: { samples: examples.samples, batch, shuffle: false, set: examples.set, rows: examples.rows },
    logColumns: logColumns(losses.length),
    logRows: Math.min(Math.ceil(examples.samples / batch), meter.callSteps),
  });
  return { meter, losses, passes: new Passes(examples, batch, meter.callSteps), program };
}

/** A program that measures a model on a set of examples, in their order, at inference. */
export class Evaluator {
  readonly #program: CompiledProgram;
  readonly #caller: Caller;
  readonly #meter: Meter;
  readonly #passes: Passes;
  /** The weight of each output's loss in the total. */
  readonly #losses: readonly number[];

  private constructor({ meter, losses, passes, program }: Measuring) {
    this.#program = program;
    this.#caller = new Caller(program);
    this.#meter = meter;
    this.#passes = passes;
    this.#losses = losses.map(({ weight }) => weight);
  }

  /** Records and compiles it, with turns of the event loop in between. */
  static async inTurns(
    where: string,
    model: Measurable,
    losses: readonly OutputLoss[],
    options: EvaluatorOptions,
  ): Promise<Evaluator> {
    return new Evaluator(await options.turns.through(measuringInPieces(where, model, losses, options)));
  }

  /** `undefined` if the control stopped it; rejects if the control's signal was aborted. */
  async run(control: RunControl, effort: Effort = {}): Promise<Evaluation | undefined> {
    const sums = new Sums(this.#losses);
    this.#meter.clear();
    const take = (firstStep: number, finished: number): void => this.#take(firstStep, finished, sums);
    if (!(await this.#passes.run(control, this.#caller, effort, take))) return undefined;
    const measured = await control.unlessEnded(this.#meter.figures());
    return measured === undefined ? undefined : { loss: sums.loss, metrics: measured.value };
  }

  #take(firstStep: number, finished: number, sums: Sums): void {
    const log = this.#program.log(0, finished);
    const { logColumns: columns } = this.#program;
    const rows: number[] = [];
    for (let step = 0; step < finished; step++) {
      const row = log.subarray(step * columns, (step + 1) * columns);
      sums.add(row);
      rows.push(row[LOG.rows] ?? 0);
    }
    if (!this.#meter.empty) this.#meter.take(firstStep, rows);
  }
}

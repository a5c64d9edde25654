import type { BoundExamples } from "../data/bind.js";
import { commonTurns } from "../data/turns.js";
import { CompiledProgram, type Effort } from "../graph/compiled.js";
import { Trace, tracing } from "../graph/trace.js";
import * as ops from "../ops/index.js";
import type { Brake } from "./brake.js";
import { Caller } from "./caller.js";
import { LOG, LOG_COLUMNS, logScalar } from "./log.js";
import type { Loss } from "./losses/loss.js";
import { Meter } from "./meter.js";
import type { Metric, MetricSet } from "./metrics/metric.js";
import type { Figures } from "./metrics.js";
import type { Model } from "./model.js";
import { type Objective, recordObjective } from "./objective.js";
import { Passes } from "./passes.js";

/** Figures of a whole set. */
export interface Evaluation<K extends string = string> {
  /** Σ wℓ/Σ w over all examples, without penalties. */
  readonly loss: number;
  readonly metrics: Figures<K>;
}

/** Sums over steps, in double, in the order of the steps. */
export class Sums {
  #values = new Array<number>(LOG_COLUMNS).fill(0);
  #steps = 0;

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
    const weight = this.#column(LOG.weight);
    return weight === 0 ? 0 : this.#column(LOG.total) / weight;
  }

  /** Mean over the steps: every step has its own weights. */
  get penalty(): number {
    return this.#column(LOG.penalty) / this.#steps;
  }

  get rows(): number {
    return this.#column(LOG.rows);
  }

  /** What resuming in the middle of an epoch needs. */
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
export function logObjective(trace: Trace, objective: Pick<Objective, "total" | "weight">): void {
  trace.add(logScalar(objective.total, LOG.total));
  trace.add(logScalar(objective.weight, LOG.weight));
  trace.add(logScalar(ops.rowCount(), LOG.rows));
}

/** What metrics are asked to measure of a model. */
export function measuredSet(
  where: string,
  model: Model,
  loss: Loss,
  metrics: readonly Metric[],
  { units }: Pick<BoundExamples, "units">,
): MetricSet {
  const ending = metrics.length === 0 ? undefined : model.ending;
  return { where, loss, outputs: model.columns.outputs, ending, units: units.targets };
}

/** A program that measures a model on a set of examples, in their order, at inference. */
export class Evaluator {
  readonly #program: CompiledProgram;
  readonly #caller: Caller;
  readonly #meter: Meter;
  readonly #passes: Passes;

  constructor(
    where: string,
    model: Model,
    loss: Loss,
    metrics: readonly Metric[],
    examples: BoundExamples,
    batchSize: number,
  ) {
    const trace = new Trace(0, false);
    const batch = Math.min(batchSize, examples.samples);
    this.#meter = new Meter(metrics, measuredSet(where, model, loss, metrics, examples));
    tracing(trace, () => {
      const objective = recordObjective(model, loss, examples);
      this.#meter.record(trace, objective, batch);
      logObjective(trace, objective);
    });
    this.#passes = new Passes(examples, batch, this.#meter.callSteps);
    this.#program = new CompiledProgram(trace, {
      maxRows: batch,
      bindings: examples.bindings,
      feed: { samples: examples.samples, batch, shuffle: false },
      logColumns: LOG_COLUMNS,
      logRows: Math.min(Math.ceil(examples.samples / batch), this.#meter.callSteps),
    });
    this.#caller = new Caller(this.#program);
  }

  /** `undefined` if the brake stopped it; rejects if the brake's signal was aborted. */
  async run(brake: Brake, effort: Effort = {}): Promise<Evaluation | undefined> {
    const sums = new Sums();
    this.#meter.clear();
    const off = brake.onPull(() => {
      if (brake.ended) this.#passes.stop();
    });
    try {
      for await (const { firstStep, steps, rows } of this.#passes.next()) {
        for (let done = 0; done < steps; ) {
          if (commonTurns.over) await commonTurns.next();
          while (!brake.free) if (!(await brake.passable())) return undefined;
          const range = { firstStep: firstStep + done, steps: steps - done, rows, ...effort };
          const { steps: finished } = await this.#caller.run(brake, range);
          this.#take(range.firstStep, finished, sums);
          done += finished;
        }
      }
      // A stream that is stopped looks like one that is over.
      if (brake.ended && !(await brake.passable())) return undefined;
    } finally {
      off();
    }
    const measured = await brake.unlessEnded(this.#meter.figures());
    return measured === undefined ? undefined : { loss: sums.loss, metrics: measured.value };
  }

  #take(firstStep: number, finished: number, sums: Sums): void {
    const log = this.#program.log(0, finished);
    const rows: number[] = [];
    for (let step = 0; step < finished; step++) {
      const row = log.subarray(step * LOG_COLUMNS, (step + 1) * LOG_COLUMNS);
      sums.add(row);
      rows.push(row[LOG.rows] ?? 0);
    }
    if (!this.#meter.empty) this.#meter.take(firstStep, rows);
  }
}

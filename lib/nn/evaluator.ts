import type { BoundExamples } from "../data/bind.js";
import { CompiledProgram } from "../graph/compiled.js";
import { Trace, tracing } from "../graph/trace.js";
import * as ops from "../ops/index.js";
import type { Loss } from "./losses/loss.js";
import type { Metric } from "./metrics.js";
import type { Model } from "./model.js";
import { LOG, type Objective, recordObjective } from "./objective.js";
import { Passes } from "./passes.js";

/** Steps of one native call at most: what a log keeps. */
export const CALL_STEPS = 1024;

/** Figures of a whole set. */
export interface Evaluation<K extends string = string> {
  /** Σ wℓ/Σ w over all examples, without penalties. */
  readonly loss: number;
  readonly metrics: Readonly<Record<K, number>>;
}

/** Sums over steps, in double, in the order of the steps. */
export class Sums {
  readonly #names: readonly string[];
  #values: number[];
  #steps = 0;

  constructor(metrics: readonly Metric[]) {
    this.#names = metrics.map(({ name }) => name);
    this.#values = new Array<number>(LOG.metrics + metrics.length).fill(0);
  }

  /** Adds rows of a log with `columns` values each. */
  add(row: Float32Array): void {
    this.#values = this.#values.map((value, column) => value + (row[column] ?? 0));
    this.#steps += 1;
  }

  clear(): void {
    this.#values.fill(0);
    this.#steps = 0;
  }

  get loss(): number {
    return this.#column(LOG.total) / this.#column(LOG.weight);
  }

  /** Mean over the steps: every step has its own weights. */
  get penalty(): number {
    return this.#column(LOG.penalty) / this.#steps;
  }

  get rows(): number {
    return this.#column(LOG.rows);
  }

  get metrics(): Record<string, number> {
    return Object.fromEntries(
      this.#names.map((name, index) => [name, this.#column(LOG.metrics + index) / this.#column(LOG.rows)]),
    );
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
export function logObjective(trace: Trace, objective: Omit<Objective, "mean">): void {
  trace.add({ kind: "log", value: objective.total, column: LOG.total });
  trace.add({ kind: "log", value: objective.weight, column: LOG.weight });
  trace.add({ kind: "log", value: ops.rowCount(), column: LOG.rows });
  for (const [index, value] of objective.metrics.entries()) {
    trace.add({ kind: "log", value, column: LOG.metrics + index });
  }
}

/** A program that measures a model on a set of examples, in their order, at inference. */
export class Evaluator {
  readonly #program: CompiledProgram;
  readonly #metrics: readonly Metric[];
  readonly #passes: Passes;

  constructor(model: Model, loss: Loss, metrics: readonly Metric[], examples: BoundExamples, batchSize: number) {
    const trace = new Trace(0, false);
    tracing(trace, () => logObjective(trace, recordObjective(model, loss, metrics, examples)));
    const batch = Math.min(batchSize, examples.samples);
    this.#metrics = metrics;
    this.#passes = new Passes(examples, batch, CALL_STEPS);
    this.#program = new CompiledProgram(trace, {
      maxRows: batch,
      bindings: examples.bindings,
      feed: { samples: examples.samples, batch, shuffle: false },
      logColumns: LOG.metrics + metrics.length,
      logRows: Math.min(Math.ceil(examples.samples / batch), CALL_STEPS),
    });
  }

  async run(threads?: number | undefined): Promise<Evaluation> {
    const sums = new Sums(this.#metrics);
    for await (const stretch of this.#passes.next()) {
      await this.#program.run({ ...stretch, threads });
      const { logColumns } = this.#program;
      const log = this.#program.log(0, stretch.steps);
      for (let row = 0; row < stretch.steps; row++) sums.add(log.subarray(row * logColumns, (row + 1) * logColumns));
    }
    return { loss: sums.loss, metrics: sums.metrics };
  }

  /** Ends an evaluation that waits for a stream; its figures are then worth nothing. */
  stop(): void {
    this.#passes.stop();
  }
}

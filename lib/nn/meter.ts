import type { Trace } from "../graph/trace.js";
import type { State } from "../io/state.js";
import { isFloats } from "../tensor/arrays.js";
import { elements } from "../tensor/shape.js";
import type { Value } from "../tensor/value.js";
import { Collected } from "./collected.js";
import type { Accumulator, Metric, MetricSet, MetricValue } from "./metrics/metric.js";
import type { Figures } from "./metrics.js";

/** Steps of one native call at most: what a log keeps. */
export const CALL_STEPS = 1024;

/** Bytes of collected rows that a call may leave: some milliseconds of JavaScript for the dearest metric. */
const MOST_BYTES = 1 << 18;
const ELEMENT_BYTES = 4;

/** What metrics look at, as values of the program that computes it. */
export interface Measured {
  readonly output: Value;
  readonly target: Value;
  /** Absent where every example weighs 1. */
  readonly weights: Value | undefined;
}

/**
 * The metrics of a program's examples. The program keeps outputs, targets and weights of its steps; after a call they are
 * added up here, in double and in the order of the steps, so that figures are those of the whole set.
 */
export class Meter {
  readonly #metrics: readonly Metric[];
  readonly #set: MetricSet;
  #accumulators: readonly Accumulator[];
  #columns = 0;
  #steps = CALL_STEPS;
  #ones = new Float32Array();
  #output: Collected | undefined;
  #target: Collected | undefined;
  #weights: Collected | undefined;

  /** `ERR_OPTION` where a metric makes no sense for the loss. */
  constructor(metrics: readonly Metric[], set: MetricSet) {
    this.#metrics = metrics;
    this.#set = set;
    this.#accumulators = metrics.map((metric) => metric.begin(set));
  }

  get empty(): boolean {
    return this.#metrics.length === 0;
  }

  /** Steps that one call may take. */
  get callSteps(): number {
    return this.#steps;
  }

  /** Records that rows are kept, of batches of at most `batch` rows. Nothing is, without metrics. */
  record(trace: Trace, { output, target, weights }: Measured, batch: number): void {
    if (this.empty) return;
    const values = weights === undefined ? [output, target] : [output, target, weights];
    const width = values.reduce((sum, { shape }) => sum + elements(shape), 0);
    const fitting = Math.floor(MOST_BYTES / (ELEMENT_BYTES * width * batch));
    this.#steps = Math.min(Math.max(fitting, 1), CALL_STEPS);
    this.#columns = elements(output.shape);
    const collected = (value: Value): Collected => {
      const rows = new Collected(value, batch, this.#steps);
      trace.add(rows);
      return rows;
    };
    this.#output = collected(output);
    this.#target = collected(target);
    this.#weights = weights === undefined ? undefined : collected(weights);
    this.#ones = weights === undefined ? new Float32Array(batch).fill(1) : this.#ones;
  }

  /** Adds the steps from `first` on, with so many rows each; they are those of the last call. */
  take(first: number, rows: readonly number[]): void {
    const slotOf = (index: number): number => (first - 1 + index) % this.#steps;
    const turn = Math.min(rows.length, this.#steps - slotOf(0)); // the memory is a ring
    for (const kept of [this.#output, this.#target, this.#weights]) {
      kept?.read(slotOf(0), slotOf(0) + turn);
      if (turn < rows.length) kept?.read(0, rows.length - turn);
    }
    for (const [index, count] of rows.entries()) this.#add(slotOf(index), count);
  }

  #add(slot: number, rows: number): void {
    const outputs = this.#output?.rows(slot, rows);
    const targets = this.#target?.rows(slot, rows);
    const weights = this.#weights === undefined ? this.#ones.subarray(0, rows) : this.#weights.rows(slot, rows);
    if (!(isFloats(outputs) && targets !== undefined && isFloats(weights))) return;
    for (const accumulator of this.#accumulators) {
      accumulator.add({ rows, columns: this.#columns, outputs, targets, weights });
    }
  }

  /** Begins another set. */
  clear(): void {
    this.#accumulators = this.#metrics.map((metric) => metric.begin(this.#set));
  }

  /** At once, where no metric takes its time. */
  figures(): Figures | Promise<Figures> {
    const ready: Record<string, MetricValue> = {};
    const pending: Promise<void>[] = [];
    for (const [index, { name }] of this.#metrics.entries()) {
      const result = this.#accumulators[index]?.result() ?? Number.NaN;
      ready[name] = Number.NaN; // keeps the order of the names
      if (typeof result === "object" && "then" in result) {
        pending.push(
          result.then((value) => {
            ready[name] = value;
          }),
        );
      } else ready[name] = result;
    }
    return pending.length === 0 ? ready : Promise.all(pending).then(() => ready);
  }

  /** By name: what a resumed run needs. */
  state(): Readonly<Record<string, State>> {
    return Object.fromEntries(this.#accumulators.map((one, index) => [this.#metrics[index]?.name, one.state()]));
  }

  /** A metric that the states do not name begins here. */
  restore(states: Readonly<Record<string, State>>): void {
    for (const [index, accumulator] of this.#accumulators.entries()) {
      const state = states[this.#metrics[index]?.name ?? ""];
      if (state !== undefined) accumulator.restore(state);
    }
  }
}

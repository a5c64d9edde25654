import type { Trace } from "../../graph/trace.js";
import type { State } from "../../io/state.js";
import * as ops from "../../ops/index.js";
import type { Steps } from "../../ops/sequence.js";
import { isFloats } from "../../tensor/arrays.js";
import { elements } from "../../tensor/shape.js";
import type { Value } from "../../tensor/value.js";
import { Collected } from "./collected.js";
import type { Accumulator, MetricSet, MetricValue } from "./metric.js";
import type { Figures, OutputMetric } from "./metrics.js";

/** Steps of one native call at most: what a log keeps. */
export const CALL_STEPS = 1024;

/** Bytes of collected rows that a call may leave: some milliseconds of JavaScript for the dearest metric. */
const MOST_BYTES = 1 << 18;
const ELEMENT_BYTES = 4;

/** Outputs, targets and weights that metrics look at, as values of the program that computes them. */
export interface Measured {
  readonly output: Value;
  readonly target: Value;
  /** Absent where every example weighs 1. */
  readonly weights: Value | undefined;
  /** Of the output, where that has lengths. */
  readonly steps: Steps | undefined;
}

/** The weight of each step: that of its example, 0 behind the end; [batch, count]. */
function stepWeights({ mask }: Steps, weights: Value | undefined): Value {
  return weights === undefined ? mask : ops.multiply(mask, ops.reshape(weights, [...weights.shape.slice(0, 1), 1]));
}

/** Rows of an output that are kept, and the metrics that look at them. */
interface Kept {
  readonly columns: number;
  readonly targetColumns: number;
  readonly output: Collected;
  readonly target: Collected;
  readonly weights: Collected | undefined;
  /** Rows that an example is, and whether each has a weight of its own. */
  readonly places: number;
  readonly stepwise: boolean;
  /** Places of the metrics. */
  readonly metrics: readonly number[];
}

/**
 * The metrics of a program's examples. The program keeps outputs, targets and weights of its steps; after a call they are
 * added up here, in double and in the order of the steps, so that figures are those of the whole set.
 */
export class Meter {
  readonly #metrics: readonly OutputMetric[];
  readonly #sets: readonly MetricSet[];
  #accumulators: readonly Accumulator[];
  #steps = CALL_STEPS;
  #ones = new Float32Array();
  #kept: readonly Kept[] = [];
  /** In the order in which they were recorded. */
  readonly #collected: Collected[] = [];

  /**
   * `ERR_OPTION` where a metric makes no sense for the loss.
   *
   * @param sets What is measured of each output.
   */
  constructor(metrics: readonly OutputMetric[], sets: readonly MetricSet[]) {
    this.#metrics = metrics;
    this.#sets = sets;
    this.#accumulators = this.#begun();
  }

  #begun(): readonly Accumulator[] {
    return this.#metrics.flatMap((metric) => {
      const set = this.#sets[metric.output];
      return set === undefined ? [] : [metric.begin(set)];
    });
  }

  get empty(): boolean {
    return this.#metrics.length === 0;
  }

  /** Steps that one call may take. */
  get callSteps(): number {
    return this.#steps;
  }

  /** Records that rows are kept, of batches of at most `batch` rows, in the same memory in every program. Nothing is, without metrics. */
  record(trace: Trace, outputs: readonly Measured[], batch: number): void {
    if (this.empty) return;
    const looked = outputs.flatMap(({ output, target, weights: own, steps }, at) => {
      const metrics = this.#metrics.flatMap((metric, place) => (metric.output === at ? [place] : []));
      const places = this.#sets[at]?.places ?? 1;
      const stepwise = steps !== undefined && steps.count === places;
      const weights = stepwise ? stepWeights(steps, own) : own;
      return metrics.length === 0 ? [] : [{ output, target, weights, places, stepwise, metrics }];
    });
    const values = looked.flatMap(({ output, target, weights }) =>
      weights === undefined ? [output, target] : [output, target, weights],
    );
    const width = values.reduce((sum, { shape }) => sum + elements(shape), 0);
    const fitting = Math.floor(MOST_BYTES / (ELEMENT_BYTES * width * batch));
    this.#steps = Math.min(Math.max(fitting, 1), CALL_STEPS);
    let place = 0;
    const collected = (value: Value): Collected => {
      const known = this.#collected[place];
      place += 1;
      const rows = known ?? new Collected(value, batch, this.#steps);
      trace.add(known?.again(value) ?? rows);
      if (known === undefined) this.#collected.push(rows);
      return rows;
    };
    this.#kept = looked.map(({ output, target, weights, places, stepwise, metrics }) => ({
      columns: elements(output.shape) / places,
      targetColumns: elements(target.shape) / places,
      places,
      stepwise,
      output: collected(output),
      target: collected(target),
      weights: weights === undefined ? undefined : collected(weights),
      metrics,
    }));
    const most = this.#kept.reduce(
      (rows, { weights, places }) => Math.max(rows, weights === undefined ? places : 0),
      0,
    );
    this.#ones = new Float32Array(batch * most).fill(1);
  }

  /** Adds the steps from `first` on, with so many rows each; they are those of the last call. */
  take(first: number, rows: readonly number[]): void {
    const slotOf = (index: number): number => (first - 1 + index) % this.#steps;
    const turn = Math.min(rows.length, this.#steps - slotOf(0)); // the memory is a ring
    for (const { output, target, weights } of this.#kept) {
      for (const kept of [output, target, weights]) {
        kept?.read(slotOf(0), slotOf(0) + turn);
        if (turn < rows.length) kept?.read(0, rows.length - turn);
      }
    }
    for (const [index, count] of rows.entries()) {
      for (const kept of this.#kept) this.#add(kept, slotOf(index), count);
    }
  }

  #add(kept: Kept, slot: number, examples: number): void {
    const { columns, targetColumns, places, stepwise, output, target, weights: own, metrics } = kept;
    const rows = examples * places;
    const outputs = output.rows(slot, examples);
    const targets = target.rows(slot, examples);
    const given = own === undefined ? this.#ones.subarray(0, rows) : own.rows(slot, examples);
    if (!(isFloats(outputs) && isFloats(given))) return;
    const isOneEach = given.length === rows || stepwise;
    const weights = isOneEach
      ? given
      : Float32Array.from({ length: rows }, (_, row) => given[Math.floor(row / places)] ?? 0);
    for (const place of metrics)
      this.#accumulators[place]?.add({ rows, columns, targetColumns, outputs, targets, weights });
  }

  /** Begins another set. */
  clear(): void {
    this.#accumulators = this.#begun();
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

import type { State } from "../../io/state.js";
import type { Accumulator, MetricRows, MetricValue } from "./metric.js";

/** An accumulator of so many sums in double. */
export function summing(
  count: number,
  add: (sums: Float64Array, rows: MetricRows) => void,
  result: (sums: Float64Array) => MetricValue,
): Accumulator {
  const sums = new Float64Array(count);
  return {
    add: (rows) => add(sums, rows),
    result: () => result(sums),
    state: () => Array.from(sums),
    restore(state: State) {
      sums.set(Array.isArray(state) ? state.map(Number) : []);
    },
  };
}

/** Adds to one of the sums. */
export function increase(sums: Float64Array, index: number, by: number): void {
  sums[index] = (sums[index] ?? 0) + by;
}

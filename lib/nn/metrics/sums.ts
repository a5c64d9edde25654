import type { Part } from "../../io/part.js";
import type { State } from "../../io/state.js";
import type { Accumulator, MetricRows, MetricValue } from "./metric.js";

/**
 * Kind of a sum: weights of examples, numbers ≥ 0 (NaN where an output is), a mark of 0 or 1, or any number.
 */
export type SumKind = "weights" | "figures" | "mark" | "any";

/** How much more than all examples some of them may weigh: sums are taken in other orders, and of batches in float32. */
const SLACK = 1.001;

function checkSum(sum: Part, kind: SumKind, weight: number): void {
  if (kind === "weights") sum.number({ min: 0, max: weight * SLACK });
  else if (kind === "mark") sum.number({ min: 0, max: 1, integer: true });
  else sum.figure(kind === "figures" ? { min: 0 } : undefined);
}

/**
 * An accumulator of so many sums in double.
 *
 * @param kindOf What each of them is, by its place.
 */
export function summing(
  count: number,
  add: (sums: Float64Array, rows: MetricRows) => void,
  result: (sums: Float64Array) => MetricValue,
  kindOf: (place: number) => SumKind,
): Accumulator {
  const sums = new Float64Array(count);
  return {
    add: (rows) => add(sums, rows),
    result: () => result(sums),
    state: () => Array.from(sums),
    restore(state: State) {
      sums.set(Array.isArray(state) ? state.map(Number) : []);
    },
    check(state: Part, weight: number) {
      for (const [place, sum] of state.list(count).entries()) checkSum(sum, kindOf(place), weight);
    },
  };
}

/** Adds to one of the sums. */
export function increase(sums: Float64Array, index: number, by: number): void {
  sums[index] = (sums[index] ?? 0) + by;
}

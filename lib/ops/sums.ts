import { CarillonError } from "../errors.js";
import { checkKeys, checkOneOf } from "../options.js";
import { elements, extent, formatShape, isBatched } from "../tensor/shape.js";
import type { Rule, Value } from "../tensor/value.js";
import { apply, at, expectDtype, f32, type Of } from "./apply.js";
import { sumOver } from "./broadcast.js";
import { divide, multiply } from "./elementwise.js";
import { instruction } from "./encode.js";

const rowCountRule: Rule<"rowCount"> = {
  name: "rowCount",
  infer: () => f32([]),
  lower: (_inputs, outputs) => instruction("row_count", { y: at(outputs, 0) }, {}),
  gradient: null,
};

/** The number of rows of the batch that a program is working on, a scalar. Only in a program. */
export function rowCount(): Value {
  return apply(rowCountRule, [], null);
}

const sumSquaresRule: Rule<"sumSquares"> = {
  name: "sumSquares",
  infer(inputs) {
    expectDtype("sumSquares", at(inputs, 0), "f32");
    return f32([]);
  },
  lower(inputs, outputs) {
    const x = at(inputs, 0);
    return instruction("sum_squares", { x, sum: at(outputs, 0) }, { count: extent(x.shape) });
  },
  gradient: (inputs, _outputs, flows) => [multiply(at(flows, 0), multiply(2, at(inputs, 0)))],
};

/** Σ x² over everything, a scalar: the order of additions of {@link sum}, a fused multiply-add a term. */
export function sumSquares<A extends Value>(x: A): Of<A> {
  return apply(sumSquaresRule, [x], null) as Of<A>;
}

const scheduleValueRule: Rule<"scheduleValue"> = {
  name: "scheduleValue",
  infer: () => f32([]),
  lower: (_inputs, outputs, { lane }) => instruction("schedule_value", { y: at(outputs, 0) }, { lane }),
  gradient: null,
};

/** The value of a lane of the trace in the step under way, a scalar. Only in a program. */
export function scheduleValue(lane: number): Value {
  return apply(scheduleValueRule, [], { lane });
}
const AXES = ["all", "first", "last"] as const;

/** Options of {@link sum} and {@link mean}. */
export interface SumOptions {
  /** Over everything (the default), over all axes but the last, or over the last axis. */
  readonly axis?: "all" | "first" | "last" | undefined;
}

/** Σ x over 16 lanes in fixed blocks; over the axis `'first'`, one chain a column, restarted every 128 rows. */
export function sum<A extends Value>(x: A, options: SumOptions = {}): Of<A> {
  checkKeys("sum", options, ["axis"]);
  return sumOver(x, checkOneOf("sum.axis", options.axis ?? "all", AXES)) as Of<A>;
}

/**
 * Σ x divided by the number of terms; in a batch, by the rows that there really are. One division either way: counts below
 * 2²⁴ are exact, so that a program and a call agree.
 */
export function mean<A extends Value>(x: A, options: SumOptions = {}): Of<A> {
  checkKeys("mean", options, ["axis"]);
  const axis = checkOneOf("mean.axis", options.axis ?? "all", AXES);
  const total = sumOver(x, axis);
  const last = x.shape.at(-1) ?? 1;
  if (axis === "last") {
    if (last === "batch") throw new CarillonError("ERR_SHAPE", "mean", `no second axis in ${formatShape(x.shape)}`);
    return divide(total, last) as Of<A>;
  }
  const terms = elements(x.shape) / elements(total.shape);
  if (!isBatched(x.shape)) return divide(total, terms) as Of<A>;
  return divide(total, terms === 1 ? rowCount() : multiply(rowCount(), terms)) as Of<A>;
}

/** Rules of this file, for the tests that walk all operations. */
export const sumRules = {
  rowCount: rowCountRule,
  sumSquares: sumSquaresRule,
  scheduleValue: scheduleValueRule,
} as const;

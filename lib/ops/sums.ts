import { checkBoolean, checkKeys, checkOneOf } from "../options.js";
import { type Dim, elements, extent, isBatched, type Shape } from "../tensor/shape.js";
import type { Rule, Value } from "../tensor/value.js";
import { apply, at, checkValue, expectDtype, f32, type Of } from "./apply.js";
import { type Axes, axesOf } from "./axis.js";
import { broadcastOrCopy, reshape, sumAxes, sumOver } from "./broadcast.js";
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

const NAMED = ["all", "first", "last"] as const;

/** What is summed: everything, all axes but the last, the last, or axes by number, counted from the last where negative. */
export type SumAxis = (typeof NAMED)[number] | Axes;

/** Options of {@link sum} and {@link mean}. */
export interface SumOptions {
  /** Over everything (`'all'`, the default), all axes but the last (`'first'`), the last one, or over one or several by number. */
  readonly axis?: SumAxis | undefined;
  /** Axes that are summed stay as axes of 1; by default they go. */
  readonly keepDims?: boolean | undefined;
}

/** Σ over the axes of an option, and the same with axes of 1 in their place. */
function summed(where: string, x: Value, options: SumOptions): { readonly total: Value; readonly kept: Value } {
  checkKeys(where, options, ["axis", "keepDims"]);
  checkValue(where, x);
  const { axis = "all" } = options;
  const rank = x.shape.length;
  if (typeof axis === "string") {
    const named = checkOneOf(`${where}.axis`, axis, NAMED);
    const total = sumOver(x, named);
    return { total, kept: kept(where, options, total, () => reducedShape(x, named, rank)) };
  }
  const axes = axesOf(`${where}.axis`, axis, x.shape);
  const total = axes.length === 0 ? broadcastOrCopy(x, x.shape) : sumAxes(x, axes);
  return {
    total,
    kept: kept(where, options, total, () => x.shape.map((dim, place): Dim => (axes.includes(place) ? 1 : dim))),
  };
}

function kept(where: string, { keepDims = false }: SumOptions, total: Value, shape: () => Shape): Value {
  return checkBoolean(`${where}.keepDims`, keepDims) ? reshape(total, shape()) : total;
}

function reducedShape(x: Value, axis: (typeof NAMED)[number], rank: number): Shape {
  return x.shape.map((dim, place): Dim => (axis === "all" || (axis === "last") === (place === rank - 1) ? 1 : dim));
}

/**
 * Σ x over 16 lanes in fixed blocks where the last axis is among the summed ones; over axes before it one chain a column,
 * restarted every 128 rows. Axes that are no neighbours are summed one run of neighbours after another, the last run first.
 */
export function sum<A extends Value>(x: A, options: SumOptions = {}): Of<A> {
  return summed("sum", x, options).kept as Of<A>;
}

/**
 * {@link sum} divided by the number of terms; in a batch, by the rows that there really are. One division either way: counts below
 * 2²⁴ are exact, so that a program and a call agree.
 */
export function mean<A extends Value>(x: A, options: SumOptions = {}): Of<A> {
  const { total, kept } = summed("mean", x, options);
  const terms = elements(x.shape) / elements(total.shape);
  if (!isBatched(x.shape) || isBatched(total.shape)) return divide(kept, terms) as Of<A>;
  return divide(kept, terms === 1 ? rowCount() : multiply(rowCount(), terms)) as Of<A>;
}

/** Rules of this file, for the tests that walk all operations. */
export const sumRules = {
  rowCount: rowCountRule,
  sumSquares: sumSquaresRule,
  scheduleValue: scheduleValueRule,
} as const;

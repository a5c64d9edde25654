import { CarillonError } from "../errors.js";
import { checkKeys, checkOneOf } from "../options.js";
import { elements, formatShape, isBatched } from "../tensor/shape.js";
import type { Value } from "../tensor/value.js";
import { apply, type Of, type Rule } from "./apply.js";
import { sumOver } from "./broadcast.js";
import { divide, multiply } from "./elementwise.js";

const rowCountRule: Rule<null> = {
  name: "rowCount",
  infer: () => ({ shape: [] }),
  lower: (_inputs, output) => ({ operation: "row_count", views: [output], ints: [], doubles: [] }),
  gradient: null,
};

/** The number of rows of the batch that a program is working on, a scalar. Only in a program. */
export function rowCount(): Value {
  return apply(rowCountRule, [], null);
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
export const sumRules = { rowCount: rowCountRule } as const;

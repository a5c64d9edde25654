import { fail } from "../errors.js";
import { checkBoolean, checkKeys } from "../options.js";
import { type Dim, elements, type Shape } from "../tensor/shape.js";
import type { Value } from "../tensor/value.js";
import { checkValue, expectDtype, type Of } from "./apply.js";
import { transpose } from "./arrange.js";
import { type Axes, axesOf, sizeAlong } from "./axis.js";
import { reshape, sumOver } from "./broadcast.js";
import { argmax, oneHot } from "./classification.js";
import { negate } from "./elementwise.js";
import { where } from "./where.js";

/** Options of {@link max} and {@link min}. */
export interface ExtremeOptions {
  /** Over everything (`'all'`, the default), the last axis, or over one or several by number, counted from the last where negative. */
  readonly axis?: "all" | "last" | Axes | undefined;
  /** Axes that are compared stay as axes of 1; by default they go. */
  readonly keepDims?: boolean | undefined;
}

/** The axes of an option, ascending; none of them is the batch. */
function comparedAxes(name: string, x: Value, axis: "all" | "last" | Axes): readonly number[] {
  const places = x.shape.map((_, place) => place);
  if (typeof axis === "string" && axis !== "all" && axis !== "last") {
    fail("ERR_OPTION", `${name}.axis`, "'all', 'last', an axis or an array of axes", axis);
  }
  const axes = axis === "all" ? places : axesOf(`${name}.axis`, axis === "last" ? -1 : axis, x.shape);
  for (const each of axes) sizeAlong(name, x.shape, each, "compared");
  return axes;
}

/**
 * The first largest element of each group, chosen out of it: what lies along `axes` is turned to the end, and the others of a
 * group become +0 and are added to it, which changes no number (−0 becomes +0).
 */
function largest(name: string, x: Value, options: ExtremeOptions): Value {
  checkKeys(name, options, ["axis", "keepDims"]);
  checkValue(name, x);
  expectDtype(name, x, "f32");
  const { axis = "all", keepDims = false } = options;
  checkBoolean(`${name}.keepDims`, keepDims);
  const axes = comparedAxes(name, x, axis);
  const others = x.shape.flatMap((_, place) => (axes.includes(place) ? [] : [place]));
  const kept: Shape = others.map((place) => x.shape[place] ?? 1);
  const size = elements(axes.map((place): Dim => x.shape[place] ?? 1));
  const turned = axes.length === 0 ? x : transpose(x, [...others, ...axes]);
  // A group a row; without other axes there is one row.
  const rows = reshape(turned, kept.length === 0 ? [1, size] : [...kept, size]);
  const chosen = where(oneHot(argmax(rows), size), rows, 0);
  const shape = keepDims ? x.shape.map((dim, place): Dim => (axes.includes(place) ? 1 : dim)) : kept;
  return reshape(sumOver(chosen, "last"), shape);
}

/**
 * The largest element over axes other than the batch, NaN where there is one. The gradient is that of the first of the largest;
 * the others of a group have 0.
 */
export function max<A extends Value>(x: A, options: ExtremeOptions = {}): Of<A> {
  return largest("max", x, options) as Of<A>;
}

/** The smallest element, otherwise as {@link max}. */
export function min<A extends Value>(x: A, options: ExtremeOptions = {}): Of<A> {
  checkValue("min", x);
  expectDtype("min", x, "f32");
  return negate(largest("min", negate(x), options)) as Of<A>;
}

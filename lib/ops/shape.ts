import { CarillonError } from "../errors.js";
import { checkKeys, checkNumber } from "../options.js";
import { checkShape, type Dim, elements, extent, formatShape, isBatched, type Shape } from "../tensor/shape.js";
import type { Value } from "../tensor/value.js";
import { checkValue, type Of } from "./apply.js";
import type { Moved } from "./arrange.js";
import * as spread from "./broadcast.js";

/** `shape` with the size that one −1 in it stands for, so that it has as many elements as `from`. */
function inferred(from: Shape, shape: Shape): Shape {
  if (!Array.isArray(shape) || shape.filter((dim) => dim === -1).length !== 1) return shape;
  const size = elements(from) / elements(shape.filter((dim) => dim !== -1));
  if (Number.isSafeInteger(size)) return shape.map((dim) => (dim === -1 ? size : dim));
  throw new CarillonError(
    "ERR_SHAPE",
    "reshape",
    `expected sizes that divide those of ${formatShape(from)} for 'reshape' but received ${formatShape(shape)}`,
  );
}

/** `ERR_SHAPE` unless both have a batch, as their first axis, or neither. */
function expectBatch(from: Shape, shape: Shape): void {
  if (!Array.isArray(shape) || isBatched(from) === isBatched(shape)) return;
  const expected = isBatched(from) ? "'batch' as the first size, as" : "no batch, as there is none";
  throw new CarillonError(
    "ERR_SHAPE",
    "reshape",
    `expected ${expected} in ${formatShape(from)}, for 'reshape' but received ${formatShape(shape)}`,
  );
}

/** The same elements under another shape; one size may be −1, whatever is left. `'batch'` stays the first axis. */
export function reshape<A extends Value>(x: A, shape: Shape): Moved<A> {
  checkValue("reshape", x);
  expectBatch(x.shape, shape);
  return spread.reshape(x, checkShape("reshape", inferred(x.shape, shape))) as Moved<A>;
}

/** Options of {@link flatten}. */
export interface FlattenOptions {
  /** Axes in front that stay: 1, the batch or the rows, by default. */
  readonly keep?: number | undefined;
}

/** [batch, …] as [batch, n]: all axes behind those that stay become one. */
export function flatten<A extends Value>(x: A, options: FlattenOptions = {}): Moved<A> {
  checkKeys("flatten", options, ["keep"]);
  checkValue("flatten", x);
  const range = { min: x.shape[0] === "batch" ? 1 : 0, max: x.shape.length, integer: true };
  const { keep = Math.min(1, x.shape.length) } = options;
  const kept: readonly Dim[] = x.shape.slice(0, checkNumber("flatten.keep", keep, range));
  return spread.reshape(x, [...kept, extent(x.shape.slice(keep))]) as Moved<A>;
}

/** `x` repeated over `shape` along the axes of 1 and those that it lacks in front. */
export function broadcast<A extends Value>(x: A, shape: Shape): Of<A> {
  checkValue("broadcast", x);
  return spread.broadcastOrCopy(x, checkShape("broadcast", shape)) as Of<A>;
}

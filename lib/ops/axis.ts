import { CarillonError, fail } from "../errors.js";
import { type Dim, extent, formatShape, type Shape } from "../tensor/shape.js";

/** One axis, counted from the last one where it is negative, or several. */
export type Axes = number | readonly number[];

/** `axis` of `shape` counted from 0; `ERR_SHAPE` where there is none, `ERR_OPTION` for what is no integer. */
export function axisOf(where: string, axis: unknown, shape: Shape): number {
  if (typeof axis !== "number" || !Number.isSafeInteger(axis)) fail("ERR_OPTION", where, "an axis", axis);
  const rank = shape.length;
  if (axis >= -rank && axis < rank) return axis < 0 ? axis + rank : axis;
  throw new CarillonError(
    "ERR_SHAPE",
    where,
    `expected an axis of ${formatShape(shape)} for '${where}' but received ${axis}`,
  );
}

/** Axes of `shape` counted from 0, ascending; `ERR_SHAPE` where one stands twice. */
export function axesOf(where: string, axes: Axes, shape: Shape): readonly number[] {
  const list = typeof axes === "number" ? [axes] : axes;
  if (!Array.isArray(list)) fail("ERR_OPTION", where, "an axis or an array of axes", axes);
  const counted = list.map((axis) => axisOf(where, axis, shape)).sort((a, b) => a - b);
  const twice = counted.find((axis, index) => counted[index - 1] === axis);
  if (twice === undefined) return counted;
  throw new CarillonError("ERR_SHAPE", where, `expected every axis once for '${where}' but received ${twice} twice`);
}

/** The size of `axis`, which is not the batch: `ERR_SHAPE` says what cannot be done along the batch. */
export function sizeAlong(where: string, shape: Shape, axis: number, what: string): number {
  const size = shape[axis];
  if (size !== undefined && size !== "batch") return size;
  throw new CarillonError(
    "ERR_SHAPE",
    where,
    `expected an axis of a known size for '${where}' but received the batch of ${formatShape(shape)}: ` +
      `how many rows there are is known when a program runs, so nothing is ${what} along it`,
  );
}

/** The elements of the axes before `axis` (negative: a batch), along it, and behind it. */
export function around(
  shape: Shape,
  axis: number,
): { readonly outer: number; readonly size: number; readonly inner: number } {
  const size = shape[axis];
  return {
    outer: extent(shape.slice(0, axis)),
    size: typeof size === "number" ? size : 1,
    inner: extent(shape.slice(axis + 1)),
  };
}

/** `shape` with `dims` in the place of `axis`. */
export function replaced(shape: Shape, axis: number, ...dims: readonly Dim[]): Shape {
  return [...shape.slice(0, axis), ...dims, ...shape.slice(axis + 1)];
}

/** Axes that an instruction takes at most, neighbours that lie alike counted as one. */
const MOST_AXES = 31;

/** An axis of a result, and for each operand how far apart its elements lie along it. */
export interface StridedAxis {
  readonly size: number;
  readonly strides: readonly number[];
}

/**
 * `axes` from the outermost on without those of size 1, neighbours that lie alike for every operand joined. The first size is
 * negative where its axis is the batch.
 */
export function joined(where: string, axes: readonly StridedAxis[]): readonly StridedAxis[] {
  const list: StridedAxis[] = [];
  for (const axis of axes) {
    if (axis.size === 1) continue;
    const before = list.at(-1);
    const alike = before?.strides.every((stride, operand) => stride === axis.size * (axis.strides[operand] ?? 0));
    if (before !== undefined && alike === true) {
      list[list.length - 1] = { size: before.size * axis.size, strides: axis.strides };
    } else list.push(axis);
  }
  if (list.length <= MOST_AXES) return list;
  throw new CarillonError(
    "ERR_SHAPE",
    where,
    `expected at most ${MOST_AXES} axes that lie differently for '${where}' but received ${list.length}`,
  );
}

/** How far apart the elements of a contiguous array lie along each axis. */
export function stridesOf(shape: Shape): readonly number[] {
  const strides: number[] = [];
  let stride = 1;
  for (const dim of shape.toReversed()) {
    strides.unshift(stride);
    if (dim !== "batch") stride *= dim;
  }
  return strides;
}

// How the elements of a tensor of somebody else lie in one of ours.
import { CarillonError } from "../errors.js";

/** Theirs in words of ours: axes that change places, and places on an axis that change order. */
export interface Arrangement {
  /** Axes of ours, row-major; an axis may stand as several, whose product it is. */
  readonly from: readonly number[];
  /** Which of them each axis of theirs is. */
  readonly axes: readonly number[];
  /** By axis of ours: which place of it theirs has first, second, …; in order where absent. */
  readonly orders?: ReadonlyMap<number, readonly number[]> | undefined;
}

/** Ours, as it is. */
export function plainly(shape: readonly number[]): Arrangement {
  return { from: shape, axes: shape.map((_, axis) => axis) };
}

/** Sizes of theirs. */
export function shapeOf({ from, axes }: Arrangement): readonly number[] {
  return axes.map((axis) => from[axis] ?? 1);
}

/** Whether theirs has the elements in the order of ours. */
export function isPlain({ axes, orders = new Map() }: Arrangement): boolean {
  return axes.every((axis, place) => axis === place) && orders.size === 0;
}

/** Of each axis of theirs, how far from the first element of ours each of its places is. */
function offsetsOf({ from, axes, orders }: Arrangement): readonly Float64Array[] {
  const strides = from.map((_, axis) => from.slice(axis + 1).reduce((product, size) => product * size, 1));
  return axes.map((axis) => {
    const [order, stride] = [orders?.get(axis), strides[axis] ?? 1];
    return Float64Array.from({ length: from[axis] ?? 1 }, (_, place) => (order?.[place] ?? place) * stride);
  });
}

/** Calls `run` with the first place of ours for each run of places along the last axis of theirs, in the order of theirs. */
function eachRun(offsets: readonly Float64Array[], run: (begin: number) => void): void {
  const outer = offsets.slice(0, -1);
  const go = (axis: number, begin: number): void => {
    const own = outer[axis];
    if (own === undefined) run(begin);
    else for (const offset of own) go(axis + 1, begin + offset);
  };
  go(0, 0);
}

function expectElements(what: string, data: Float32Array, { from }: Arrangement): void {
  const count = from.reduce((product, size) => product * size, 1);
  if (data.length === count) return;
  throw new CarillonError("ERR_STATE", what, `expected ${count} elements for '${what}' but received ${data.length}`);
}

/** The elements of theirs: ours itself where they are the same. */
export function arranged(ours: Float32Array, arrangement: Arrangement): Float32Array {
  expectElements("weights", ours, arrangement);
  if (isPlain(arrangement)) return ours;
  const offsets = offsetsOf(arrangement);
  const last = offsets.at(-1) ?? new Float64Array(1);
  const theirs = new Float32Array(ours.length);
  let at = 0;
  eachRun(offsets, (begin) => {
    for (let place = 0; place < last.length; place++) theirs[at++] = ours[begin + (last[place] ?? 0)] ?? 0;
  });
  return theirs;
}

/** Writes the elements of theirs to their places in ours. */
export function arrangeBack(theirs: Float32Array, ours: Float32Array, arrangement: Arrangement): void {
  expectElements("weights", theirs, arrangement);
  expectElements("weights", ours, arrangement);
  if (isPlain(arrangement)) {
    ours.set(theirs);
    return;
  }
  const offsets = offsetsOf(arrangement);
  const last = offsets.at(-1) ?? new Float64Array(1);
  let at = 0;
  eachRun(offsets, (begin) => {
    for (let place = 0; place < last.length; place++) ours[begin + (last[place] ?? 0)] = theirs[at++] ?? 0;
  });
}

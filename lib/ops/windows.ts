// Windows that slide over axes: their sizes, strides, dilations and padding.
import { CarillonError, fail } from "../errors.js";
import { checkNumber } from "../options.js";
import type { WindowAxis } from "../tensor/attributes.js";
import { formatShape, type Shape, sameShape } from "../tensor/shape.js";
import type { Value } from "../tensor/value.js";
import { expectDtype } from "./apply.js";

/** Padding of one axis: none, enough for ⌈size/stride⌉ places, in front alone, or so many at both ends. */
export type Padding1d = "valid" | "same" | "causal" | number;

/** Padding of two axes; a number is of both, two are [rows, columns]. */
export type Padding2d = "valid" | "same" | number | readonly [number, number];

/** What says where windows lie. */
export interface Windows {
  readonly kernel: readonly number[];
  readonly stride?: number | readonly number[] | undefined;
  readonly dilation?: number | readonly number[] | undefined;
  readonly padding?: Padding1d | Padding2d | undefined;
}

const SIZE = { min: 1, integer: true } as const;

/** One number for each of `axes` axes, from one number or as many. */
export function perAxis(
  where: string,
  given: number | readonly number[],
  axes: number,
  range: { readonly min: number; readonly integer: true } = SIZE,
): readonly number[] {
  if (typeof given === "number") return Array<number>(axes).fill(checkNumber(where, given, range));
  if (!Array.isArray(given) || given.length !== axes || axes === 1) {
    return fail("ERR_OPTION", where, axes === 1 ? "a number" : `a number, or ${axes} of them`, given);
  }
  return given.map((each) => checkNumber(where, each, range));
}

/** What windows are, checked, without the sizes that they lie over. */
export interface CheckedWindows {
  readonly kernel: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  readonly padding: "valid" | "same" | "causal" | readonly number[];
}

/** Options of windows over `axes` axes, checked. */
export function checkWindows(
  where: string,
  axes: number,
  { kernel, stride, dilation, padding }: Windows,
): CheckedWindows {
  const named =
    padding === undefined || padding === "valid" || padding === "same" || (axes === 1 && padding === "causal");
  if (!named && typeof padding === "string") {
    const names = axes === 1 ? "'valid', 'same', 'causal'" : "'valid', 'same'";
    fail("ERR_OPTION", `${where}.padding`, `${names} or a number`, padding);
  }
  return {
    kernel: kernel.map((each) => checkNumber(`${where}.kernel`, each, SIZE)),
    stride: perAxis(`${where}.stride`, stride ?? 1, axes),
    dilation: perAxis(`${where}.dilation`, dilation ?? 1, axes),
    padding: named
      ? (padding ?? "valid")
      : perAxis(`${where}.padding`, padding as number, axes, { min: 0, integer: true }),
  };
}

/** The windows of one axis of a size. */
function windowAxis(size: number, axis: number, { kernel, stride, dilation, padding }: CheckedWindows): WindowAxis {
  const [taps = 1, step = 1, apart = 1] = [kernel[axis], stride[axis], dilation[axis]];
  const extent = (taps - 1) * apart + 1;
  const sizes = { large: size, kernel: taps, stride: step, dilation: apart };
  if (padding === "same") {
    const small = Math.ceil(size / step);
    return { ...sizes, small, before: Math.floor(Math.max((small - 1) * step + extent - size, 0) / 2) };
  }
  const before = padding === "causal" ? extent - 1 : padding === "valid" ? 0 : (padding[axis] ?? 0);
  const all = size + (padding === "causal" ? before : 2 * before);
  return { ...sizes, small: Math.floor((all - extent) / step) + 1, before };
}

const byAxis = (sizes: readonly number[]): string => sizes.join(" × ");

/** The windows over axes of `sizes`; `ERR_SHAPE` where they are smaller than one window. */
export function axesOfWindows(where: string, sizes: readonly number[], windows: CheckedWindows): readonly WindowAxis[] {
  const axes = sizes.map((size, axis) => windowAxis(size, axis, windows));
  if (axes.every(({ small }) => small >= 1)) return axes;
  const reach = windows.kernel.map((taps, axis) => (taps - 1) * (windows.dilation[axis] ?? 1) + 1);
  const wide = windows.dilation.some((each) => each > 1) ? `, which reaches over ${byAxis(reach)},` : "";
  const { padding } = windows;
  const padded = typeof padding === "string" ? "" : ` with ${byAxis(padding)} of padding at both ends`;
  throw new CarillonError(
    "ERR_SHAPE",
    where,
    `expected an input as large as the kernel of ${byAxis(windows.kernel)}${wide} for '${where}' but received ${byAxis(sizes)}${padded}`,
  );
}

/** {@link axesOfWindows} of options that nobody has checked. */
export function windowAxes(
  where: string,
  sizes: readonly number[],
  windows: Windows,
): readonly [WindowAxis, WindowAxis] {
  const [first, second] = axesOfWindows(where, sizes, checkWindows(where, sizes.length, windows));
  if (first === undefined) return fail("ERR_OPTION", where, "an axis", sizes);
  return [first, second ?? first];
}

/** Groups that divide the outputs; their inputs are checked where they are known. */
export function checkGroups(where: string, groups: number | undefined, outputs: number): number {
  const checked = checkNumber(`${where}.groups`, groups ?? 1, SIZE);
  if (outputs % checked !== 0) fail("ERR_OPTION", `${where}.groups`, `a number that divides ${outputs}`, checked);
  return checked;
}

/** `shape` of [batch, …sizes, channels] with so many sizes; else `ERR_SHAPE`. */
export function expectImages(where: string, shape: Shape, axes: number): Shape {
  if (shape.length === axes + 2) return shape;
  const wanted = axes === 2 ? "[batch, height, width, channels]" : "[batch, time, features]";
  throw new CarillonError("ERR_SHAPE", where, `expected ${wanted} for '${where}' but received ${formatShape(shape)}`);
}

/** The rows of what has one axis. */
export const ONE_ROW: WindowAxis = { large: 1, small: 1, kernel: 1, stride: 1, dilation: 1, before: 0 };

/** `ERR_SHAPE` or `ERR_DTYPE` unless `value` is f32 of that shape. */
export function expectShape(where: string, value: Value, wanted: Shape): void {
  expectDtype(where, value, "f32");
  if (sameShape(value.shape, wanted)) return;
  const expected = `expected ${formatShape(wanted)} for '${where}'`;
  throw new CarillonError("ERR_SHAPE", where, `${expected} but received ${formatShape(value.shape)}`);
}

import { CarillonError, fail } from "../errors.js";
import { checkKeys } from "../options.js";
import type { Convolved, WindowAxis } from "../tensor/attributes.js";
import { extent, formatShape, type Shape } from "../tensor/shape.js";
import type { Instruction, Rule, Value } from "../tensor/value.js";
import { apply, at, checkValue, f32, type Of } from "./apply.js";
import { reshape, sumOver } from "./broadcast.js";
import { instruction } from "./encode.js";
import {
  axesOfWindows,
  type CheckedWindows,
  checkGroups,
  checkWindows,
  expectImages,
  expectShape,
  ONE_ROW,
  type Padding1d,
  type Padding2d,
  perAxis,
} from "./windows.js";

/** Shape of the larger side, [batch, height, width, channels]. */
const largeShape = (images: Shape, { rows, columns, channels }: Convolved): Shape => [
  ...images.slice(0, 1),
  ...[rows.large, columns.large, channels],
];

/** Shape of the smaller side. */
const smallShape = (images: Shape, { rows, columns, outputs }: Convolved): Shape => [
  ...images.slice(0, 1),
  ...[rows.small, columns.small, outputs],
];

const weightShape = ({ rows, columns, channels, outputs, groups }: Convolved): readonly number[] => [
  ...[outputs, rows.kernel, columns.kernel, channels / groups],
];

/** Numbers of an instruction over so many images. */
const numbersOf = (images: Shape, { rows, columns, channels, outputs, groups }: Convolved) => ({
  images: extent(images.slice(0, 1)),
  ...{ height: rows.large, width: columns.large, channels, outHeight: rows.small, outWidth: columns.small, outputs },
  ...{ kernelHeight: rows.kernel, kernelWidth: columns.kernel },
  ...{ strideHeight: rows.stride, strideWidth: columns.stride },
  ...{ dilationHeight: rows.dilation, dilationWidth: columns.dilation },
  ...{ beforeHeight: rows.before, beforeWidth: columns.before, groups },
});

/** Whether a window is one place, so that a convolution is a product of rows: the same sums in the same order. */
function isProduct({ rows, columns, groups }: Convolved): boolean {
  const single = ({ large, small, kernel, stride, before }: WindowAxis): boolean =>
    kernel === 1 && stride === 1 && before === 0 && large === small;
  return groups === 1 && single(rows) && single(columns);
}

/** A product of all places: rows of the images. */
const placesOf = (images: Shape, { rows, columns }: Convolved): number =>
  extent([...images.slice(0, 1), rows.small, columns.small]);

const convRule: Rule<"conv"> = {
  name: "conv",
  infer(inputs, a) {
    const x = at(inputs, 0);
    expectShape("conv", x, largeShape(x.shape, a));
    expectShape("conv.weight", at(inputs, 1), weightShape(a));
    if (inputs[2] !== undefined) expectShape("conv.bias", inputs[2], [a.outputs]);
    return f32(smallShape(x.shape, a));
  },
  lower(inputs, outputs, a): Instruction {
    const [x, w, bias, y] = [at(inputs, 0), at(inputs, 1), inputs[2], at(outputs, 0)];
    if (!isProduct(a)) return instruction("conv", { x, w, bias, y }, numbersOf(x.shape, a));
    const sizes = { m: placesOf(x.shape, a), n: a.outputs, k: a.channels };
    return instruction("gemm", { a: x, b: w, bias, c: y }, { ...sizes, layoutB: "transposed" });
  },
  gradient(inputs, _outputs, flows, a) {
    const [x, w, flow] = [at(inputs, 0), at(inputs, 1), at(flows, 0)];
    const parts = [apply(convTransposedRule, [flow, w], a), apply(convWeightRule, [x, flow], a)];
    return inputs.length === 3 ? [...parts, sumOver(flow, "first")] : parts;
  },
  takesEpilogue: true,
};

const convTransposedRule: Rule<"convTransposed"> = {
  name: "convTransposed",
  infer(inputs, a) {
    const x = at(inputs, 0);
    expectShape("convTransposed", x, smallShape(x.shape, a));
    expectShape("convTransposed.weight", at(inputs, 1), weightShape(a));
    if (inputs[2] !== undefined) expectShape("convTransposed.bias", inputs[2], [a.channels]);
    return f32(largeShape(x.shape, a));
  },
  lower(inputs, outputs, a): Instruction {
    const [x, w, bias, y] = [at(inputs, 0), at(inputs, 1), inputs[2], at(outputs, 0)];
    if (!isProduct(a)) return instruction("conv_transposed", { x, w, bias, y }, numbersOf(x.shape, a));
    const sizes = { m: placesOf(x.shape, a), n: a.channels, k: a.outputs };
    return instruction("gemm", { a: x, b: w, bias, c: y }, { ...sizes, layoutB: "plain" });
  },
  gradient(inputs, _outputs, flows, a) {
    const [x, w, flow] = [at(inputs, 0), at(inputs, 1), at(flows, 0)];
    const parts = [apply(convRule, [flow, w], a), apply(convWeightRule, [flow, x], a)];
    return inputs.length === 3 ? [...parts, sumOver(flow, "first")] : parts;
  },
  takesEpilogue: true,
};

/** Σ over images and places of small·large: the gradient of the weight of both. */
const convWeightRule: Rule<"convWeight"> = {
  name: "convWeight",
  infer(inputs, a) {
    const [x, g] = [at(inputs, 0), at(inputs, 1)];
    expectShape("convWeight", x, largeShape(x.shape, a));
    expectShape("convWeight.flow", g, smallShape(x.shape, a));
    return f32(weightShape(a));
  },
  lower(inputs, outputs, a): Instruction {
    const [x, g, dw] = [at(inputs, 0), at(inputs, 1), at(outputs, 0)];
    if (!isProduct(a)) return instruction("conv_weight", { x, g, dw }, numbersOf(x.shape, a));
    const sizes = { m: a.outputs, n: a.channels, k: placesOf(x.shape, a) };
    return instruction("gemm", { a: g, b: x, c: dw }, { ...sizes, transposeA: true, layoutB: "plain" });
  },
  gradient(inputs, _outputs, flows, a) {
    const [x, g, flow] = [at(inputs, 0), at(inputs, 1), at(flows, 0)];
    return [apply(convTransposedRule, [g, flow], a), apply(convRule, [x, flow], a)];
  },
};

/** Options of {@link conv2d}. */
export interface Conv2dOptions {
  /** Steps between two windows, 1 by default; of both axes, or [rows, columns]. */
  readonly stride?: number | readonly [number, number] | undefined;
  /** Distance of two taps of the kernel, 1 by default. */
  readonly dilation?: number | readonly [number, number] | undefined;
  /** `'valid'` by default. */
  readonly padding?: Padding2d | undefined;
  /** Parts of the channels that are convolved by themselves; 1 by default. */
  readonly groups?: number | undefined;
}

/** Options of {@link conv1d}. */
export interface Conv1dOptions {
  /** Steps between two windows, 1 by default. */
  readonly stride?: number | undefined;
  /** Distance of two taps of the kernel, 1 by default. */
  readonly dilation?: number | undefined;
  /** `'valid'` by default. */
  readonly padding?: Padding1d | undefined;
  /** Parts of the features that are convolved by themselves; 1 by default. */
  readonly groups?: number | undefined;
}

const KEYS = ["stride", "dilation", "padding", "groups"] as const;

/** [batch, time, features] as [batch, 1, time, features], and weights likewise. */
const asRow = ({ shape }: Value): Shape => [...shape.slice(0, 1), 1, ...shape.slice(1)];

/** A convolution by options that have been checked: over two axes, or one, x [batch, …, in] and weight [out, …, in/groups]. */
export function convolved(
  where: string,
  [x, weight, bias]: readonly [Value, Value, Value | undefined],
  windows: CheckedWindows,
  groups: number,
): Value {
  const axes = windows.kernel.length;
  const sizes = expectImages(where, x.shape, axes).slice(1).map(Number);
  const [outputs = 1, inner = 1] = [weight.shape[0], weight.shape.at(-1)].map(Number);
  const channels = sizes.at(-1) ?? 1;
  if (channels !== inner * groups) {
    const expected = `expected ${inner * groups} channels for '${where}'`;
    throw new CarillonError("ERR_SHAPE", where, `${expected} but received ${formatShape(x.shape)}`);
  }
  const [first = ONE_ROW, second] = axesOfWindows(where, sizes.slice(0, -1), windows);
  const own = { channels, outputs, groups };
  const behind = bias === undefined ? [] : [bias];
  if (second !== undefined) return apply(convRule, [x, weight, ...behind], { ...own, rows: first, columns: second });
  const spread = [reshape(x, asRow(x)), reshape(weight, asRow(weight)), ...behind];
  const y = apply(convRule, spread, { ...own, rows: ONE_ROW, columns: first });
  return reshape(y, [...x.shape.slice(0, 1), first.small, outputs]);
}

function checked(
  where: string,
  axes: number,
  inputs: readonly [Value, Value, Value | undefined],
  options: Conv1dOptions | Conv2dOptions,
): Value {
  checkKeys(where, options, KEYS);
  const [x, weight] = inputs;
  checkValue(where, x);
  checkValue(`${where}.weight`, weight);
  const sizes = weight.shape.filter((dim) => dim !== "batch");
  if (weight.shape.length !== axes + 2 || sizes.length !== axes + 2) {
    const wanted = axes === 2 ? "[out, rows, columns, in/groups]" : "[out, kernel, in/groups]";
    const expected = `expected ${wanted} for '${where}.weight'`;
    throw new CarillonError("ERR_SHAPE", `${where}.weight`, `${expected} but received ${formatShape(weight.shape)}`);
  }
  const windows = checkWindows(where, axes, { ...options, kernel: sizes.slice(1, -1) });
  return convolved(where, inputs, windows, checkGroups(where, options.groups, sizes[0] ?? 1));
}

/**
 * y[b, i, j, o] = bias[o] + Σ x[b, i·s − p + r·d, j·s − p + c·d, g + l]·weight[o, r, c, l] over kernel rows r, columns c and the
 * channels l of the group of o: x: [batch, height, width, in], weight: [out, kernel rows, kernel columns, in/groups], bias: [out]
 * (optional). A cross-correlation, as in every framework. Padding is 0. The sum runs in the order (r, c, l), one chain of
 * fused multiply-adds restarted every 1,024 terms; padded terms are products with +0. The bias is added at the end.
 *
 * `'same'` gives ⌈size/stride⌉ places, with the odd row or column of padding behind, as TensorFlow has it.
 */
export function conv2d<X extends Value, W extends Value, B extends Value = W>(
  x: X,
  weight: W,
  bias?: B,
  options: Conv2dOptions = {},
): Of<X | W | B> {
  return checked("conv2d", 2, [x, weight, bias], options) as Of<X | W | B>;
}

/**
 * {@link conv2d} over one axis: x: [batch, time, in], weight: [out, kernel, in/groups], y: [batch, places, out]. `'causal'` pads
 * (kernel − 1)·dilation steps in front alone, so that no place sees a later one.
 */
export function conv1d<X extends Value, W extends Value, B extends Value = W>(
  x: X,
  weight: W,
  bias?: B,
  options: Conv1dOptions = {},
): Of<X | W | B> {
  return checked("conv1d", 1, [x, weight, bias], options) as Of<X | W | B>;
}

/** Options of {@link convTransposed2d}. */
export interface ConvTransposed2dOptions extends Omit<Conv2dOptions, "padding"> {
  /** `'valid'` by default: every place that a window reaches; `'same'`: size·stride; a number: so many fewer at both ends. */
  readonly padding?: Padding2d | undefined;
  /** Places more at the end, below the stride; 0 by default. */
  readonly outputPadding?: number | readonly [number, number] | undefined;
}

/** The axis that windows lie over, of whose places there are so many. */
function transposedAxis(windows: CheckedWindows, more: readonly number[], small: number, axis: number): WindowAxis {
  const [kernel = 1, stride = 1, dilation = 1] = [windows.kernel[axis], windows.stride[axis], windows.dilation[axis]];
  const reach = (kernel - 1) * dilation + 1;
  const sizes = { small, kernel, stride, dilation };
  if (windows.padding === "same") {
    return { ...sizes, large: small * stride, before: Math.floor(Math.max(reach - stride, 0) / 2) };
  }
  const before = typeof windows.padding === "string" ? 0 : (windows.padding[axis] ?? 0);
  return { ...sizes, large: (small - 1) * stride + reach - 2 * before + (more[axis] ?? 0), before };
}

/** The axes of a transposed convolution of places of `sizes`; `ERR_SHAPE` where padding leaves nothing. */
export function transposedAxes(
  where: string,
  sizes: readonly number[],
  windows: CheckedWindows,
  more: readonly number[],
): readonly [WindowAxis, WindowAxis] {
  const [rows = ONE_ROW, columns = ONE_ROW] = sizes.map((size, axis) => transposedAxis(windows, more, size, axis));
  if (Math.min(rows.large, columns.large) >= 1) return [rows, columns];
  const expected = `expected an output of a place or more for '${where}'`;
  throw new CarillonError("ERR_SHAPE", where, `${expected} but received ${rows.large} × ${columns.large}`);
}

/** `outputPadding` of both axes: below the strides, and none beside `'same'`. */
export function checkOutputPadding(
  where: string,
  { stride, padding }: CheckedWindows,
  given: ConvTransposed2dOptions["outputPadding"],
): readonly number[] {
  const more = perAxis(`${where}.outputPadding`, given ?? 0, 2, { min: 0, integer: true });
  if (more.some((each, axis) => each > 0 && (padding === "same" || each >= (stride[axis] ?? 1))))
    fail("ERR_OPTION", `${where}.outputPadding`, "numbers below the stride, and none beside 'same',", given);
  return more;
}

/** A transposed convolution by options that have been checked: x [batch, rows, columns, in], weight [in, …, out/groups]. */
export function convolvedTransposed(
  where: string,
  [x, weight, bias]: readonly [Value, Value, Value | undefined],
  windows: CheckedWindows,
  { groups, more }: { readonly groups: number; readonly more: readonly number[] },
): Value {
  const [height = 1, width = 1, inputs = 1] = expectImages(where, x.shape, 2).slice(1).map(Number);
  const [outputs = 1, inner = 1] = [weight.shape[0], weight.shape.at(-1)].map(Number);
  if (inputs !== outputs) {
    const expected = `expected ${outputs} channels for '${where}'`;
    throw new CarillonError("ERR_SHAPE", where, `${expected} but received ${formatShape(x.shape)}`);
  }
  const [rows, columns] = transposedAxes(where, [height, width], windows, more);
  const attributes = { rows, columns, channels: inner * groups, outputs, groups };
  return apply(convTransposedRule, bias === undefined ? [x, weight] : [x, weight, bias], attributes);
}

/**
 * The transpose of {@link conv2d}, its gradient to the input: y[b, i·s − p + r·d, j·s − p + c·d, l] += x[b, i, j, o]·weight[o, r, c, l], and bias[l].
 * x: [batch, rows, columns, in], weight: [in, kernel rows, kernel columns, out/groups], bias: [out] (optional). The sum of an element runs over the
 * places of x that reach it, rows first, then channels.
 */
export function convTransposed2d<X extends Value, W extends Value, B extends Value = W>(
  x: X,
  weight: W,
  bias?: B,
  options: ConvTransposed2dOptions = {},
): Of<X | W | B> {
  const where = "convTransposed2d";
  checkKeys(where, options, [...KEYS, "outputPadding"]);
  checkValue(where, x);
  checkValue(`${where}.weight`, weight);
  const sizes = weight.shape.filter((dim) => dim !== "batch");
  if (weight.shape.length !== 4 || sizes.length !== 4) {
    const expected = `expected [in, rows, columns, out/groups] for '${where}.weight'`;
    throw new CarillonError("ERR_SHAPE", `${where}.weight`, `${expected} but received ${formatShape(weight.shape)}`);
  }
  const windows = checkWindows(where, 2, { ...options, kernel: sizes.slice(1, -1) });
  const groups = checkGroups(where, options.groups, sizes[0] ?? 1);
  const more = checkOutputPadding(where, windows, options.outputPadding);
  return convolvedTransposed(where, [x, weight, bias], windows, { groups, more }) as Of<X | W | B>;
}

/** The three operations, which are each other's gradients. */
export const conv = (inputs: readonly Value[], attributes: Convolved): Value => apply(convRule, inputs, attributes);
export const convTransposed = (inputs: readonly Value[], attributes: Convolved): Value =>
  apply(convTransposedRule, inputs, attributes);
export const convWeight = (inputs: readonly Value[], attributes: Convolved): Value =>
  apply(convWeightRule, inputs, attributes);

/** Rules of this file, for the tests that walk all operations. */
export const convolutionRules = {
  conv: convRule,
  convTransposed: convTransposedRule,
  convWeight: convWeightRule,
} as const;

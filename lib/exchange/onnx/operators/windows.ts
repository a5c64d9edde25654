// Convolutions, pools and norms of channels: ONNX has channels behind the batch, layers have them last.
import {
  averagePool1d,
  averagePool2d,
  batchNorm,
  conv1d,
  conv2d,
  convTransposed2d,
  globalAveragePool,
  globalMaxPool,
  groupNorm,
  type Layer,
  maxPool1d,
  maxPool2d,
  ops,
} from "../../../index.js";
import type { OnnxNode } from "../format.js";
import type { Importing, Operator } from "../importing.js";
import { turnedEach } from "../moves.js";
import { type Computed, type Dims, layerStep, operationStep, type Step, unary } from "../steps.js";

/** The step of [batch, …sizes, channels] of a value that the file has as [batch, channels, …sizes]. */
function channelsLast(of: Importing, node: OnnxNode, axes: readonly number[]): Step {
  const value = of.floating(node);
  const rank = value.groups.length;
  if (!axes.includes(rank - 2))
    of.refuse(node, `${rank} axes, where layers have ${axes.map((each) => each + 2).join(" or ")}`);
  return of.arranged(node, value, [0, ...Array.from({ length: rank - 2 }, (_, at) => at + 2), 1]);
}

/** What such a step is in the file. */
function fileOrder(step: Step): Computed {
  const rank = step.dims.length;
  const groups = [[0], [rank - 1], ...Array.from({ length: rank - 2 }, (_, at) => [at + 1])];
  return { kind: "computed", step, groups };
}

/** Windows of a node over axes of sizes. */
interface Frame {
  readonly kernel: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  readonly before: readonly number[];
  readonly after: readonly number[];
}

function frameOf(of: Importing, node: OnnxNode, sizes: readonly number[], kernel: readonly number[]): Frame {
  const ones = sizes.map(() => 1);
  const stride = of.integers(node, "strides") ?? ones;
  const dilation = of.integers(node, "dilations") ?? ones;
  const pads = of.integers(node, "pads") ?? [...sizes, ...sizes].map(() => 0);
  const auto = of.text(node, "auto_pad", "NOTSET");
  const lists = [kernel, stride, dilation];
  if (
    lists.some((list) => list.length !== sizes.length || list.some((each) => each < 1)) ||
    pads.length !== 2 * sizes.length ||
    pads.some((each) => each < 0)
  )
    of.refuse(node, "windows whose numbers do not fit the axes");
  const frame = { kernel, stride, dilation, before: pads.slice(0, sizes.length), after: pads.slice(sizes.length) };
  if (auto === "NOTSET" || auto === "") return frame;
  if (auto === "VALID") return { ...frame, before: sizes.map(() => 0), after: sizes.map(() => 0) };
  of.expect(node, "auto_pad", auto, ["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"]);
  const all = sizes.map((size, axis) => samePadding(size, frame, axis));
  const less = all.map((each) => Math.floor(each / 2));
  const more = all.map((each, axis) => each - (less[axis] ?? 0));
  return auto === "SAME_UPPER" ? { ...frame, before: less, after: more } : { ...frame, before: more, after: less };
}

/** Places of padding for ⌈size/stride⌉ windows. */
function samePadding(
  size: number,
  { kernel, stride, dilation }: Pick<Frame, "kernel" | "stride" | "dilation">,
  axis: number,
): number {
  const [taps = 1, step = 1, apart = 1] = [kernel[axis], stride[axis], dilation[axis]];
  return Math.max((Math.ceil(size / step) - 1) * step + (taps - 1) * apart + 1 - size, 0);
}

/** Padding as layers have it: so many at both ends, `same`, or `causal` of one axis; `undefined`: none of these. */
function paddingOf(sizes: readonly number[], frame: Frame): "same" | "causal" | readonly number[] | undefined {
  const { before, after, kernel, dilation, stride } = frame;
  // What no window reaches at the end changes nothing.
  const even = { ...frame, after: before };
  if (sizes.every((size, axis) => placesAlong(size, even, axis) === placesAlong(size, frame, axis))) return before;
  const isSame = sizes.every((size, axis) => {
    const all = samePadding(size, frame, axis);
    return before[axis] === Math.floor(all / 2) && after[axis] === all - Math.floor(all / 2);
  });
  if (isSame) return "same";
  const [taps = 1] = kernel;
  const isCausal =
    sizes.length === 1 && after[0] === 0 && before[0] === (taps - 1) * (dilation[0] ?? 1) && stride[0] === 1;
  return isCausal ? "causal" : undefined;
}

/** Places of windows along an axis. */
const placesAlong = (size: number, frame: Frame, axis: number): number => {
  const [taps = 1, step = 1, apart = 1] = [frame.kernel[axis], frame.stride[axis], frame.dilation[axis]];
  const all = size + (frame.before[axis] ?? 0) + (frame.after[axis] ?? 0);
  return Math.floor((all - (taps - 1) * apart - 1) / step) + 1;
};

/** Zeros around the axes of a step. */
function paddedStep(step: Step, { before, after }: Frame): Step {
  const axes = before.map((_, at) => at + 1);
  const [, ...row] = step.dims;
  const dims: Dims = ["batch", ...row.map((size, at) => size + (before[at] ?? 0) + (after[at] ?? 0))];
  return operationStep(
    [step],
    dims,
    unary((x) => ops.pad(x, before, after, { axis: axes })),
  );
}

/** Places of a kernel. */
const taps = (kernel: readonly number[]): number => kernel.reduce((product, size) => product * size, 1);

/** Two numbers, or one of one axis. */
const both = (values: readonly number[]): readonly [number, number] => [values[0] ?? 1, values[1] ?? 1];

/** Sizes between the batch and the channels. */
const middleOf = ({ dims }: Step): readonly number[] => dims.slice(1, -1).map(Number);

const conv: Operator = (of, node) => {
  const given = channelsLast(of, node, [1, 2]);
  const weight = of.weights(node, 1);
  const sizes = middleOf(given);
  if (weight === undefined || weight.dims.length !== sizes.length + 2)
    return of.refuse(node, "a weight of other axes than what it meets");
  const [outputs = 1, inner = 1, ...kernel] = weight.dims;
  const groups = of.integer(node, "group", 1);
  const channels = Number(given.dims.at(-1));
  if (channels !== inner * groups) of.refuse(node, `${channels} channels and a weight of [${weight.dims.join(", ")}]`);
  const frame = frameOf(of, node, sizes, kernel);
  const padding = paddingOf(sizes, frame);
  const from = padding === undefined ? paddedStep(given, frame) : given;
  const bias = of.weights(node, 2)?.data;
  const options = { groups, bias: bias !== undefined };
  const places = sizes.map((size, axis) => placesAlong(size, frame, axis));
  if (places.some((each) => each < 1)) of.refuse(node, "windows larger than what they lie over");
  const layer: Layer =
    kernel.length === 2
      ? conv2d(channels, outputs, {
          ...options,
          ...{ kernel: both(kernel), stride: both(frame.stride), dilation: both(frame.dilation) },
          padding:
            padding === undefined ? "valid" : padding === "same" || padding === "causal" ? "same" : both(padding),
        })
      : conv1d(channels, outputs, {
          ...options,
          ...{ kernel: kernel[0] ?? 1, stride: frame.stride[0], dilation: frame.dilation[0] },
          padding: padding === undefined ? "valid" : typeof padding === "string" ? padding : (padding[0] ?? 0),
        });
  const own = turnedEach(weight.data, outputs, inner, taps(kernel));
  const weights = bias === undefined ? { weight: own } : { weight: own, bias };
  return of.set(node.outputs[0], fileOrder(layerStep(from, layer, ["batch", ...places, outputs], weights)));
};

const convTransposed: Operator = (of, node) => {
  const given = channelsLast(of, node, [2]);
  const weight = of.weights(node, 1);
  if (weight === undefined || weight.dims.length !== 4)
    return of.refuse(node, "a weight of other axes than what it meets");
  const [inputs = 1, inner = 1, ...kernel] = weight.dims;
  const groups = of.integer(node, "group", 1);
  const sizes = middleOf(given);
  of.expect(node, "auto_pad", of.text(node, "auto_pad", "NOTSET"), ["NOTSET", "VALID"]);
  if (of.integers(node, "output_shape") !== undefined) of.refuse(node, "output_shape, where layers have padding");
  const frame = frameOf(of, node, sizes, kernel);
  const more = of.integers(node, "output_padding") ?? [0, 0];
  // What is padded less at the end than at the beginning is added there.
  const added = frame.before.map((each, axis) => each - (frame.after[axis] ?? 0) + (more[axis] ?? 0));
  if (added.some((each, axis) => each < 0 || (each > 0 && each >= (frame.stride[axis] ?? 1))))
    of.refuse(node, "more padding at the end than at the beginning");
  const places = sizes.map((size, axis) => {
    const reach = ((kernel[axis] ?? 1) - 1) * (frame.dilation[axis] ?? 1) + 1;
    return (size - 1) * (frame.stride[axis] ?? 1) + reach - 2 * (frame.before[axis] ?? 0) + (added[axis] ?? 0);
  });
  if (Number(given.dims.at(-1)) !== inputs || places.some((each) => each < 1)) of.refuse(node, "sizes that do not fit");
  const bias = of.weights(node, 2)?.data;
  const layer = convTransposed2d(inputs, inner * groups, {
    ...{ kernel: both(kernel), stride: both(frame.stride), dilation: both(frame.dilation), groups },
    ...{ padding: both(frame.before), outputPadding: both(added), bias: bias !== undefined },
  });
  const own = turnedEach(weight.data, inputs, inner, taps(kernel));
  const weights = bias === undefined ? { weight: own } : { weight: own, bias };
  return of.set(node.outputs[0], fileOrder(layerStep(given, layer, ["batch", ...places, inner * groups], weights)));
};

/** A pool; `counted`: of means, whether padding counts. */
function pool(of: Importing, node: OnnxNode, isMean: boolean): void {
  const given = channelsLast(of, node, [1, 2]);
  const sizes = middleOf(given);
  if ((node.outputs[1] ?? "") !== "") of.refuse(node, "the places of the largest elements");
  const frame = frameOf(of, node, sizes, of.integers(node, "kernel_shape") ?? []);
  if (frame.dilation.some((each) => each !== 1)) of.refuse(node, "windows with gaps");
  const rounded = frame.kernel.map((_, axis) => placesAlong(sizes[axis] ?? 1, frame, axis));
  const isUp = of.integer(node, "ceil_mode", 0) !== 0;
  const isWhole = sizes.every((size, axis) => {
    const all = size + (frame.before[axis] ?? 0) + (frame.after[axis] ?? 0) - (frame.kernel[axis] ?? 1);
    return all % (frame.stride[axis] ?? 1) === 0;
  });
  const padding = paddingOf(sizes, frame);
  const isPadded = typeof padding === "string" || padding?.some((each) => each > 0) === true;
  const countPadding = isMean && isPadded && of.integer(node, "count_include_pad", 0) !== 0;
  if ((isUp && !isWhole) || padding === undefined || padding === "causal") of.refuse(node, "padding at one end alone");
  if (rounded.some((each) => each < 1)) of.refuse(node, "windows larger than what they lie over");
  const [size, stride] = [both(frame.kernel), both(frame.stride)];
  const more = isMean ? { countPadding } : {};
  const two = { stride, padding: padding === "same" ? ("same" as const) : both(padding), ...more };
  const one = { stride: stride[0], padding: padding === "same" ? ("same" as const) : (padding[0] ?? 0), ...more };
  const layer: Layer =
    sizes.length === 2
      ? isMean
        ? averagePool2d(size, two)
        : maxPool2d(size, two)
      : isMean
        ? averagePool1d(size[0], one)
        : maxPool1d(size[0], one);
  of.set(node.outputs[0], fileOrder(layerStep(given, layer, ["batch", ...rounded, Number(given.dims.at(-1))])));
}

/** A pool over all places, which the file has as axes of 1. */
const globalPool =
  (make: () => Layer): Operator =>
  (of, node) => {
    const given = channelsLast(of, node, [1, 2, 3]);
    const groups = [[0], [1], ...middleOf(given).map(() => [])];
    of.set(node.outputs[0], {
      kind: "computed",
      step: layerStep(given, make(), ["batch", Number(given.dims.at(-1))]),
      groups,
    });
  };

const norm: Operator = (of, node) => {
  const value = of.floating(node);
  const rank = value.groups.length;
  const given = rank === 2 ? of.inOrder(node, value) : channelsLast(of, node, [1, 2, 3]);
  const channels = Number(given.dims.at(-1));
  const [scale, shift, mean, variance] = [1, 2, 3, 4].map((at) => of.weights(node, at)?.data);
  if (!scale || !shift || !mean || !variance) return of.refuse(node, "a norm without its figures");
  if (of.integer(node, "spatial", 1) === 0) of.refuse(node, "figures of each place");
  if ([scale, shift, mean, variance].some(({ length }) => length !== channels))
    of.refuse(node, `figures of other sizes than ${channels} channels`);
  // What is kept of running figures has the same sense in both.
  const keep = of.float(node, "momentum", 0.9);
  const layer = batchNorm(channels, {
    epsilon: of.float(node, "epsilon", 1e-5),
    keep: keep >= 0 && keep < 1 ? keep : of.refuse(node, `a momentum of ${keep}`),
  });
  const step = layerStep(given, layer, given.dims, { scale, shift, mean, variance });
  return of.set(node.outputs[0], rank === 2 ? { kind: "computed", step, groups: [[0], [1]] } : fileOrder(step));
};

/** Norms of groups of channels; `one`: of each channel by itself. */
function grouped(of: Importing, node: OnnxNode, isOne: boolean): void {
  const given = channelsLast(of, node, [1, 2, 3]);
  const channels = Number(given.dims.at(-1));
  const groups = isOne ? channels : of.integer(node, "num_groups", 0);
  if (groups < 1 || channels % groups !== 0) of.refuse(node, `${groups} groups of ${channels} channels`);
  const [scale, shift] = [1, 2].map((at) => of.weights(node, at)?.data);
  if (scale === undefined || shift === undefined) {
    throw of.refusal(node, "a norm without its factors");
  }
  const each = channels / groups;
  // Before version 21 factors are one a group.
  const own = (factors: Float32Array): Float32Array =>
    factors.length === channels
      ? factors
      : Float32Array.from({ length: channels }, (_, at) => factors[Math.floor(at / each)] ?? 0);
  if ([scale, shift].some(({ length }) => length !== channels && length !== groups))
    of.refuse(node, "factors of other sizes than the channels");
  const layer = groupNorm(channels, groups, { epsilon: of.float(node, "epsilon", 1e-5) });
  of.set(node.outputs[0], fileOrder(layerStep(given, layer, given.dims, { scale: own(scale), shift: own(shift) })));
}

export const windowOperators: Readonly<Record<string, Operator>> = {
  Conv: conv,
  ConvTranspose: convTransposed,
  MaxPool: (of, node) => pool(of, node, false),
  AveragePool: (of, node) => pool(of, node, true),
  GlobalAveragePool: globalPool(() => globalAveragePool()),
  GlobalMaxPool: globalPool(() => globalMaxPool()),
  BatchNormalization: norm,
  GroupNormalization: (of, node) => grouped(of, node, false),
  InstanceNormalization: (of, node) => grouped(of, node, true),
};

/** Operators that want channels behind the batch: an input that they take is of images, or of series. */
export const OF_CHANNELS: ReadonlySet<string> = new Set(Object.keys(windowOperators));

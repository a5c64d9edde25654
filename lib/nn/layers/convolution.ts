import { madeBy } from "../../described.js";
import { fail } from "../../errors.js";
import { convolved } from "../../ops/convolution.js";
import {
  axesOfWindows,
  type CheckedWindows,
  checkGroups,
  checkWindows,
  expectImages,
  type Padding1d,
  type Padding2d,
  perAxis,
} from "../../ops/windows.js";
import { checkKeys, checkNumber, checkOneOf } from "../../options.js";
import type { ValueSpec } from "../../tensor/value.js";
import { uniform } from "../parameters/initializers.js";
import { initOf } from "../parameters/parameter.js";
import { defineLayer, type Layer } from "../structure/layer.js";
import { type WeightAndBiasOptions, weightAndBias } from "./weight_and_bias.js";

/** One number for rows and columns, or [rows, columns]. */
export type Size2d = number | readonly [number, number];

/** Options of convolutions over any axes. */
interface ConvolutionOptions<K, S, D> extends WeightAndBiasOptions {
  /** Rows and columns of the kernel, or its steps. */
  readonly kernel: K;
  /** Steps between two windows, 1 by default. */
  readonly stride?: S | undefined;
  /** Distance of two taps of the kernel, 1 by default. */
  readonly dilation?: D | undefined;
  /** Equal parts of channels and outputs that are convolved by themselves; 1 by default, as many as channels for a depthwise one. */
  readonly groups?: number | undefined;
  /** `'pytorch'`: U(±1/√(kernel·inputs/groups)) for weight and bias at first, and `'same'` with a stride is refused, as there. */
  readonly preset?: "pytorch" | undefined;
  readonly name?: string | undefined;
}

/** Options of {@link conv2d}. */
export interface Conv2dLayerOptions<
  K extends Size2d = Size2d,
  S extends Size2d = Size2d,
  D extends Size2d = Size2d,
  P extends Padding2d = Padding2d,
> extends ConvolutionOptions<K, S, D> {
  /**
   * `'valid'` (the default): none; `'same'`: zeros so that there are ⌈size/stride⌉ places, the odd one behind, as TensorFlow has it; a number:
   * so many zeros at both ends.
   */
  readonly padding?: P | undefined;
}

/** Options of {@link conv1d}. */
export interface Conv1dLayerOptions<
  K extends number = number,
  S extends number = number,
  D extends number = number,
  P extends Padding1d = Padding1d,
> extends ConvolutionOptions<K, S, D> {
  /** As of {@link conv2d}; `'causal'`: (kernel − 1)·dilation zeros in front, so that no place sees a later step. */
  readonly padding?: P | undefined;
}

const OPTIONS = [
  ...["kernel", "stride", "dilation", "padding", "groups", "preset"],
  ...["bias", "init", "biasInit", "regularizer", "biasRegularizer", "name"],
];

/** The options of both, of one axis or two. */
type AnyOptions = Omit<Conv2dLayerOptions, "kernel" | "padding"> & {
  readonly kernel: Size2d;
  readonly padding?: Padding1d | Padding2d | undefined;
};

function checkedWindows(kind: string, axes: number, { kernel, stride, dilation, padding }: AnyOptions): CheckedWindows {
  return checkWindows(kind, axes, { kernel: perAxis(`${kind}.kernel`, kernel, axes), stride, dilation, padding });
}

function convolution(kind: string, inputs: number, outputs: number, options: AnyOptions): Layer {
  checkKeys(kind, options, OPTIONS);
  const axes = kind === "conv2d" ? 2 : 1;
  const windows = checkedWindows(kind, axes, options);
  const { preset, name } = options;
  if (preset !== undefined) checkOneOf(`${kind}.preset`, preset, ["pytorch"]);
  if (preset !== undefined && windows.padding === "same" && windows.stride.some((step) => step > 1))
    fail(
      "ERR_OPTION",
      `${kind}.padding`,
      "no 'same' beside a stride, as the preset 'pytorch' has it,",
      windows.padding,
    );
  checkNumber(`${kind}.inputs`, inputs, { min: 1, integer: true });
  checkNumber(`${kind}.outputs`, outputs, { min: 1, integer: true });
  const groups = checkGroups(kind, options.groups, outputs);
  if (inputs % groups !== 0) fail("ERR_OPTION", `${kind}.groups`, `a number that divides ${inputs}`, groups);
  const inner = inputs / groups;
  const terms = windows.kernel.reduce((product, size) => product * size, inner);
  const standard = preset === undefined ? initOf : () => uniform({ high: 1 / Math.sqrt(terms) });
  const parameters = weightAndBias(kind, inner, outputs, options, standard, { field: windows.kernel });
  const { weight, bias } = parameters;
  const config = { inputs, outputs, ...typesOf(options), groups, bias: bias !== undefined };
  const layer = defineLayer({
    ...{ kind, inputs, name, config, parameters },
    outputs: { windows: typesOf(options), last: outputs },
    infer(given: ValueSpec): ValueSpec {
      const [batch, ...row] = expectImages(kind, given.shape, axes);
      const places = axesOfWindows(kind, row.slice(0, -1).map(Number), windows).map(({ small }) => small);
      return { shape: [...(batch === undefined ? [] : [batch]), ...places, outputs], dtype: "f32" };
    },
    forward: (x, { weight: w, bias: b }) => convolved(kind, [x, w, b], windows, groups),
  });
  const ofBias = bias && { biasInit: bias.init, biasRegularizer: bias.regularizer };
  return madeBy(
    kind,
    { ...config, init: weight.init, regularizer: weight.regularizer, preset, name, ...ofBias },
    layer,
  );
}

/** The options of windows as they were given, with what they are by default. */
const typesOf = ({ kernel, stride = 1, dilation = 1, padding = "valid" }: AnyOptions) => ({
  ...{ kernel, stride, dilation, padding },
});

/**
 * Convolution: y[b, i, j, o] = bias[o] + Σ x[b, i·stride − pad + r·dilation, …, l]·weight[o, r, c, l] over rows r and columns c of the kernel and
 * channels l. x: [batch, height, width, inputs], weight: [outputs, rows, columns, inputs/groups], y: [batch, …, outputs]; formula and order of
 * sums at `ops.conv2d`. An input smaller than the kernel is `ERR_SHAPE`.
 */
export function conv2d<
  const In extends number,
  const Out extends number,
  const K extends Size2d,
  const S extends Size2d = 1,
  const D extends Size2d = 1,
  const P extends Padding2d = "valid",
>(
  inputs: In,
  outputs: Out,
  options: Conv2dLayerOptions<K, S, D, P>,
): Layer<In, { readonly windows: { kernel: K; stride: S; dilation: D; padding: P }; readonly last: Out }, "f32">;
export function conv2d(inputs: number, outputs: number, options: Conv2dLayerOptions): Layer {
  return convolution("conv2d", inputs, outputs, options);
}

/**
 * Convolution over time: x: [batch, time, inputs], weight: [outputs, kernel, inputs/groups], y: [batch, places, outputs]; formula at
 * `ops.conv1d`. An input shorter than the kernel is `ERR_SHAPE`.
 */
export function conv1d<
  const In extends number,
  const Out extends number,
  const K extends number,
  const S extends number = 1,
  const D extends number = 1,
  const P extends Padding1d = "valid",
>(
  inputs: In,
  outputs: Out,
  options: Conv1dLayerOptions<K, S, D, P>,
): Layer<In, { readonly windows: { kernel: K; stride: S; dilation: D; padding: P }; readonly last: Out }, "f32">;
export function conv1d(inputs: number, outputs: number, options: Conv1dLayerOptions): Layer {
  return convolution("conv1d", inputs, outputs, options);
}

import { madeBy } from "../../described.js";
import { fail } from "../../errors.js";
import { checkOutputPadding, convolvedTransposed, transposedAxes } from "../../ops/convolution.js";
import { checkGroups, checkWindows, expectImages, type Padding2d, perAxis } from "../../ops/windows.js";
import { checkKeys, checkNumber } from "../../options.js";
import type { ValueSpec } from "../../tensor/value.js";
import { defineLayer, type Layer } from "../structure/layer.js";
import type { WindowTypes } from "../structure/window_sizes.js";
import type { Size2d } from "./convolution.js";
import { type WeightAndBiasOptions, weightAndBias } from "./weight_and_bias.js";

/** Options of {@link convTransposed2d}. */
export interface ConvTransposed2dLayerOptions extends WeightAndBiasOptions {
  /** Rows and columns of the kernel. */
  readonly kernel: Size2d;
  /** How far apart the places of the input come to lie, 1 by default. */
  readonly stride?: Size2d | undefined;
  /** Distance of two taps of the kernel, 1 by default. */
  readonly dilation?: Size2d | undefined;
  /** `'valid'` (the default): every place that a window reaches; `'same'`: size·stride, as in Keras; a number: so many fewer at both ends, as in PyTorch. */
  readonly padding?: Padding2d | undefined;
  /** Places more at the end, below the stride, as in PyTorch; 0 by default. */
  readonly outputPadding?: Size2d | undefined;
  /** Equal parts of inputs and outputs that are convolved by themselves; 1 by default. */
  readonly groups?: number | undefined;
  readonly name?: string | undefined;
}

const KIND = "convTransposed2d";

const OPTIONS = [
  ...["kernel", "stride", "dilation", "padding", "outputPadding", "groups"],
  ...["bias", "init", "biasInit", "regularizer", "biasRegularizer", "name"],
];

/**
 * Transposed convolution, the gradient of {@link conv2d} to its input, by which images grow: x: [batch, height, width, inputs], weight: [inputs, rows, columns,
 * outputs/groups], the weight of the convolution whose transpose it is, bias: [outputs], y: [batch, …, outputs]; formula at `ops.convTransposed2d`. Its axes have (size −
 * 1)·stride + (kernel − 1)·dilation + 1 − 2·padding + outputPadding places, and size·stride with `'same'`. Where the kernel is smaller than the stride, Keras gives stride − kernel
 * more with `'valid'`.
 */
export function convTransposed2d<const In extends number, const Out extends number>(
  inputs: In,
  outputs: Out,
  options: ConvTransposed2dLayerOptions,
): Layer<In, { readonly windows: WindowTypes; readonly last: Out }, "f32"> {
  checkKeys(KIND, options, OPTIONS);
  const { stride = 1, dilation = 1, padding = "valid", outputPadding = 0, name } = options;
  const kernel = perAxis(`${KIND}.kernel`, options.kernel, 2);
  const windows = checkWindows(KIND, 2, { kernel, stride, dilation, padding });
  const more = checkOutputPadding(KIND, windows, outputPadding);
  checkNumber(`${KIND}.inputs`, inputs, { min: 1, integer: true });
  checkNumber(`${KIND}.outputs`, outputs, { min: 1, integer: true });
  const groups = checkGroups(KIND, options.groups, outputs);
  if (inputs % groups !== 0) fail("ERR_OPTION", `${KIND}.groups`, `a number that divides ${inputs}`, groups);
  const sizes = { field: kernel, biased: outputs };
  const parameters = weightAndBias(KIND, outputs / groups, inputs, options, undefined, sizes);
  const { weight, bias } = parameters;
  const own = { kernel: options.kernel, stride, dilation, padding };
  const config = { inputs, outputs, ...own, outputPadding, groups, bias: bias !== undefined };
  const layer = defineLayer({
    ...{ kind: KIND, inputs, name, config, parameters },
    outputs: { windows: own as WindowTypes, last: outputs },
    infer(given: ValueSpec): ValueSpec {
      const [batch = 1, height, width] = expectImages(KIND, given.shape, 2);
      const axes = transposedAxes(KIND, [Number(height), Number(width)], windows, more);
      return { shape: [batch, ...axes.map(({ large }) => large), outputs], dtype: "f32" };
    },
    forward: (x, { weight: w, bias: b }) => convolvedTransposed(KIND, [x, w, b], windows, { groups, more }),
  });
  const ofBias = bias && { biasInit: bias.init, biasRegularizer: bias.regularizer };
  return madeBy(KIND, { ...config, init: weight.init, regularizer: weight.regularizer, name, ...ofBias }, layer);
}

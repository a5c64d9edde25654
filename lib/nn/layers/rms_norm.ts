import { madeBy } from "../../described.js";
import * as ops from "../../ops/index.js";
import { parameter } from "../parameters/parameter.js";
import { defineLayer, type Layer } from "../structure/layer.js";
import { checkNormOptions, type Learned, type NormLayerOptions } from "./layer_norm.js";

/**
 * Normalization by the root of the mean square: y = x/√(Σx²/inputs + ε)·scale over the features of each row, x: [batch, …, inputs].
 * There is no mean and no shift; with `affine: false` no scale. Zhang, Sennrich 2019.
 */
export function rmsNorm<const In extends number>(inputs: In, options: NormLayerOptions = {}): Layer<In, "same"> {
  const { epsilon, affine } = checkNormOptions("rmsNorm", inputs, options);
  const { name } = options;
  const config = { inputs, epsilon, affine };
  const layer = defineLayer({
    kind: "rmsNorm",
    inputs,
    outputs: "same",
    name,
    config,
    parameters: affine ? { scale: parameter([inputs], { role: "scale" }) } : {},
    forward: (x, { scale }: Learned) => ops.rmsNorm(x, scale, { epsilon }),
  });
  return madeBy("rmsNorm", { ...config, name }, layer);
}

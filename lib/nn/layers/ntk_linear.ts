import { madeBy } from "../../described.js";
import * as ops from "../../ops/index.js";
import { checkKeys } from "../../options.js";
import { type Initializer, normal } from "../parameters/initializers.js";
import { defineLayer, type Layer } from "../structure/layer.js";
import { type RateFactors, type WeightAndBiasOptions, weightAndBias } from "./weight_and_bias.js";

/** Options of {@link ntkLinear}. */
export interface NtkLinearOptions extends WeightAndBiasOptions, RateFactors {
  /** Of the weight; N(0, 1) by default. A number is a constant. */
  readonly init?: Initializer | number | undefined;
  /** Of the bias, if there is one; N(0, 1) by default. */
  readonly biasInit?: Initializer | number | undefined;
  readonly name?: string | undefined;
}

const KEYS = ["bias", "init", "biasInit", "regularizer", "biasRegularizer", "rateFactor", "biasRateFactor", "name"];

/**
 * y = (x·c)·Wᵀ + b with c = 1/√inputs: a linear layer in the parametrization of the neural tangent kernel, x: [batch, inputs],
 * weight: [outputs, inputs], bias: [outputs], y: [batch, outputs]. Weights are of the order of 1 whatever the width, so that one learning rate
 * suits layers of any. Penalties and decay see W as it is stored.
 *
 * Jacot, Gabriel, Hongler 2018; in RealMLP with `biasRateFactor: 0.1` (Holzmüller, Grinsztajn, Steinwart 2024, pytabkit's
 * `weight_param: 'ntk'`, which multiplies after the product). Sizes are integers ≥ 1; anything else is `ERR_OPTION`.
 */
export function ntkLinear<const In extends number, const Out extends number>(
  inputs: In,
  outputs: Out,
  options: NtkLinearOptions = {},
): Layer<In, Out, "f32"> {
  checkKeys("ntkLinear", options, KEYS);
  const { name } = options;
  const parameters = weightAndBias("ntkLinear", inputs, outputs, options, () => normal());
  const { weight, bias } = parameters;
  const factor = 1 / Math.sqrt(inputs);
  const config = { inputs, outputs, bias: bias !== undefined };
  const layer = defineLayer({
    ...{ kind: "ntkLinear", inputs, outputs, name, config, parameters },
    forward: (x, { weight, bias }) => ops.linear(ops.multiply(x, factor), weight, bias),
  });
  const { init, regularizer, rateFactor } = weight;
  const ofBias = bias && { biasInit: bias.init, biasRegularizer: bias.regularizer, biasRateFactor: bias.rateFactor };
  return madeBy("ntkLinear", { ...config, init, regularizer, rateFactor, name, ...ofBias }, layer);
}

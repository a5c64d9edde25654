import { madeBy } from "../../described.js";
import * as ops from "../../ops/index.js";
import { checkKeys, checkNumber } from "../../options.js";
import type { Value } from "../../tensor/value.js";
import type { Initializer } from "../parameters/initializers.js";
import { defineLayer, type Layer, type LayerContext } from "../structure/layer.js";
import { type WeightAndBiasOptions, weightAndBias } from "./weight_and_bias.js";

/** Options of {@link linear}. */
export interface LinearOptions extends WeightAndBiasOptions {
  /** Of the weight; Xavier uniform by default. A number is a constant. */
  readonly init?: Initializer | number | undefined;
  /** Of the bias, if there is one; 0 by default. */
  readonly biasInit?: Initializer | number | undefined;
  /** Probability of dropping a weight in training, [0, 1), 0 by default: one mask a step, kept weights times 1/keep. */
  readonly dropConnect?: number | undefined;
  readonly name?: string | undefined;
}

/** DropConnect: W̃ = m ⊙ W/keep in training (Wan et al. 2013, with inverted scaling), W at inference. */
function connected(weight: Value, rate: number, { training, nextSite }: LayerContext): Value {
  return training && rate > 0 ? ops.dropout(weight, { rate, site: nextSite() }) : weight;
}

/**
 * y = x·Wᵀ + b with x: [batch, inputs], weight: [outputs, inputs], bias: [outputs], y: [batch, outputs].
 *
 * Sizes are integers ≥ 1; anything else is `ERR_OPTION`.
 */
export function linear<const In extends number, const Out extends number>(
  inputs: In,
  outputs: Out,
  options: LinearOptions = {},
): Layer<In, Out, "f32"> {
  checkKeys("linear", options, ["bias", "init", "biasInit", "regularizer", "biasRegularizer", "dropConnect", "name"]);
  const { name } = options;
  const parameters = weightAndBias("linear", inputs, outputs, options);
  const { weight, bias } = parameters;
  const rate = checkNumber("linear.dropConnect", options.dropConnect ?? 0, { min: 0, below: 1 });
  const config = { inputs, outputs, bias: bias !== undefined, dropConnect: rate };
  const layer = defineLayer({
    ...{ kind: "linear", inputs, outputs, name, config, parameters },
    forward: (x, { weight, bias }, context) => ops.linear(x, connected(weight, rate, context), bias),
  });
  const ofBias = bias && { biasInit: bias.init, biasRegularizer: bias.regularizer };
  return madeBy("linear", { ...config, init: weight.init, regularizer: weight.regularizer, name, ...ofBias }, layer);
}

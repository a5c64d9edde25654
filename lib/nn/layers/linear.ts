import { madeBy } from "../../described.js";
import { fail } from "../../errors.js";
import * as ops from "../../ops/index.js";
import { checkBoolean, checkKeys, checkNumber } from "../../options.js";
import { checkBiasRegularizers, checked, type Regularizers } from "../../regularizers/index.js";
import type { Value } from "../../tensor/value.js";
import type { Initializer } from "../parameters/initializers.js";
import { parameter } from "../parameters/parameter.js";
import { defineLayer, type Layer, type LayerContext } from "../structure/layer.js";

/** Options of {@link linear}. */
export interface LinearOptions {
  /** Adds a bias, true by default. */
  readonly bias?: boolean | undefined;
  /** Of the weight; Xavier uniform by default. A number is a constant. */
  readonly init?: Initializer | number | undefined;
  /** Of the bias, if there is one; 0 by default. */
  readonly biasInit?: Initializer | number | undefined;
  /** Of the weight; `null`: none, `undefined`: the model-wide one. */
  readonly regularizer?: Regularizers | undefined;
  /** Penalties on the bias; `null`: none, `undefined`: the model-wide ones of biases. */
  readonly biasRegularizer?: Regularizers | undefined;
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
  checkNumber("linear.inputs", inputs, { min: 1, integer: true });
  checkNumber("linear.outputs", outputs, { min: 1, integer: true });
  const { init, biasInit, regularizer, biasRegularizer, name } = options;
  checked("linear.regularizer", regularizer);
  checkBiasRegularizers("linear.biasRegularizer", biasRegularizer);
  const rate = checkNumber("linear.dropConnect", options.dropConnect ?? 0, { min: 0, below: 1 });
  const biased = checkBoolean("linear.bias", options.bias ?? true);
  const weight = parameter([outputs, inputs], { init, regularizer });
  const config = { inputs, outputs, bias: biased, dropConnect: rate };
  const made = { ...config, init: weight.init, regularizer: weight.regularizer, name };
  if (!biased) {
    if (biasRegularizer) fail("ERR_OPTION", "linear.biasRegularizer", "none, as there is no bias,", biasRegularizer);
    if (biasInit !== undefined) fail("ERR_OPTION", "linear.biasInit", "none, as there is no bias,", biasInit);
    const layer = defineLayer({
      kind: "linear",
      inputs,
      outputs,
      name,
      config,
      parameters: { weight },
      forward: (x, parameters, context) => ops.linear(x, connected(parameters.weight, rate, context)),
    });
    return madeBy("linear", made, layer);
  }
  const bias = parameter([outputs], { init: biasInit, regularizer: biasRegularizer });
  const layer = defineLayer({
    kind: "linear",
    inputs,
    outputs,
    name,
    config,
    parameters: { weight, bias },
    forward: (x, parameters, context) => ops.linear(x, connected(parameters.weight, rate, context), parameters.bias),
  });
  return madeBy("linear", { ...made, biasInit: bias.init, biasRegularizer: bias.regularizer }, layer);
}

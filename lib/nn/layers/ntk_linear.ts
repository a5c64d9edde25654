import { madeBy } from "../../described.js";
import { fail } from "../../errors.js";
import * as ops from "../../ops/index.js";
import { checkBoolean, checkKeys, checkNumber } from "../../options.js";
import { checkBiasRegularizers, checked, type Regularizers } from "../../regularizers/index.js";
import { type Initializer, normal, toInitializer } from "../parameters/initializers.js";
import { parameter } from "../parameters/parameter.js";
import { defineLayer, type Layer } from "../structure/layer.js";

/** Options of {@link ntkLinear}. */
export interface NtkLinearOptions {
  /** Adds a bias, true by default. */
  readonly bias?: boolean | undefined;
  /** Of the weight; N(0, 1) by default. A number is a constant. */
  readonly init?: Initializer | number | undefined;
  /** Of the bias, if there is one; N(0, 1) by default. */
  readonly biasInit?: Initializer | number | undefined;
  /** Of the weight; `null`: none, `undefined`: the model-wide one. */
  readonly regularizer?: Regularizers | undefined;
  /** Penalties on the bias; `null`: none, `undefined`: the model-wide ones of biases. */
  readonly biasRegularizer?: Regularizers | undefined;
  /** Of the weight, as of {@link parameter}; 1 by default. */
  readonly rateFactor?: number | undefined;
  /** Of the bias, as of {@link parameter}; 1 by default. */
  readonly biasRateFactor?: number | undefined;
  readonly name?: string | undefined;
}

const OF_BIAS = ["biasInit", "biasRegularizer", "biasRateFactor"] as const;
const KEYS = ["bias", "init", "regularizer", "rateFactor", "name", ...OF_BIAS];

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
  checkNumber("ntkLinear.inputs", inputs, { min: 1, integer: true });
  checkNumber("ntkLinear.outputs", outputs, { min: 1, integer: true });
  const { init, biasInit, biasRegularizer, rateFactor, biasRateFactor, name } = options;
  const regularizer = checked("ntkLinear.regularizer", options.regularizer);
  checkBiasRegularizers("ntkLinear.biasRegularizer", biasRegularizer);
  const biased = checkBoolean("ntkLinear.bias", options.bias ?? true);
  const standard = normal();
  const factor = 1 / Math.sqrt(inputs);
  const weight = parameter([outputs, inputs], {
    init: toInitializer("ntkLinear.init", init, standard),
    regularizer,
    rateFactor,
  });
  const base = { kind: "ntkLinear", inputs, outputs, name, config: { inputs, outputs, bias: biased } } as const;
  const made = {
    ...{ inputs, outputs, bias: biased, init: weight.init, regularizer, rateFactor: weight.rateFactor, name },
  };
  if (!biased) {
    for (const option of OF_BIAS) {
      const given = options[option];
      if (given !== undefined && given !== null)
        fail("ERR_OPTION", `ntkLinear.${option}`, "none, as there is no bias,", given);
    }
    const layer = defineLayer({
      ...base,
      parameters: { weight },
      forward: (x, parameters) => ops.linear(ops.multiply(x, factor), parameters.weight),
    });
    return madeBy("ntkLinear", made, layer);
  }
  const bias = parameter([outputs], {
    init: toInitializer("ntkLinear.biasInit", biasInit, standard),
    regularizer: biasRegularizer,
    rateFactor: biasRateFactor,
  });
  const layer = defineLayer({
    ...base,
    parameters: { weight, bias },
    forward: (x, parameters) => ops.linear(ops.multiply(x, factor), parameters.weight, parameters.bias),
  });
  const ofBias = { biasInit: bias.init, biasRegularizer: bias.regularizer, biasRateFactor: bias.rateFactor };
  return madeBy("ntkLinear", { ...made, ...ofBias }, layer);
}

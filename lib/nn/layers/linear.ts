import * as ops from "../../ops/index.js";
import { checkBoolean, checkKeys, checkNumber } from "../../options.js";
import type { Regularizer } from "../../regularizers/index.js";
import type { Initializer } from "../initializers.js";
import { defineLayer, type Layer } from "../layer.js";
import { checkRegularizer, parameter } from "../parameter.js";

/** Options of {@link linear}. */
export interface LinearOptions {
  /** Adds a bias, true by default. */
  readonly bias?: boolean | undefined;
  /** Of the weight; Xavier uniform by default. A number is a constant. */
  readonly init?: Initializer | number | undefined;
  /** Of the bias; 0 by default. */
  readonly biasInit?: Initializer | number | undefined;
  /** Of the weight; `null`: none, `undefined`: the model-wide one. */
  readonly regularizer?: Regularizer | null | undefined;
  readonly name?: string | undefined;
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
): Layer<In, Out> {
  checkKeys("linear", options, ["bias", "init", "biasInit", "regularizer", "name"]);
  checkNumber("linear.inputs", inputs, { min: 1, integer: true });
  checkNumber("linear.outputs", outputs, { min: 1, integer: true });
  const { init, biasInit, regularizer, name } = options;
  checkRegularizer("linear.regularizer", regularizer);
  const biased = checkBoolean("linear.bias", options.bias ?? true);
  const weight = parameter([outputs, inputs], { init, regularizer });
  const config = { inputs, outputs, bias: biased };
  if (!biased) {
    return defineLayer({
      kind: "linear",
      inputs,
      outputs,
      name,
      config,
      parameters: { weight },
      forward: (x, parameters) => ops.linear(x, parameters.weight),
    });
  }
  return defineLayer({
    kind: "linear",
    inputs,
    outputs,
    name,
    config,
    parameters: { weight, bias: parameter([outputs], { init: biasInit }) },
    forward: (x, parameters) => ops.linear(x, parameters.weight, parameters.bias),
  });
}

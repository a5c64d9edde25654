import { madeBy } from "../../described.js";
import { fail } from "../../errors.js";
import * as ops from "../../ops/index.js";
import { checkKeys, checkNumber } from "../../options.js";
import type { Regularizers } from "../../regularizers/index.js";
import type { Initializer } from "../parameters/initializers.js";
import { parameter } from "../parameters/parameter.js";
import { checkLayer, checkName, type Layer, sealed } from "../structure/layer.js";

/** Options of {@link parametricActivation}. */
export interface ParametricOptions {
  /** Of the shares; 1 by default, the activation as it is. A number is a constant. */
  readonly init?: Initializer | number | undefined;
  /** Of the shares, which model-wide ones do not reach. */
  readonly regularizer?: Regularizers | undefined;
  /** As of {@link parameter}; 1 by default. */
  readonly rateFactor?: number | undefined;
  /** As of {@link parameter}; 0 by default. */
  readonly decayFactor?: number | undefined;
  readonly name?: string | undefined;
}

/**
 * y = x + (f(x) − x) ⊙ a: an activation f with a share a of its own that every unit learns, from the identity (0) through f (1) and beyond. x: [batch, …,
 * inputs], share: [inputs]. `activation` is a layer without parameters that gives what it takes, else `ERR_OPTION`.
 *
 * Holzmüller, Grinsztajn, Steinwart 2024, with `rateFactor: 0.1`; pytabkit's `use_parametric_act`.
 */
export function parametricActivation<const In extends number>(
  inputs: In,
  activation: Layer<number, "same", "f32">,
  options: ParametricOptions = {},
): Layer<In, "same"> {
  checkKeys("parametricActivation", options, ["init", "regularizer", "rateFactor", "decayFactor", "name"]);
  checkNumber("parametricActivation.inputs", inputs, { min: 1, integer: true });
  const inner = checkLayer("parametricActivation.activation", activation);
  const keeps = inner.outputs === "same" && Object.keys(inner.parameters).length === 0 && inner.layers === undefined;
  if (!keeps || inner.state !== undefined)
    fail("ERR_OPTION", "parametricActivation.activation", "a layer without parameters, such as selu(),", activation);
  const { name, ...given } = options;
  checkName("parametricActivation.name", name);
  const share = parameter([inputs], { role: "scale", ...given });
  const { init, regularizer, rateFactor, decayFactor } = share;
  const layer = sealed<Layer<In, "same">>({
    kind: "parametricActivation",
    inputs,
    outputs: "same",
    name,
    config: { inputs },
    parameters: { share },
    layers: { activation: inner },
    order: ["activation"],
    flow: "chain",
    forward(x, parameters, { layers }) {
      const bent = layers.activation?.(x) ?? x;
      return ops.add(x, ops.multiply(ops.subtract(bent, x), parameters.share ?? 1));
    },
  });
  const made = { inputs, layers: [inner], init, regularizer, rateFactor, decayFactor, name };
  return madeBy("parametricActivation", made, layer);
}

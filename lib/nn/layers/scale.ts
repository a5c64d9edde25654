import { madeBy } from "../../described.js";
import * as ops from "../../ops/index.js";
import { checkKeys, checkNumber } from "../../options.js";
import type { Regularizers } from "../../regularizers/index.js";
import type { Initializer } from "../parameters/initializers.js";
import { parameter } from "../parameters/parameter.js";
import { defineLayer, type Layer } from "../structure/layer.js";

/** Options of {@link scale}. */
export interface ScaleOptions {
  /** Of the factors; 1 by default. A number is a constant. */
  readonly init?: Initializer | number | undefined;
  /** Of the factors, which model-wide ones do not reach. */
  readonly regularizer?: Regularizers | undefined;
  /** As of {@link parameter}; 1 by default. */
  readonly rateFactor?: number | undefined;
  /** As of {@link parameter}; 0 by default. */
  readonly decayFactor?: number | undefined;
  readonly name?: string | undefined;
}

/**
 * y = x ⊙ s: a factor a feature that is learned, x: [batch, …, inputs], scale: [inputs]. In front of a network, with a rate of its own, it
 * weighs the columns of a table, much as a choice of features does (Holzmüller, Grinsztajn, Steinwart 2024: `rateFactor: 6`).
 */
export function scale<const In extends number>(inputs: In, options: ScaleOptions = {}): Layer<In, "same"> {
  checkKeys("scale", options, ["init", "regularizer", "rateFactor", "decayFactor", "name"]);
  checkNumber("scale.inputs", inputs, { min: 1, integer: true });
  const { name, ...given } = options;
  const factors = parameter([inputs], { role: "scale", ...given });
  const { init, regularizer, rateFactor, decayFactor } = factors;
  const layer = defineLayer({
    kind: "scale",
    inputs,
    outputs: "same",
    name,
    config: { inputs },
    parameters: { scale: factors },
    forward: (x, parameters) => ops.multiply(x, parameters.scale),
  });
  return madeBy("scale", { inputs, init, regularizer, rateFactor, decayFactor, name }, layer);
}

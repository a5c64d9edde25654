// Parameters of layers that multiply by a weight and may add a bias.
import { fail } from "../../errors.js";
import { checkBoolean, checkNumber } from "../../options.js";
import { checkBiasRegularizers, checked, type Regularizers } from "../../regularizers/index.js";
import { type Initializer, toInitializer } from "../parameters/initializers.js";
import { initOf, type ParameterSpec, parameter } from "../parameters/parameter.js";

/** Options of a layer with a weight and a bias. */
export interface WeightAndBiasOptions {
  /** Adds a bias, true by default. */
  readonly bias?: boolean | undefined;
  /** Of the weight. A number is a constant. */
  readonly init?: Initializer | number | undefined;
  /** Of the bias, if there is one. */
  readonly biasInit?: Initializer | number | undefined;
  /** Of the weight; `null`: none, `undefined`: the model-wide one. */
  readonly regularizer?: Regularizers | undefined;
  /** Penalties on the bias; `null`: none, `undefined`: the model-wide ones of biases. */
  readonly biasRegularizer?: Regularizers | undefined;
}

/** Factors of the learning rates of both. */
export interface RateFactors {
  /** Of the weight, as of {@link parameter}; 1 by default. */
  readonly rateFactor?: number | undefined;
  /** Of the bias, as of {@link parameter}; 1 by default. */
  readonly biasRateFactor?: number | undefined;
}

const OF_BIAS = ["biasInit", "biasRegularizer", "biasRateFactor"] as const;

/**
 * The weight, [outputs, …field, inputs], and the bias, [biased], if there is one, of a layer of that kind. `ERR_OPTION` for sizes that are no
 * integers ≥ 1, and for options of a bias where there is none.
 *
 * @param standard Gives the initializer of a parameter without one; by role and shape unless it is given.
 */
export function weightAndBias(
  kind: string,
  inputs: number,
  outputs: number,
  options: WeightAndBiasOptions & RateFactors,
  standard = initOf,
  { field = [], biased = outputs }: { readonly field?: readonly number[]; readonly biased?: number } = {},
): { readonly weight: ParameterSpec; readonly bias?: ParameterSpec } {
  checkNumber(`${kind}.inputs`, inputs, { min: 1, integer: true });
  checkNumber(`${kind}.outputs`, outputs, { min: 1, integer: true });
  const { init, regularizer, rateFactor, biasInit, biasRegularizer, biasRateFactor } = options;
  checked(`${kind}.regularizer`, regularizer);
  checkBiasRegularizers(`${kind}.biasRegularizer`, biasRegularizer);
  const made = (role: "weight" | "bias", shape: readonly number[], given: typeof init): Initializer =>
    toInitializer(`${kind}.${role === "bias" ? "biasInit" : "init"}`, given, standard(role, shape));
  const of = { weight: [outputs, ...field, inputs], bias: [biased] };
  const weight = parameter(of.weight, { init: made("weight", of.weight, init), regularizer, rateFactor });
  if (checkBoolean(`${kind}.bias`, options.bias ?? true)) {
    const own = { init: made("bias", of.bias, biasInit), regularizer: biasRegularizer, rateFactor: biasRateFactor };
    return { weight, bias: parameter(of.bias, own) };
  }
  for (const option of OF_BIAS) {
    const given = options[option];
    if (given !== undefined && given !== null)
      fail("ERR_OPTION", `${kind}.${option}`, "none, as there is no bias,", given);
  }
  return { weight };
}

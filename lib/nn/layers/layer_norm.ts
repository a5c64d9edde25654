import { madeBy } from "../../described.js";
import * as ops from "../../ops/index.js";
import { NORM_EPSILON } from "../../ops/row_norm.js";
import { checkBoolean, checkKeys, checkNumber } from "../../options.js";
import type { Value } from "../../tensor/value.js";
import { type ParameterSpec, parameter } from "../parameters/parameter.js";
import { defineLayer, type Layer } from "../structure/layer.js";

/** Options of {@link layerNorm}, {@link rmsNorm} and {@link groupNorm}. */
export interface NormLayerOptions {
  /** ε > 0 inside the root; 1e-5 by default. */
  readonly epsilon?: number | undefined;
  /** Whether a scale, 1 at first, and a shift, 0 at first, are learned for each feature; true by default. */
  readonly affine?: boolean | undefined;
  readonly name?: string | undefined;
}

/** The options that all normalizations of rows have, checked; of `kind` for messages. */
export function checkNormOptions(
  kind: string,
  inputs: number,
  options: NormLayerOptions,
): { readonly epsilon: number; readonly affine: boolean } {
  checkKeys(kind, options, ["epsilon", "affine", "name"]);
  checkNumber(`${kind}.inputs`, inputs, { min: 1, integer: true });
  return {
    epsilon: checkNumber(`${kind}.epsilon`, options.epsilon ?? NORM_EPSILON, { above: 0 }),
    affine: checkBoolean(`${kind}.affine`, options.affine ?? true),
  };
}

/** A scale and a shift, where they are learned. */
export type Learned = Readonly<Partial<Record<"scale" | "shift", Value | undefined>>>;

/** A scale and a shift of `inputs` features, which penalties leave alone; none where they are not to be learned. */
export function scaleAndShift(
  inputs: number,
  affine: boolean,
): Readonly<Partial<Record<keyof Learned, ParameterSpec>>> {
  if (!affine) return {};
  return { scale: parameter([inputs], { role: "scale" }), shift: parameter([inputs], { role: "bias" }) };
}

/**
 * Layer normalization: y = (x − mean)/√(variance + ε)·scale + shift, mean and variance over the features of each row, x: [batch, …,
 * inputs]; formula at `ops.layerNorm`. Training and inference are the same. Ba, Kiros, Hinton 2016.
 */
export function layerNorm<const In extends number>(inputs: In, options: NormLayerOptions = {}): Layer<In, "same"> {
  const { epsilon, affine } = checkNormOptions("layerNorm", inputs, options);
  const { name } = options;
  const config = { inputs, epsilon, affine };
  const layer = defineLayer({
    kind: "layerNorm",
    inputs,
    outputs: "same",
    name,
    config,
    parameters: scaleAndShift(inputs, affine),
    forward: (x, { scale, shift }: Learned) => ops.layerNorm(x, scale, shift, { epsilon }),
  });
  return madeBy("layerNorm", { ...config, name }, layer);
}

import { madeBy } from "../../described.js";
import { fail } from "../../errors.js";
import * as ops from "../../ops/index.js";
import { checkNumber } from "../../options.js";
import { defineLayer, type Layer } from "../structure/layer.js";
import { checkNormOptions, type Learned, type NormLayerOptions, scaleAndShift } from "./layer_norm.js";

/**
 * Group normalization: the features of each example, cut into `groups` equal parts of neighbours, have a mean and a variance a part, over
 * all places of the example; y = (x − mean)/√(variance + ε)·scale + shift with a scale and a shift a feature. x: [batch, …, inputs];
 * formula at `ops.groupNorm`. Wu, He 2018.
 */
export function groupNorm<const In extends number>(
  inputs: In,
  groups: number,
  options: NormLayerOptions = {},
): Layer<In, "same"> {
  const { epsilon, affine } = checkNormOptions("groupNorm", inputs, options);
  checkNumber("groupNorm.groups", groups, { min: 1, integer: true });
  if (inputs % groups !== 0) fail("ERR_OPTION", "groupNorm.groups", `a number that divides ${inputs}`, groups);
  const { name } = options;
  const config = { inputs, groups, epsilon, affine };
  const layer = defineLayer({
    kind: "groupNorm",
    inputs,
    outputs: "same",
    name,
    config,
    parameters: scaleAndShift(inputs, affine),
    forward: (x, { scale, shift }: Learned) => ops.groupNorm(x, groups, scale, shift, { epsilon }),
  });
  return madeBy("groupNorm", { ...config, name }, layer);
}

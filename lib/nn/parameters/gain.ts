import { fail } from "../../errors.js";
import { LEAKY_SLOPE } from "../../ops/activations.js";
import { checkNumber, checkOneOf } from "../../options.js";

/**
 * linear, sigmoid, tanh, relu and selu as in PyTorch's `calculate_gain`. The others, which it lacks, are what keeps the
 * second moment of a standard normal z: 1/√E[f(z)²], as √2 for relu (He et al. 2015); a test integrates them.
 */
const GAINS = {
  linear: 1,
  sigmoid: 1,
  tanh: 5 / 3,
  relu: Math.sqrt(2),
  selu: 3 / 4,
  relu6: 1.41421356509507,
  elu: 1.24519830070071,
  gelu: 1.53353044119554,
  silu: 1.67653247033109,
  mish: 1.48684758127321,
  softplus: 1.0418668355353,
  hardTanh: 1.39203614044831,
  hardSigmoid: 1.89784042472956,
  hardSilu: 1.73665721276654,
} as const;

type Tabled = keyof typeof GAINS;

/** Activations that have a gain. */
export type GainName = Tabled | "leakyRelu";

const TABLED = Object.keys(GAINS) as Tabled[];

/**
 * The factor by which weights before an activation are spread more, so that variance survives it:
 * linear and sigmoid 1, tanh 5/3, relu √2, leakyRelu √(2/(1 + a²)) with slope a (0.01 by default), selu 3/4, and
 * 1/√E[f(z)²] over a standard normal z for relu6, elu (α = 1), gelu, silu, mish, softplus and the hard ones.
 *
 * @param parameter The slope a of leakyRelu; for any other activation it is `ERR_OPTION`.
 */
export function gain(activation: GainName, parameter?: number | undefined): number {
  const name = checkOneOf<GainName>("gain.activation", activation, [...TABLED, "leakyRelu"]);
  if (name === "leakyRelu") {
    const slope = checkNumber("gain.parameter", parameter ?? LEAKY_SLOPE);
    return Math.sqrt(2 / (1 + slope * slope));
  }
  if (parameter !== undefined) {
    fail("ERR_OPTION", "gain.parameter", `no parameter, as ${name} has none,`, parameter);
  }
  return GAINS[name];
}

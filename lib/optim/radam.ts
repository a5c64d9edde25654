import { power } from "../tensor/exact.js";
import { checkMoments, correction, type MomentsOptions, momentsConstants, momentsOptions } from "./moments.js";
import { describeOptimizer, type Optimizer, zeroStates } from "./optimizer.js";

/** Options of {@link radam}: η is 0.001, ε is 1e-8 by default. */
export interface RadamOptions extends MomentsOptions {
  /** PyTorch's defaults and arithmetic, which are those of this optimizer. Keras has no RAdam. */
  readonly compat?: "pytorch" | undefined;
}

const PRESETS = {
  own: { lr: 0.001, epsilon: { value: 1e-8, placement: "outside" } },
  pytorch: { lr: 0.001, epsilon: { value: 1e-8, placement: "outside" } },
} as const;

/** The averaged square is trusted when it is worth more steps than this (PyTorch; the paper has 4). */
const LEAST_LENGTH = 5;

/**
 * Rectified Adam: as long as the averaged square rests on too few steps it is left out, then it counts by its variance.
 *
 * V and S as in Adam, `ρ∞ = 2/(1 − β₂) − 1`, `ρₜ = ρ∞ − 2t·β₂ᵗ/(1 − β₂ᵗ)`. While `ρₜ ≤ 5`: `θ ← θ − η·V/(1 − β₁ᵗ)`.
 * Then `r = √((ρₜ − 4)(ρₜ − 2)ρ∞/((ρ∞ − 4)(ρ∞ − 2)ρₜ))` and `θ ← θ − η·r·√(1 − β₂ᵗ)/(1 − β₁ᵗ)·V/(√S + ε)`: ε stands
 * outside the uncorrected root, with `placement: 'inside'` in it. States: `firstMoment`, `secondMoment`.
 *
 * Liu, Jiang, He, Chen, Liu, Gao, Han 2020; the threshold 5 and the place of ε as in PyTorch.
 */
export function radam(options: RadamOptions = {}): Optimizer {
  const moments = checkMoments("radam", options, PRESETS, ["pytorch"], []);
  const { beta1, beta2 } = moments;
  const longest = 2 / (1 - beta2) - 1;
  return describeOptimizer({
    kind: "radam",
    lr: moments.lr,
    rule: "radam",
    states: zeroStates("firstMoment", "secondMoment"),
    constants: momentsConstants(moments),
    scalars(step) {
      const decayed = power(beta2, step);
      const length = longest - (2 * step * decayed) / (1 - decayed);
      if (length <= LEAST_LENGTH) return [correction(beta1, step), 0];
      const rectifier = Math.sqrt(((length - 4) * (length - 2) * longest) / ((longest - 4) * (longest - 2) * length));
      return [rectifier * Math.sqrt(1 - decayed) * correction(beta1, step), 1];
    },
    options: momentsOptions(moments),
  });
}

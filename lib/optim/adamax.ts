import { type Compat, checkKerasDecay } from "./compat.js";
import { checkMoments, correction, type MomentsOptions, momentsOptions } from "./moments.js";
import { describeOptimizer, type Optimizer, zeroStates } from "./optimizer.js";

/** Options of {@link adamax}: η is 0.002 (Keras: 0.001), ε is 1e-8 outside by default (Keras: 1e-7). */
export interface AdamaxOptions extends MomentsOptions {
  /** Defaults and arithmetic of a framework. */
  readonly compat?: Compat | undefined;
  /** Keras' `weight_decay`, with `compat: 'keras'` only: decoupled decay λ ≥ 0 of all parameters. */
  readonly weightDecay?: number | undefined;
}

const PRESETS = {
  own: { lr: 0.002, epsilon: { value: 1e-8, placement: "outside" } },
  pytorch: { lr: 0.002, epsilon: { value: 1e-8, placement: "inside" } },
  keras: { lr: 0.001, epsilon: { value: 1e-7, placement: "outside" } },
} as const;

/**
 * Adamax: Adam with the decaying maximum of the gradients in place of the root.
 *
 * `V ← β₁·V + (1 − β₁)·g`, `U ← max(β₂·U, |g|)`, `θ ← θ − η/(1 − β₁ᵗ)·V/(U + ε)`. With `placement: 'inside'` ε stands
 * in the maximum: `U ← max(β₂·U, |g| + ε)` and the denominator is U. V is the state `firstMoment`, U is `infinityNorm`.
 *
 * Kingma, Ba 2015, Algorithm 2, which has no ε (and so 0/0 for a gradient of 0). Keras has it outside, PyTorch inside.
 */
export function adamax(options: AdamaxOptions = {}): Optimizer {
  const moments = checkMoments("adamax", options, PRESETS, ["pytorch", "keras"], ["weightDecay"]);
  const { beta1, beta2, epsilon } = moments;
  return describeOptimizer({
    kind: "adamax",
    lr: moments.lr,
    rule: "adamax",
    states: zeroStates("firstMoment", "infinityNorm"),
    constants: [beta1, 1 - beta1, beta2, ...epsilon],
    scalars: (step) => [correction(beta1, step)],
    decay: checkKerasDecay("adamax", options.weightDecay, moments.compat),
    clipsSum: moments.compat === "keras",
    options: momentsOptions(moments),
  });
}

import { ADAM_PRESETS } from "./adam.js";
import { type Compat, checkKerasDecay } from "./compat.js";
import { adamCorrections, checkMoments, type MomentsOptions, momentsConstants, momentsOptions } from "./moments.js";
import { describeOptimizer, type Optimizer, zeroStates } from "./optimizer.js";

/** Options of {@link amsgrad}: η is 0.001, ε is 1e-8 by default (Keras: 1e-7). */
export interface AmsgradOptions extends MomentsOptions {
  /** Defaults and arithmetic of a framework's Adam with `amsgrad=True`. */
  readonly compat?: Compat | undefined;
  /** Keras' `weight_decay`, with `compat: 'keras'` only: decoupled decay λ ≥ 0 of all parameters. */
  readonly weightDecay?: number | undefined;
}

/**
 * AMSGrad: {@link adam} with the largest averaged square so far in the denominator, so that no rate ever grows.
 *
 * V and S as in Adam, `M ← max(M, S)`, `θ ← θ − η·V̂/(√(M/(1 − β₂ᵗ)) + ε)`: the maximum is taken of the uncorrected S.
 * With `placement: 'inside'` the denominator is `√(M/(1 − β₂ᵗ) + ε)`. M is the state `maxSecondMoment`.
 *
 * Reddi, Kale, Kumar 2018, with the bias corrections that PyTorch and Keras (ε on the uncorrected root) add to it.
 */
export function amsgrad(options: AmsgradOptions = {}): Optimizer {
  const moments = checkMoments("amsgrad", options, ADAM_PRESETS, ["pytorch", "keras"], ["weightDecay"]);
  return describeOptimizer({
    kind: "amsgrad",
    lr: moments.lr,
    rule: "amsgrad",
    states: zeroStates("firstMoment", "secondMoment", "maxSecondMoment"),
    constants: momentsConstants(moments),
    scalars: adamCorrections(moments),
    decay: checkKerasDecay("amsgrad", options.weightDecay, moments.compat),
    clipsSum: moments.compat === "keras",
    options: momentsOptions(moments),
  });
}

import { type Compat, checkKerasDecay } from "./compat.js";
import { adamCorrections, checkMoments, type MomentsOptions, momentsConstants, momentsOptions } from "./moments.js";
import { describeOptimizer, type Optimizer, zeroStates } from "./optimizer.js";

/** Options of {@link adam}: η is 0.001, ε is 1e-8 by default (Keras: 1e-7). */
export interface AdamOptions extends MomentsOptions {
  /** Defaults and arithmetic of a framework. */
  readonly compat?: Compat | undefined;
  /** Keras' `weight_decay`, with `compat: 'keras'` only: decoupled decay λ ≥ 0 of all parameters. */
  readonly weightDecay?: number | undefined;
}

/** Of Adam and AdamW. */
export const ADAM_PRESETS = {
  own: { lr: 0.001, epsilon: { value: 1e-8, placement: "outside" } },
  pytorch: { lr: 0.001, epsilon: { value: 1e-8, placement: "outside" } },
  keras: { lr: 0.001, epsilon: { value: 1e-7, placement: "outside" } },
} as const;

/**
 * Adam: the averaged gradient over the root of the averaged square, both corrected for their start at 0.
 *
 * `V ← β₁·V + (1 − β₁)·g`, `S ← β₂·S + (1 − β₂)·g²`, `V̂ = V/(1 − β₁ᵗ)`, `Ŝ = S/(1 − β₂ᵗ)`,
 * `θ ← θ − η·V̂/(√Ŝ + ε)`; with `placement: 'inside'` the denominator is `√(Ŝ + ε)`.
 * V is the state `firstMoment`, S is `secondMoment`, t is the step from 1.
 *
 * Kingma, Ba 2015, Algorithm 1, which is PyTorch's arithmetic too. `compat: 'keras'` adds ε to the uncorrected root:
 * `θ ← θ − η·√(1 − β₂ᵗ)/(1 − β₁ᵗ)·V/(√S + ε)`, so that its ε counts 1/√(1 − β₂ᵗ) times, 32 in step 1.
 * So does PyTorch's `SparseAdam`: with `compat: 'pytorch'` a table of `rows: 'touched'` has its arithmetic.
 * An option out of range, or one that contradicts `compat`, is `ERR_OPTION`.
 */
export function adam(options: AdamOptions = {}): Optimizer {
  const moments = checkMoments("adam", options, ADAM_PRESETS, ["pytorch", "keras"], ["weightDecay"]);
  return describeOptimizer({
    kind: "adam",
    lr: moments.lr,
    rule: "adam",
    states: zeroStates("firstMoment", "secondMoment"),
    constants: momentsConstants(moments),
    scalars: adamCorrections(moments),
    ...(moments.compat === "pytorch" ? { touchedScalars: adamCorrections({ ...moments, compat: "keras" }) } : {}),
    decay: checkKerasDecay("adam", options.weightDecay, moments.compat),
    clipsSum: moments.compat === "keras",
    options: momentsOptions(moments),
  });
}

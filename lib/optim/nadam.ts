import { checkNumber } from "../options.js";
import { power } from "../tensor/exact.js";
import { type Compat, checkKerasDecay, contradicts } from "./compat.js";
import { checkMoments, correction, type MomentsOptions, momentsConstants, momentsOptions } from "./moments.js";
import { describeOptimizer, type Optimizer, zeroStates } from "./optimizer.js";

/** Options of {@link nadam}: η is 0.002 (Keras: 0.001), ε is 1e-8 by default (Keras: 1e-7). */
export interface NadamOptions extends MomentsOptions {
  /** ψ ≥ 0 of the momentum schedule, 0.004 by default; always 1 in Keras. */
  readonly momentumDecay?: number | undefined;
  /** Defaults and arithmetic of a framework. */
  readonly compat?: Compat | undefined;
  /** Keras' `weight_decay`, with `compat: 'keras'` only: decoupled decay λ ≥ 0 of all parameters. */
  readonly weightDecay?: number | undefined;
}

const PRESETS = {
  own: { lr: 0.002, epsilon: { value: 1e-8, placement: "outside" }, momentumDecay: 0.004 },
  pytorch: { lr: 0.002, epsilon: { value: 1e-8, placement: "outside" }, momentumDecay: 0.004 },
  keras: { lr: 0.001, epsilon: { value: 1e-7, placement: "outside" }, momentumDecay: 1 },
} as const;

/**
 * Adam with Nesterov's momentum, which grows from β₁/2 to β₁.
 *
 * V and S as in Adam, `μₜ = β₁·(1 − ½·0.96^(t·ψ))`, `Πₜ = μ₁·…·μₜ`,
 * `θ ← θ − η·(μₜ₊₁·V/(1 − Πₜ₊₁) + (1 − μₜ)·g/(1 − Πₜ))/(√Ŝ + ε)`; with `placement: 'inside'` over `√(Ŝ + ε)`.
 * Π is a function of the step, so that it is no state to save: the states are `firstMoment` and `secondMoment`.
 *
 * Dozat 2016; ψ = 0.004 as in PyTorch. Keras has ψ = 1, with which the momentum is full after about 100 steps.
 */
export function nadam(options: NadamOptions = {}): Optimizer {
  const moments = checkMoments("nadam", options, PRESETS, ["pytorch", "keras"], ["momentumDecay", "weightDecay"]);
  const { beta1, beta2, compat } = moments;
  const psi = checkNumber("nadam.momentumDecay", options.momentumDecay ?? PRESETS[compat ?? "own"].momentumDecay, {
    min: 0,
  });
  if (compat === "keras" && psi !== PRESETS.keras.momentumDecay) {
    contradicts("nadam", "momentumDecay", compat, `${PRESETS.keras.momentumDecay}`, psi);
  }
  const momentumAt = (step: number): number => beta1 * (1 - 0.5 * power(0.96, step * psi));
  const productAt = runningProduct(momentumAt);
  return describeOptimizer({
    kind: "nadam",
    lr: moments.lr,
    rule: "nadam",
    states: zeroStates("firstMoment", "secondMoment"),
    constants: momentsConstants(moments),
    scalars(step) {
      const next = momentumAt(step + 1);
      const product = productAt(step);
      return [next / (1 - product * next), (1 - momentumAt(step)) / (1 - product), correction(beta2, step)];
    },
    decay: checkKerasDecay("nadam", options.weightDecay, compat),
    clipsSum: compat === "keras",
    options: { ...momentsOptions(moments), momentumDecay: psi },
  });
}

/** Steps between two products that are kept. */
const STRIDE = 1024;

/** 2⁻⁵⁴: below it 1 − Π is 1, and later terms, all under 1, change nothing. */
const NEGLIGIBLE = 5.551115123125783e-17;

/**
 * The product of terms 1 to `step`, always multiplied in that order, so that its bits depend on the step alone. Asked for
 * one step after the other it multiplies once a step; asked for an earlier one it goes on from a product kept on the way.
 */
function runningProduct(term: (step: number) => number): (step: number) => number {
  const kept = [1];
  let at = 0;
  let product = 1;
  return (step) => {
    if (step < at) {
      const mark = Math.floor(step / STRIDE);
      at = mark * STRIDE;
      product = kept[mark] ?? 1;
    }
    while (at < step && product > NEGLIGIBLE) {
      at += 1;
      product *= term(at);
      if (at % STRIDE === 0) kept[at / STRIDE] = product;
    }
    return product;
  };
}

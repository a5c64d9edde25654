import { type AdadeltaOptions, adadelta } from "../optim/adadelta.js";
import { type AdagradOptions, adagrad } from "../optim/adagrad.js";
import { type AdamOptions, adam } from "../optim/adam.js";
import { type AdamaxOptions, adamax } from "../optim/adamax.js";
import { adamw } from "../optim/adamw.js";
import { amsgrad } from "../optim/amsgrad.js";
import { type LionOptions, lion } from "../optim/lion.js";
import { type NadamOptions, nadam } from "../optim/nadam.js";
import { type RadamOptions, radam } from "../optim/radam.js";
import { type RmspropOptions, rmsprop } from "../optim/rmsprop.js";
import { type SgdMomentumOptions, type SgdOptions, sgd, sgdMomentum } from "../optim/sgd.js";
import { type StepOptions, stepKernel } from "./update.js";

/** Options of an optimizer that a step takes over: a step has one rate, `weightDecay` is an option of every step. */
type Own<O> = Omit<O, "lr" | "weightDecay">;

/** Learning rate η ≥ 0 of this step; by default that of the optimizer. */
interface DefaultRate {
  readonly lr?: number | undefined;
}

/** Learning rate η ≥ 0 of this step. */
interface Rate {
  readonly lr: number;
}

/** States by the names of the optimizer, [count] each, read and written. */
interface States<N extends string> {
  readonly states: Readonly<Record<N, Float32Array>>;
}

/** Options of {@link sgdStep}. With a momentum there is the state `velocity`, otherwise none. */
export type SgdStepOptions = StepOptions &
  Rate &
  Own<SgdOptions> & { readonly states?: { readonly velocity?: Float32Array | undefined } | undefined };

/**
 * θ ← θ − η·g, or with `momentum` μ: V₁ = g₁, V ← μ·V + (1 − τ)·g, θ ← θ − η·V (Nesterov: θ ← θ − η·(g + μ·V)). The arithmetic
 * and the options of `sgd`; with `rateInside` V is η·V of that. `step` tells the first step, in which V is g whatever it was.
 */
export const sgdStep = stepKernel<SgdStepOptions>("sgdStep", {
  keys: ["momentum", "dampening", "nesterov", "rateInside", "compat"],
  describe: (options) => sgd(options as unknown as SgdOptions),
});

/** Options of {@link sgdMomentumStep}. */
export type SgdMomentumStepOptions = StepOptions & Rate & Own<SgdMomentumOptions> & States<"velocity">;

/** V ← β·V + (1 − β)·g, θ ← θ − η·V: the arithmetic and the options of `sgdMomentum`. V starts at 0. */
export const sgdMomentumStep = stepKernel<SgdMomentumStepOptions>("sgdMomentumStep", {
  keys: ["beta"],
  describe: (options) => sgdMomentum(options as unknown as SgdMomentumOptions),
});

/** Options of {@link adagradStep}. */
export type AdagradStepOptions = StepOptions &
  DefaultRate &
  Omit<Own<AdagradOptions>, "initialAccumulator"> &
  States<"sumOfSquares">;

/** V ← V + g², θ ← θ − η·g/√(V + ε): the arithmetic and the options of `adagrad`. V starts at 0, or as you fill it. */
export const adagradStep = stepKernel<AdagradStepOptions>("adagradStep", {
  keys: ["epsilon", "compat"],
  describe: adagrad,
});

/** Options of {@link rmspropStep}: `mean` where it is centered, `velocity` where there is a momentum. */
export type RmspropStepOptions = StepOptions &
  DefaultRate &
  Own<RmspropOptions> & {
    readonly states: {
      readonly secondMoment: Float32Array;
      readonly mean?: Float32Array | undefined;
      readonly velocity?: Float32Array | undefined;
    };
  };

/**
 * V ← ρ·V + (1 − ρ)·g², θ ← θ − η·g/√(V + ε): the arithmetic and the options of `rmsprop`, centered and with momentum too.
 * States start at 0.
 */
export const rmspropStep = stepKernel<RmspropStepOptions>("rmspropStep", {
  keys: ["rho", "epsilon", "centered", "momentum", "rateInside", "compat"],
  describe: rmsprop,
});

/** Options of {@link adamStep} and {@link adamwStep}. */
export type AdamStepOptions = StepOptions & DefaultRate & Own<AdamOptions> & States<"firstMoment" | "secondMoment">;

const ADAM_KEYS = ["beta1", "beta2", "epsilon", "compat"] as const;

/**
 * V ← β₁·V + (1 − β₁)·g, S ← β₂·S + (1 − β₂)·g², θ ← θ − η·V̂/(√Ŝ + ε), V̂ = V/(1 − β₁ᵗ), Ŝ = S/(1 − β₂ᵗ), t = `step`: the
 * arithmetic and the options of `adam`. V (`firstMoment`) and S (`secondMoment`) start at 0.
 */
export const adamStep = stepKernel<AdamStepOptions>("adamStep", { keys: ADAM_KEYS, describe: adam });

/** {@link adamStep} with `weightDecay` λ = 0.01 by default (Keras: 0.004): θ ← θ − ηλ·θ first, as `adamw` does. */
export const adamwStep = stepKernel<AdamStepOptions>("adamwStep", { keys: ADAM_KEYS, describe: adamw, decays: true });

/** Options of {@link amsgradStep}. */
export type AmsgradStepOptions = StepOptions &
  DefaultRate &
  Own<AdamOptions> &
  States<"firstMoment" | "secondMoment" | "maxSecondMoment">;

/** {@link adamStep} with M ← max(M, S) in place of S in the denominator: the options of `amsgrad`. States start at 0. */
export const amsgradStep = stepKernel<AmsgradStepOptions>("amsgradStep", { keys: ADAM_KEYS, describe: amsgrad });

/** Options of {@link nadamStep}. */
export type NadamStepOptions = StepOptions & DefaultRate & Own<NadamOptions> & States<"firstMoment" | "secondMoment">;

/**
 * Adam with Nesterov's momentum, the arithmetic and the options of `nadam`. The product of its momenta is a function of
 * `step`: one after the other each costs one product, another order begins it anew.
 */
export const nadamStep = stepKernel<NadamStepOptions>("nadamStep", {
  keys: [...ADAM_KEYS, "momentumDecay"],
  describe: nadam,
});

/** Options of {@link radamStep}. */
export type RadamStepOptions = StepOptions & DefaultRate & Own<RadamOptions> & States<"firstMoment" | "secondMoment">;

/** Rectified Adam, the arithmetic and the options of `radam`. States start at 0. */
export const radamStep = stepKernel<RadamStepOptions>("radamStep", { keys: ADAM_KEYS, describe: radam });

/** Options of {@link adamaxStep}. */
export type AdamaxStepOptions = StepOptions & DefaultRate & Own<AdamaxOptions> & States<"firstMoment" | "infinityNorm">;

/** V as in {@link adamStep}, U ← max(β₂·U, |g|), θ ← θ − η·V̂/(U + ε): the options of `adamax`. States start at 0. */
export const adamaxStep = stepKernel<AdamaxStepOptions>("adamaxStep", { keys: ADAM_KEYS, describe: adamax });

/** Options of {@link adadeltaStep}. */
export type AdadeltaStepOptions = StepOptions &
  DefaultRate &
  Own<AdadeltaOptions> &
  States<"secondMoment" | "deltaMoment">;

/**
 * S ← ρ·S + (1 − ρ)·g², d = √(D + ε)/√(S + ε)·g, D ← ρ·D + (1 − ρ)·d², θ ← θ − η·d: the options of `adadelta`. States start at
 * 0.
 */
export const adadeltaStep = stepKernel<AdadeltaStepOptions>("adadeltaStep", {
  keys: ["rho", "epsilon", "compat"],
  describe: adadelta,
});

/** Options of {@link lionStep}. */
export type LionStepOptions = StepOptions & DefaultRate & Own<LionOptions> & States<"momentum">;

/** θ ← θ − η·sign(β₁·V + (1 − β₁)·g), V ← β₂·V + (1 − β₂)·g: the arithmetic and the options of `lion`. V starts at 0. */
export const lionStep = stepKernel<LionStepOptions>("lionStep", {
  keys: ["beta1", "beta2", "compat"],
  describe: lion,
  decays: true,
});

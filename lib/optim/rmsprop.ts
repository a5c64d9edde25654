import { checkBoolean, checkKeys, checkNumber } from "../options.js";
import { type Compat, checkCompat, checkKerasDecay, checkRateInside } from "./compat.js";
import { checkEpsilon, type Epsilon, epsilonOption } from "./epsilon.js";
import { describeOptimizer, type Optimizer, zeroStates } from "./optimizer.js";
import { checkRate, type Schedule } from "./schedule.js";

/** Options of {@link rmsprop}. */
export interface RmspropOptions {
  /** Learning rate η ≥ 0, 0.001 by default (PyTorch: 0.01). */
  readonly lr?: number | Schedule | undefined;
  /** ρ in [0, 1), 0.9 by default (PyTorch, where it is called alpha: 0.99). */
  readonly rho?: number | undefined;
  /** 1e-8 inside the root by default (PyTorch: outside, Keras: 1e-7 inside). */
  readonly epsilon?: Epsilon | undefined;
  /** Divides by the standard deviation of the gradient instead of the root of its square; false by default. */
  readonly centered?: boolean | undefined;
  /** μ in [0, 1); 0 (the default) keeps no velocity. */
  readonly momentum?: number | undefined;
  /** The velocity takes in η times the direction, as in Keras; needs a momentum. false by default, as in PyTorch. */
  readonly rateInside?: boolean | undefined;
  /** Defaults and arithmetic of a framework. */
  readonly compat?: Compat | undefined;
  /** Keras' `weight_decay`, with `compat: 'keras'` only: decoupled decay λ ≥ 0 of all parameters. */
  readonly weightDecay?: number | undefined;
}

const PRESETS = {
  own: { lr: 0.001, rho: 0.9, epsilon: { value: 1e-8, placement: "inside" }, rateInside: false },
  pytorch: { lr: 0.01, rho: 0.99, epsilon: { value: 1e-8, placement: "outside" }, rateInside: false },
  keras: { lr: 0.001, rho: 0.9, epsilon: { value: 1e-7, placement: "inside" }, rateInside: true },
} as const;

const KEYS = ["lr", "rho", "epsilon", "centered", "momentum", "rateInside", "compat", "weightDecay"];

/** By whether it is centered and whether it has a momentum. */
const RULES = {
  plain: { rule: "rmsprop", states: ["secondMoment"] },
  momentum: { rule: "rmsprop_momentum", states: ["secondMoment", "velocity"] },
  centered: { rule: "rmsprop_centered", states: ["secondMoment", "mean"] },
  centeredMomentum: { rule: "rmsprop_centered_momentum", states: ["secondMoment", "mean", "velocity"] },
} as const;

/**
 * RMSProp: the gradient over the root of its averaged square.
 *
 * `V ← ρ·V + (1 − ρ)·g²`, `d = g/√(V + ε)`, `θ ← θ − η·d`; with `placement: 'outside'` the denominator is `√V + ε`.
 * `centered`: `m ← ρ·m + (1 − ρ)·g`, and `max(V − m², 0)` stands for V. `momentum`: `B ← μ·B + d`, `θ ← θ − η·B`; with
 * `rateInside` `B ← μ·B + η·d`, `θ ← θ − B`, which differs where η changes. V is the state `secondMoment`, m is `mean`,
 * B is `velocity`.
 *
 * Tieleman, Hinton 2012; centered: Graves 2013. A constant gradient makes V − m² negative by rounding: the frameworks
 * then give NaN or rely on ε, the maximum here does not.
 */
export function rmsprop(options: RmspropOptions = {}): Optimizer {
  checkKeys("rmsprop", options, KEYS);
  const compat = checkCompat("rmsprop", options.compat, ["pytorch", "keras"]);
  const preset = PRESETS[compat ?? "own"];
  const rho = checkNumber("rmsprop.rho", options.rho ?? preset.rho, { min: 0, below: 1 });
  const epsilon = checkEpsilon("rmsprop", options.epsilon, preset.epsilon, compat);
  const centered = checkBoolean("rmsprop.centered", options.centered ?? false);
  const momentum = checkNumber("rmsprop.momentum", options.momentum ?? 0, { min: 0, below: 1 });
  const rateInside = checkRateInside("rmsprop", options.rateInside, preset.rateInside, { compat, momentum });
  const velocity = momentum > 0 ? [momentum, rateInside ? 1 : 0] : [];
  const form = centered ? (momentum > 0 ? "centeredMomentum" : "centered") : momentum > 0 ? "momentum" : "plain";
  return describeOptimizer({
    kind: "rmsprop",
    lr: checkRate("rmsprop.lr", options.lr ?? preset.lr),
    rule: RULES[form].rule,
    states: zeroStates(...RULES[form].states),
    constants: [rho, 1 - rho, ...epsilon, ...velocity],
    decay: checkKerasDecay("rmsprop", options.weightDecay, compat),
    clipsSum: compat === "keras",
    options: {
      rho,
      epsilon: epsilonOption(epsilon),
      centered,
      momentum,
      ...(momentum > 0 ? { rateInside } : {}),
      compat,
    },
  });
}

import { fail } from "../errors.js";
import { checkBoolean, checkKeys, checkNumber } from "../options.js";
import type { Optimizer } from "./optimizer.js";
import { checkRate, type Schedule } from "./schedule.js";

/** Options of {@link sgd}. */
export interface SgdOptions {
  /** Learning rate η ≥ 0. */
  readonly lr: number | Schedule;
  /** μ in [0, 1); 0 (the default) is plain SGD without state. */
  readonly momentum?: number | undefined;
  /** τ in [0, 1], 0 by default; needs a momentum. */
  readonly dampening?: number | undefined;
  /** Looks ahead along the velocity; needs a momentum and no dampening. */
  readonly nesterov?: boolean | undefined;
}

/** Options of {@link sgdMomentum}. */
export interface SgdMomentumOptions {
  /** Learning rate η ≥ 0. */
  readonly lr: number | Schedule;
  /** β in [0, 1), 0.9 by default. */
  readonly beta?: number | undefined;
}

const DEFAULT_BETA = 0.9;

/** Constants of the native rule `momentum`: β, 1 − τ, Nesterov (0 or 1), V₁ = g₁ (0 or 1). */
type MomentumConstants = readonly [beta: number, oneMinusTau: number, nesterov: 0 | 1, accumulating: 0 | 1];

function momentumRule(kind: string, lr: number | Schedule, constants: MomentumConstants): Optimizer {
  return Object.freeze({
    kind,
    lr,
    rule: "momentum",
    states: [{ name: "velocity", initial: 0 }],
    constants: Object.freeze(constants),
    scalars: (step: number) => [constants[3] === 1 && step === 1 ? 1 : 0],
    decay: null,
    clipsSum: false,
  });
}

/**
 * Stochastic gradient descent, with PyTorch's accumulating momentum if asked for.
 *
 * Without momentum: `θ ← θ − η·g`. With momentum μ and dampening τ:
 * `V₁ = g₁`, then `V ← μ·V + (1 − τ)·g`; `θ ← θ − η·V`, or with Nesterov `θ ← θ − η·(g + μ·V)`.
 * A constant gradient is amplified by (1 − τ)/(1 − μ); see {@link sgdMomentum} for the averaging form.
 *
 * Polyak 1964; the Nesterov form as in Sutskever, Martens, Dahl, Hinton 2013. Impossible combinations are `ERR_OPTION`.
 */
export function sgd(options: SgdOptions): Optimizer {
  checkKeys("sgd", options, ["lr", "momentum", "dampening", "nesterov"]);
  const lr = checkRate("sgd.lr", options.lr);
  const momentum = checkNumber("sgd.momentum", options.momentum ?? 0, { min: 0, below: 1 });
  const dampening = checkNumber("sgd.dampening", options.dampening ?? 0, { min: 0, max: 1 });
  const nesterov = checkBoolean("sgd.nesterov", options.nesterov ?? false);
  if (momentum === 0) {
    if (nesterov) fail("ERR_OPTION", "sgd.momentum", "a number > 0, which nesterov needs,", momentum);
    if (dampening > 0) fail("ERR_OPTION", "sgd.dampening", "0, as there is no momentum,", dampening);
    return Object.freeze({
      kind: "sgd",
      lr,
      rule: "sgd",
      states: [],
      constants: [],
      scalars: null,
      decay: null,
      clipsSum: false,
    });
  }
  if (nesterov && dampening > 0) {
    fail("ERR_OPTION", "sgd.dampening", "0, which nesterov needs,", dampening);
  }
  return momentumRule("sgd", lr, [momentum, 1 - dampening, nesterov ? 1 : 0, 1]);
}

/**
 * SGD with momentum in the averaging form: `V ← β·V + (1 − β)·g`, `θ ← θ − η·V`, V₀ = 0.
 *
 * V is an average of gradients, so η keeps its meaning when β changes (the accumulating form of {@link sgd}
 * takes steps 1/(1 − β) times as long). There is no bias correction: the first steps are short.
 */
export function sgdMomentum(options: SgdMomentumOptions): Optimizer {
  checkKeys("sgdMomentum", options, ["lr", "beta"]);
  const lr = checkRate("sgdMomentum.lr", options.lr);
  const beta = checkNumber("sgdMomentum.beta", options.beta ?? DEFAULT_BETA, { min: 0, below: 1 });
  return momentumRule("sgdMomentum", lr, [beta, 1 - beta, 0, 0]);
}

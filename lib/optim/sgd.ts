import { fail } from "../errors.js";
import { checkBoolean, checkKeys, checkNumber } from "../options.js";
import { type Compat, checkCompat, checkKerasDecay, checkRateInside, contradicts } from "./compat.js";
import { type DecoupledDecay, describeOptimizer, type Optimizer, zeroStates } from "./optimizer.js";
import { checkRate, type Schedule } from "./schedule.js";

/** Options of {@link sgd} besides the rate. */
interface SgdForm {
  /** μ in [0, 1); 0 (the default) is plain SGD without state. */
  readonly momentum?: number | undefined;
  /** τ in [0, 1], 0 by default; needs a momentum. */
  readonly dampening?: number | undefined;
  /** Looks ahead along the velocity; needs a momentum and no dampening. */
  readonly nesterov?: boolean | undefined;
  /** The velocity takes in η times the gradient, as in Keras; needs a momentum. false by default, as in PyTorch. */
  readonly rateInside?: boolean | undefined;
  /** Keras' `weight_decay`, with `compat: 'keras'` only: decoupled decay λ ≥ 0 of all parameters. */
  readonly weightDecay?: number | undefined;
}

/** Options of {@link sgd}. */
export type SgdOptions = SgdForm &
  (
    | {
        /** Learning rate η ≥ 0. */
        readonly lr: number | Schedule;
        readonly compat?: Compat | undefined;
      }
    | {
        /** Learning rate η ≥ 0; by default the framework's, 0.001 of PyTorch and 0.01 of Keras. */
        readonly lr?: number | Schedule | undefined;
        /** Defaults and arithmetic of a framework. */
        readonly compat: Compat;
      }
  );

/** Options of {@link sgdMomentum}. */
export interface SgdMomentumOptions {
  /** Learning rate η ≥ 0. */
  readonly lr: number | Schedule;
  /** β in [0, 1), 0.9 by default. */
  readonly beta?: number | undefined;
}

const PRESETS = {
  own: { lr: undefined, rateInside: false },
  pytorch: { lr: 0.001, rateInside: false },
  keras: { lr: 0.01, rateInside: true },
} as const;
const DEFAULT_BETA = 0.9;

interface MomentumRule {
  readonly kind: string;
  readonly lr: number | Schedule;
  readonly beta: number;
  /** 1 − τ: what a gradient is multiplied by on its way into the velocity. */
  readonly intake: number;
  readonly nesterov: boolean;
  /** V₁ = g₁, whatever τ is. */
  readonly accumulating: boolean;
  /** V holds η·V. */
  readonly rateInside: boolean;
  readonly decay?: DecoupledDecay | null | undefined;
  readonly clipsSum?: boolean | undefined;
  readonly options: Readonly<Record<string, unknown>>;
}

function momentumRule({ beta, intake, nesterov, accumulating, rateInside, ...rest }: MomentumRule): Optimizer {
  return describeOptimizer({
    ...rest,
    rule: "momentum",
    states: zeroStates("velocity"),
    constants: [beta, intake, nesterov ? 1 : 0, accumulating ? 1 : 0, rateInside ? 1 : 0],
    scalars: (step) => [accumulating && step === 1 ? 1 : 0],
  });
}

/**
 * Stochastic gradient descent, with PyTorch's accumulating momentum if asked for.
 *
 * Without momentum: `θ ← θ − η·g`. With momentum μ and dampening τ:
 * `V₁ = g₁`, then `V ← μ·V + (1 − τ)·g`; `θ ← θ − η·V`, or with Nesterov `θ ← θ − η·(g + μ·V)`. V is the state `velocity`.
 * With `rateInside` V is η·V of that: `V ← μ·V + (1 − τ)·η·g`, `θ ← θ − V` (Nesterov: `θ ← θ − (η·g + μ·V)`), which differs
 * where η changes: a velocity keeps the rate that it was made with. A constant gradient is amplified by (1 − τ)/(1 − μ); see
 * {@link sgdMomentum} for the averaging form.
 *
 * Polyak 1964; the Nesterov form as in Sutskever, Martens, Dahl, Hinton 2013. Impossible combinations are `ERR_OPTION`.
 */
export function sgd(options: SgdOptions): Optimizer {
  checkKeys("sgd", options, ["lr", "momentum", "dampening", "nesterov", "rateInside", "compat", "weightDecay"]);
  const compat = checkCompat("sgd", options.compat, ["pytorch", "keras"]);
  const preset = PRESETS[compat ?? "own"];
  const lr = checkRate("sgd.lr", options.lr ?? (preset.lr as number));
  const momentum = checkNumber("sgd.momentum", options.momentum ?? 0, { min: 0, below: 1 });
  const dampening = checkNumber("sgd.dampening", options.dampening ?? 0, { min: 0, max: 1 });
  const nesterov = checkBoolean("sgd.nesterov", options.nesterov ?? false);
  const rateInside = checkRateInside("sgd", options.rateInside, preset.rateInside, { compat, momentum });
  const decay = checkKerasDecay("sgd", options.weightDecay, compat);
  const clipsSum = compat === "keras";
  if (momentum === 0) {
    if (nesterov) fail("ERR_OPTION", "sgd.momentum", "a number > 0, which nesterov needs,", momentum);
    if (dampening > 0) fail("ERR_OPTION", "sgd.dampening", "0, as there is no momentum,", dampening);
    return describeOptimizer({ kind: "sgd", lr, rule: "sgd", decay, clipsSum, options: { compat } });
  }
  if (nesterov && dampening > 0) {
    fail("ERR_OPTION", "sgd.dampening", "0, which nesterov needs,", dampening);
  }
  if (compat === "keras" && dampening > 0) contradicts("sgd", "dampening", compat, "0", dampening);
  const form = { beta: momentum, intake: 1 - dampening, nesterov, accumulating: true, rateInside };
  const kept = { momentum, dampening, nesterov, rateInside, compat };
  return momentumRule({ kind: "sgd", lr, ...form, decay, clipsSum, options: kept });
}

/**
 * SGD with momentum in the averaging form: `V ← β·V + (1 − β)·g`, `θ ← θ − η·V`, V₀ = 0. V is the state `velocity`.
 *
 * V is an average of gradients, so η keeps its meaning when β changes (the accumulating form of {@link sgd}
 * takes steps 1/(1 − β) times as long). There is no bias correction: the first steps are short.
 */
export function sgdMomentum(options: SgdMomentumOptions): Optimizer {
  checkKeys("sgdMomentum", options, ["lr", "beta"]);
  const lr = checkRate("sgdMomentum.lr", options.lr);
  const beta = checkNumber("sgdMomentum.beta", options.beta ?? DEFAULT_BETA, { min: 0, below: 1 });
  const form = { beta, intake: 1 - beta, nesterov: false, accumulating: false, rateInside: false };
  return momentumRule({ kind: "sgdMomentum", lr, ...form, options: { beta } });
}

import { checkKeys, checkNumber } from "../options.js";
import { type Compat, checkCompat, checkKerasDecay } from "./compat.js";
import { checkEpsilon, epsilonOption } from "./epsilon.js";
import { describeOptimizer, type Optimizer, zeroStates } from "./optimizer.js";
import { checkRate, type Schedule } from "./schedule.js";

/** Options of {@link adadelta}. */
export interface AdadeltaOptions {
  /** Learning rate η ≥ 0, 1 by default (Keras: 0.001). */
  readonly lr?: number | Schedule | undefined;
  /** ρ in [0, 1), 0.95 by default (PyTorch: 0.9). */
  readonly rho?: number | undefined;
  /** ε > 0, 1e-6 by default (Keras: 1e-7); it stands inside both roots. */
  readonly epsilon?: number | { readonly value: number; readonly placement?: "inside" | undefined } | undefined;
  /** Defaults of a framework. */
  readonly compat?: Compat | undefined;
  /** Keras' `weight_decay`, with `compat: 'keras'` only: decoupled decay λ ≥ 0 of all parameters. */
  readonly weightDecay?: number | undefined;
}

const PRESETS = {
  own: { lr: 1, rho: 0.95, epsilon: { value: 1e-6, placement: "inside" } },
  pytorch: { lr: 1, rho: 0.9, epsilon: { value: 1e-6, placement: "inside" } },
  keras: { lr: 0.001, rho: 0.95, epsilon: { value: 1e-7, placement: "inside" } },
} as const;

/**
 * Adadelta: steps in units of earlier steps, over the root of the averaged square of the gradient.
 *
 * `S ← ρ·S + (1 − ρ)·g²`, `d = √(D + ε)/√(S + ε)·g` with the new S and the old D, `D ← ρ·D + (1 − ρ)·d²`,
 * `θ ← θ − η·d`. S is the state `secondMoment`, D is `deltaMoment`.
 *
 * Zeiler 2012, Algorithm 1, where ρ = 0.95, ε = 1e-6 and there is no η. PyTorch and Keras differ in defaults only.
 */
export function adadelta(options: AdadeltaOptions = {}): Optimizer {
  checkKeys("adadelta", options, ["lr", "rho", "epsilon", "compat", "weightDecay"]);
  const compat = checkCompat("adadelta", options.compat, ["pytorch", "keras"]);
  const preset = PRESETS[compat ?? "own"];
  const rho = checkNumber("adadelta.rho", options.rho ?? preset.rho, { min: 0, below: 1 });
  const epsilon = checkEpsilon("adadelta", options.epsilon, preset.epsilon, compat, ["inside"]);
  return describeOptimizer({
    kind: "adadelta",
    lr: checkRate("adadelta.lr", options.lr ?? preset.lr),
    rule: "adadelta",
    states: zeroStates("secondMoment", "deltaMoment"),
    constants: [rho, 1 - rho, epsilon[0]],
    decay: checkKerasDecay("adadelta", options.weightDecay, compat),
    clipsSum: compat === "keras",
    options: { rho, epsilon: epsilonOption(epsilon), compat },
  });
}

import { checkKeys, checkNumber } from "../options.js";
import { checkCompat, checkDecay } from "./compat.js";
import { describeOptimizer, type Optimizer, zeroStates } from "./optimizer.js";
import { checkRate, type Schedule } from "./schedule.js";

/** Options of {@link lion}. */
export interface LionOptions {
  /** Learning rate η ≥ 0, 0.0001 by default (Keras: 0.001): about a tenth of Adam's. */
  readonly lr?: number | Schedule | undefined;
  /** β₁ in [0, 1), 0.9 by default: how much of the momentum stands in the step. */
  readonly beta1?: number | undefined;
  /** β₂ in [0, 1), 0.99 by default: how much of the momentum is kept. */
  readonly beta2?: number | undefined;
  /** Decoupled decay λ ≥ 0 of weights (Keras: of all parameters), or its schedule, 0 by default: about ten times AdamW's. */
  readonly weightDecay?: number | Schedule | undefined;
  /** Keras' defaults, and its decay of all parameters. PyTorch has no Lion. */
  readonly compat?: "keras" | undefined;
}

const DEFAULT_LR = { own: 0.0001, keras: 0.001 } as const;
const DEFAULT_BETA1 = 0.9;
const DEFAULT_BETA2 = 0.99;

/**
 * Lion: every weight moves by η, in the direction of the sign of a momentum.
 *
 * `θ ← θ·(1 − η·λ) − η·sign(β₁·V + (1 − β₁)·g)` with `sign(0) = 0`, then `V ← β₂·V + (1 − β₂)·g`.
 * V is the state `momentum`, λ is `weightDecay`.
 *
 * Chen, Liang, Huang, Real, Wang, Liu, Pham, Dong, Luong, Hsieh, Lu, Le 2023, Algorithm 2.
 */
export function lion(options: LionOptions = {}): Optimizer {
  checkKeys("lion", options, ["lr", "beta1", "beta2", "weightDecay", "compat"]);
  const compat = checkCompat("lion", options.compat, ["keras"]);
  const beta1 = checkNumber("lion.beta1", options.beta1 ?? DEFAULT_BETA1, { min: 0, below: 1 });
  const beta2 = checkNumber("lion.beta2", options.beta2 ?? DEFAULT_BETA2, { min: 0, below: 1 });
  return describeOptimizer({
    kind: "lion",
    lr: checkRate("lion.lr", options.lr ?? DEFAULT_LR[compat ?? "own"]),
    rule: "lion",
    states: zeroStates("momentum"),
    constants: [beta1, 1 - beta1, beta2, 1 - beta2],
    decay: checkDecay("lion", options.weightDecay ?? 0, compat),
    clipsSum: compat === "keras",
    options: { beta1, beta2, compat },
  });
}

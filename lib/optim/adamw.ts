import { ADAM_PRESETS } from "./adam.js";
import { type Compat, checkDecay } from "./compat.js";
import { adamCorrections, checkMoments, type MomentsOptions, momentsConstants, momentsOptions } from "./moments.js";
import { describeOptimizer, type Optimizer, zeroStates } from "./optimizer.js";
import type { Schedule } from "./schedule.js";

/** Options of {@link adamw}: η is 0.001, ε is 1e-8 by default (Keras: 1e-7). */
export interface AdamwOptions extends MomentsOptions {
  /** Defaults and arithmetic of a framework: its decay reaches all parameters. */
  readonly compat?: Compat | undefined;
  /** Decoupled decay λ ≥ 0 of weights, or its schedule: 0.01 by default (Keras: 0.004). */
  readonly weightDecay?: number | Schedule | undefined;
}

const DEFAULT_DECAY = { own: 0.01, pytorch: 0.01, keras: 0.004 } as const;

/**
 * AdamW: the step of {@link adam} beside a decay of the weights that does not pass through its averages.
 *
 * `θ ← θ·(1 − η·λ)`, then Adam's step. λ is `weightDecay`; a schedule of η scales the decay with it, as in the
 * frameworks. Biases do not decay, unless `compat` asks for a framework's form.
 *
 * Loshchilov, Hutter 2019; their schedule multiplier is η here. L2 as a part of the loss is the regularizer `l2()`.
 */
export function adamw(options: AdamwOptions = {}): Optimizer {
  const moments = checkMoments("adamw", options, ADAM_PRESETS, ["pytorch", "keras"], ["weightDecay"]);
  const lambda = options.weightDecay ?? DEFAULT_DECAY[moments.compat ?? "own"];
  return describeOptimizer({
    kind: "adamw",
    lr: moments.lr,
    rule: "adam",
    states: zeroStates("firstMoment", "secondMoment"),
    constants: momentsConstants(moments),
    scalars: adamCorrections(moments),
    decay: checkDecay("adamw", lambda, moments.compat),
    clipsSum: moments.compat === "keras",
    options: momentsOptions(moments),
  });
}

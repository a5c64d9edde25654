import { checkKeys, checkNumber } from "../options.js";
import { type Compat, checkCompat, checkKerasDecay } from "./compat.js";
import { checkEpsilon, type Epsilon, epsilonOption } from "./epsilon.js";
import { describeOptimizer, type Optimizer } from "./optimizer.js";
import { checkRate, type Schedule } from "./schedule.js";

/** Options of {@link adagrad}. */
export interface AdagradOptions {
  /** Learning rate η ≥ 0, 0.01 by default (Keras: 0.001). */
  readonly lr?: number | Schedule | undefined;
  /** 1e-8 inside the root by default (PyTorch: 1e-10 outside, Keras: 1e-7 inside). */
  readonly epsilon?: Epsilon | undefined;
  /** Value that the sum starts with, ≥ 0: 0 by default (Keras: 0.1). */
  readonly initialAccumulator?: number | undefined;
  /** Defaults and arithmetic of a framework. */
  readonly compat?: Compat | undefined;
  /** Keras' `weight_decay`, with `compat: 'keras'` only: decoupled decay λ ≥ 0 of all parameters. */
  readonly weightDecay?: number | undefined;
}

const PRESETS = {
  own: { lr: 0.01, epsilon: { value: 1e-8, placement: "inside" }, initialAccumulator: 0 },
  pytorch: { lr: 0.01, epsilon: { value: 1e-10, placement: "outside" }, initialAccumulator: 0 },
  keras: { lr: 0.001, epsilon: { value: 1e-7, placement: "inside" }, initialAccumulator: 0.1 },
} as const;

/**
 * AdaGrad: every weight has a rate of its own, which falls with the sum of its squared gradients.
 *
 * `V ← V + g²`, `θ ← θ − η·g/√(V + ε)`; with `placement: 'outside'` the denominator is `√V + ε`.
 * V is the state `sumOfSquares`.
 *
 * Duchi, Hazan, Singer 2011 (their δ stands outside the root). Keras starts V at 0.1, which shortens the first steps.
 */
export function adagrad(options: AdagradOptions = {}): Optimizer {
  checkKeys("adagrad", options, ["lr", "epsilon", "initialAccumulator", "compat", "weightDecay"]);
  const compat = checkCompat("adagrad", options.compat, ["pytorch", "keras"]);
  const preset = PRESETS[compat ?? "own"];
  const initial = checkNumber("adagrad.initialAccumulator", options.initialAccumulator ?? preset.initialAccumulator, {
    min: 0,
  });
  const epsilon = checkEpsilon("adagrad", options.epsilon, preset.epsilon, compat);
  return describeOptimizer({
    kind: "adagrad",
    lr: checkRate("adagrad.lr", options.lr ?? preset.lr),
    rule: "adagrad",
    states: [{ name: "sumOfSquares", initial }],
    constants: epsilon,
    decay: checkKerasDecay("adagrad", options.weightDecay, compat),
    clipsSum: compat === "keras",
    options: { epsilon: epsilonOption(epsilon), initialAccumulator: initial, compat },
  });
}

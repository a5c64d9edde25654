import { checkKeys, checkNumber, checkOneOf } from "../options.js";
import type { Optimizer } from "./optimizer.js";
import { checkRate, type Schedule } from "./schedule.js";

/** Where ε stands: `inside` is √(x + ε), `outside` is √x + ε. */
export type EpsilonPlacement = "inside" | "outside";

/** ε > 0 alone (the place is the optimizer's default), or with its place. */
export type Epsilon = number | { readonly value: number; readonly placement?: EpsilonPlacement | undefined };

/** Options of {@link adam}. */
export interface AdamOptions {
  /** Learning rate η ≥ 0, 0.001 by default. */
  readonly lr?: number | Schedule | undefined;
  /** β₁ in [0, 1), 0.9 by default. */
  readonly beta1?: number | undefined;
  /** β₂ in [0, 1), 0.999 by default. */
  readonly beta2?: number | undefined;
  /** 1e-8 outside the root by default. */
  readonly epsilon?: Epsilon | undefined;
}

const DEFAULT_LR = 0.001;
const DEFAULT_BETA1 = 0.9;
const DEFAULT_BETA2 = 0.999;
const DEFAULT_EPSILON = 1e-8;
const DEFAULT_PLACEMENT: EpsilonPlacement = "outside";

/** 2⁻¹²⁶: a smaller ε is no normal float32, and a gradient of 0 would give 0/0. */
const SMALLEST_EPSILON = 1.1754943508222875e-38;

/**
 * Adam: the averaged gradient over the root of the averaged square, both corrected for their start at 0.
 *
 * `V ← β₁·V + (1 − β₁)·g`, `S ← β₂·S + (1 − β₂)·g²`, `V̂ = V/(1 − β₁ᵗ)`, `Ŝ = S/(1 − β₂ᵗ)`,
 * `θ ← θ − η·V̂/(√Ŝ + ε)`; with `placement: 'inside'` the denominator is `√(Ŝ + ε)`.
 * V is the state `firstMoment`, S is `secondMoment`, t is the step from 1.
 *
 * Kingma, Ba 2015, Algorithm 1. PyTorch's arithmetic is the default here; Keras adds ε to the uncorrected root.
 * An option out of range is `ERR_OPTION`.
 */
export function adam(options: AdamOptions = {}): Optimizer {
  checkKeys("adam", options, ["lr", "beta1", "beta2", "epsilon"]);
  const lr = checkRate("adam.lr", options.lr ?? DEFAULT_LR);
  const beta1 = checkNumber("adam.beta1", options.beta1 ?? DEFAULT_BETA1, { min: 0, below: 1 });
  const beta2 = checkNumber("adam.beta2", options.beta2 ?? DEFAULT_BETA2, { min: 0, below: 1 });
  const { value, placement } = checkEpsilon("adam.epsilon", options.epsilon ?? DEFAULT_EPSILON);
  return Object.freeze({
    kind: "adam",
    lr,
    rule: "adam",
    states: [
      { name: "firstMoment", initial: 0 },
      { name: "secondMoment", initial: 0 },
    ],
    constants: [beta1, 1 - beta1, beta2, 1 - beta2, value, placement === "inside" ? 1 : 0],
    scalars: (step: number) => [1 / (1 - power(beta1, step)), 1 / (1 - power(beta2, step))],
    decay: null,
    clipsSum: false,
  });
}

function power(base: number, exponent: number): number {
  let result = 1;
  let factor = base;
  for (let rest = exponent; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result *= factor;
    factor *= factor;
  }
  return result;
}

function checkEpsilon(
  where: string,
  epsilon: Epsilon,
): { readonly value: number; readonly placement: EpsilonPlacement } {
  const range = { min: SMALLEST_EPSILON };
  if (typeof epsilon === "number") {
    return { value: checkNumber(where, epsilon, range), placement: DEFAULT_PLACEMENT };
  }
  checkKeys(where, epsilon, ["value", "placement"]);
  const placement = epsilon.placement ?? DEFAULT_PLACEMENT;
  return {
    value: checkNumber(`${where}.value`, epsilon.value, range),
    placement: checkOneOf(`${where}.placement`, placement, ["inside", "outside"]),
  };
}

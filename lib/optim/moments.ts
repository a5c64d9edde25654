import { checkKeys, checkNumber } from "../options.js";
import { power } from "../tensor/exact.js";
import { type Compat, checkCompat } from "./compat.js";
import { checkEpsilon, type Epsilon, type EpsilonConstants, type EpsilonDefault, epsilonOption } from "./epsilon.js";
import { checkRate, type Schedule } from "./schedule.js";

/** Options of the optimizers with Adam's two averages. */
export interface MomentsOptions {
  /** Learning rate η ≥ 0. */
  readonly lr?: number | Schedule | undefined;
  /** β₁ in [0, 1), 0.9 by default. */
  readonly beta1?: number | undefined;
  /** β₂ in [0, 1), 0.999 by default. */
  readonly beta2?: number | undefined;
  /** ε, outside the root by default. */
  readonly epsilon?: Epsilon | undefined;
}

const DEFAULT_BETA1 = 0.9;
const DEFAULT_BETA2 = 0.999;

/** Learning rate and ε where nothing is said. */
export interface MomentsDefault {
  readonly lr: number;
  readonly epsilon: EpsilonDefault;
}

/** Defaults of an optimizer, and of the frameworks whose form it can take. */
export type MomentsPresets<C extends Compat> = { readonly [K in C | "own"]: MomentsDefault };

/** {@link MomentsOptions}, checked. */
export interface Moments<C extends Compat> {
  readonly lr: number | Schedule;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: EpsilonConstants;
  readonly compat: C | undefined;
}

/** Checks the options that optimizers with Adam's averages share; `more` are the names of those of their own. */
export function checkMoments<const C extends Compat>(
  kind: string,
  options: MomentsOptions & { readonly compat?: Compat | undefined },
  presets: MomentsPresets<C>,
  frameworks: readonly C[],
  more: readonly string[],
): Moments<C> {
  checkKeys(kind, options, ["lr", "beta1", "beta2", "epsilon", "compat", ...more]);
  const compat = checkCompat(kind, options.compat, frameworks);
  const preset = presets[compat ?? "own"];
  return {
    lr: checkRate(`${kind}.lr`, options.lr ?? preset.lr),
    beta1: checkNumber(`${kind}.beta1`, options.beta1 ?? DEFAULT_BETA1, { min: 0, below: 1 }),
    beta2: checkNumber(`${kind}.beta2`, options.beta2 ?? DEFAULT_BETA2, { min: 0, below: 1 }),
    epsilon: checkEpsilon(kind, options.epsilon, preset.epsilon, compat),
    compat,
  };
}

/** The options that these were made of. */
export function momentsOptions({ beta1, beta2, epsilon, compat }: Moments<Compat>): Readonly<Record<string, unknown>> {
  return { beta1, beta2, epsilon: epsilonOption(epsilon), compat };
}

/** β₁, 1 − β₁, β₂, 1 − β₂, ε, inside: the constants of the rules with Adam's averages. */
export function momentsConstants({ beta1, beta2, epsilon }: Moments<Compat>): readonly number[] {
  return [beta1, 1 - beta1, beta2, 1 - beta2, ...epsilon];
}

/** 1/(1 − βᵗ): what an average from 0 is multiplied by after t steps. */
export function correction(beta: number, step: number): number {
  return 1 / (1 - power(beta, step));
}

/**
 * c₁ and c₂ of the rules `adam` and `amsgrad`: 1/(1 − β₁ᵗ) and 1/(1 − β₂ᵗ). Keras adds ε to the uncorrected root:
 * √(1 − β₂ᵗ)/(1 − β₁ᵗ) and 1.
 */
export function adamCorrections({ beta1, beta2, compat }: Moments<Compat>): (step: number) => readonly number[] {
  if (compat !== "keras") return (step) => [correction(beta1, step), correction(beta2, step)];
  return (step) => [Math.sqrt(1 - power(beta2, step)) / (1 - power(beta1, step)), 1];
}

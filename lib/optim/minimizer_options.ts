import { fail } from "../errors.js";
import { checkBoolean, checkKeys, checkNumber, checkOneOf } from "../options.js";
import type { Regularizers } from "../regularizers/index.js";

/** Bounds the gradient of the data loss: its global norm, or each element. */
export type Clip =
  | { readonly norm: number; readonly value?: never }
  | { readonly value: number; readonly norm?: never };

/** A moving average of the weights: `θ̄ ← decay·θ̄ + (1 − decay)·θ` after every step. */
export interface AverageWeights {
  /** In [0, 1). */
  readonly decay: number;
  /**
   * Where θ̄ starts: at the weights before the first step (`'initial'`, the default), or at those after it (`'firstStep'`), as
   * PyTorch's AveragedModel and Keras' `use_ema` have it.
   */
  readonly start?: "initial" | "firstStep" | undefined;
  /** Starts θ̄ at 0 and divides it by 1 − decayᵗ, in the place of `start`; false by default. */
  readonly biasCorrection?: boolean | undefined;
}

/** Options of {@link minimizer}. */
export interface MinimizerOptions {
  /** Model-wide, for weights that have none of their own. */
  readonly regularizer?: Regularizers | undefined;
  /** Penalties, model-wide, for biases that have none of their own. */
  readonly biasRegularizer?: Regularizers | undefined;
  readonly clip?: Clip | undefined;
  readonly averageWeights?: AverageWeights | undefined;
}

/** A copy of { norm } or { value }, checked. */
export function checkClip(where: string, clip: Clip | undefined): Clip | null {
  if (clip === undefined) return null;
  checkKeys(where, clip, ["norm", "value"]);
  if ((clip.norm === undefined) === (clip.value === undefined)) fail("ERR_OPTION", where, "either norm or value", clip);
  if (clip.norm !== undefined) checkNumber(`${where}.norm`, clip.norm, { above: 0 });
  else checkNumber(`${where}.value`, clip.value, { above: 0 });
  return { ...clip };
}

/** A copy of { decay, start, biasCorrection }, checked. */
export function checkAverage(where: string, average: AverageWeights | undefined): AverageWeights | null {
  if (average === undefined) return null;
  checkKeys(where, average, ["decay", "start", "biasCorrection"]);
  checkNumber(`${where}.decay`, average.decay, { min: 0, below: 1 });
  const { start } = average;
  if (start !== undefined) checkOneOf(`${where}.start`, start, ["initial", "firstStep"]);
  if (checkBoolean(`${where}.biasCorrection`, average.biasCorrection ?? false) && start !== undefined) {
    fail("ERR_OPTION", `${where}.start`, "none, as biasCorrection starts at 0,", start);
  }
  return { ...average };
}

import type { Decision, Every } from "../callbacks/callback.js";

/** Options of callbacks that write down the figures of a run. */
export interface LogOptions {
  /** When: by default at the end of every epoch, and at the last step. */
  readonly every?: Every | undefined;
  /** Tells it from another of its kind in the same run. */
  readonly name?: string | undefined;
}

/** Figures of the training examples of an epoch so far. */
export function trainingFigures({
  loss,
  dataLoss,
  penalty,
  metrics,
}: Decision): readonly (readonly [string, number])[] {
  const parts: readonly (readonly [string, number])[] =
    penalty === 0
      ? []
      : [
          ["dataLoss", dataLoss],
          ["penalty", penalty],
        ];
  return [["loss", loss], ...parts, ...Object.entries(metrics)];
}

/** Figures of the validation set, if it was measured at this step. */
export function validationFigures({
  step,
  validationStep,
  validation,
}: Decision): readonly (readonly [string, number])[] {
  if (validation === undefined || validationStep !== step) return [];
  return [["loss", validation.loss], ...Object.entries(validation.metrics)];
}

/** The moment, as calendars have it. */
export function today(): Date {
  return new Date();
}

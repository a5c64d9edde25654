import type { Effect } from "../../graph/effect.js";
import type { Value } from "../../tensor/value.js";

/** Columns of the log in which the sums of an objective with one output stand; those of further outputs follow in pairs. */
export const LOG = { total: 0, weight: 1, rows: 2, penalty: 3 } as const;
const FIRST = 4;

/** Columns of a step's row for so many outputs. */
export function logColumns(outputs: number): number {
  return FIRST + 2 * (outputs - 1);
}

/** Columns in which Σ wℓ and Σ w of an output stand. */
export function columnsOfOutput(output: number): { readonly total: number; readonly weight: number } {
  const total = output === 0 ? LOG.total : FIRST + 2 * (output - 1);
  return { total, weight: total + 1 };
}

/** Σ over outputs of weight·(Σ wℓ/Σ w), from a row of sums; 0 of an output that weighs nothing. */
export function dataLossOf(row: ArrayLike<number>, lossWeights: readonly number[]): number {
  let loss = 0;
  for (let output = 0; output < lossWeights.length; output++) {
    const columns = columnsOfOutput(output);
    const weight = row[columns.weight] ?? 0;
    if (weight !== 0) loss += ((lossWeights[output] ?? 1) * (row[columns.total] ?? 0)) / weight;
  }
  return loss;
}

/** Writes a scalar to a column of the step's row of the log. */
export function logScalar(value: Value, column: number): Effect {
  return {
    reads: [value],
    barrier: false,
    emit: (emitter) => emitter.emit("log_scalar", { x: emitter.placeOf(value) }, { column }),
  };
}

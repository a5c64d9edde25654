import type { Effect } from "../graph/effect.js";
import type { Value } from "../tensor/value.js";

/** Columns of the log in which an objective's sums stand. */
export const LOG = { total: 0, weight: 1, rows: 2, penalty: 3 } as const;
export const LOG_COLUMNS = 4;

/** Writes a scalar to a column of the step's row of the log. */
export function logScalar(value: Value, column: number): Effect {
  return {
    reads: [value],
    barrier: false,
    emit: (emitter) => emitter.emit("log_scalar", { x: emitter.placeOf(value) }, { column }),
  };
}

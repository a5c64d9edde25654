import { isBatched } from "../tensor/shape.js";
import type { Applied, Value } from "../tensor/value.js";

/** Whether an operation makes of one row of a batch something that other rows, or their number, have a part in. */
function mixesRows({ operation, inputs, outputs }: Applied): boolean {
  if (operation === "rowCount") return true;
  const batched = inputs.some(({ shape }) => isBatched(shape));
  if (batched && outputs.some(({ shape }) => !isBatched(shape))) return true;
  // A row of the table is named by its number.
  const table = operation === "take" ? inputs[0] : operation === "takeGradient" ? outputs[0] : undefined;
  return table !== undefined && isBatched(table.shape);
}

/** The name of an operation behind `y` that works along the batch; `undefined` where each row is computed from itself alone. */
export function alongBatch(y: Value): string | undefined {
  const seen = new Set<Value>([y]);
  for (const { source } of seen) {
    if (source.kind !== "operation") continue;
    const { applied } = source;
    if (mixesRows(applied)) return applied.operation;
    for (const input of applied.inputs) seen.add(input);
  }
  return undefined;
}

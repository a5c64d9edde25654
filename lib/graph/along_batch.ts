import { isBatched } from "../tensor/shape.js";
import type { Applied, Value } from "../tensor/value.js";

/** Whether what an operation makes of a row of a batch depends on other rows, on how many there are, or on its place among them. */
function mixesRows({ operation, inputs, outputs }: Applied): boolean {
  if (operation === "rowCount") return true;
  const batched = inputs.some(({ shape }) => isBatched(shape));
  if (batched && (operation === "dropout" || operation === "noise")) return true; // by the numbers of elements
  if (batched && outputs.some(({ shape }) => !isBatched(shape))) return true;
  // A row of the table is named by its number.
  const table =
    operation === "take" || operation === "bag" ? inputs[0] : operation === "takeGradient" ? outputs[0] : undefined;
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

// How the guard of a trace becomes instructions that cost next to nothing.
import type { Value } from "../tensor/value.js";
import type { Step } from "./fuse.js";
import type { Effect } from "./trace.js";

/** A check of the guard. */
export type FiniteEffect = Effect & { readonly kind: "finite" };

/** A product whose operands are looked at in its stead. */
export interface Operands {
  readonly effect: FiniteEffect;
  readonly left: Value;
  readonly right: Value;
}

/**
 * Gradients that are products of two smaller operands, by value: where the sums of squares of the operands are small the
 * product is finite, so that a weight's gradient need not be read again.
 *
 * @param sizeOf Elements of a value at the largest batch.
 */
export function checkedByOperands(
  effects: readonly Effect[],
  steps: ReadonlyMap<Value, Step>,
  sizeOf: (value: Value) => number,
): ReadonlyMap<Value, Operands> {
  const found = new Map<Value, Operands>();
  for (const effect of effects) {
    if (effect.kind !== "finite" || effect.value.source.kind !== "operation") continue;
    const { name, lower, inputs } = effect.value.source.applied;
    const [left, right] = inputs;
    // A fused product has other operands than its operation.
    const plain = name === "matmul" && steps.get(effect.value)?.lower === lower;
    if (!plain || left === undefined || right === undefined || found.has(effect.value)) continue;
    if (sizeOf(left) + sizeOf(right) < sizeOf(effect.value)) found.set(effect.value, { effect, left, right });
  }
  return found;
}

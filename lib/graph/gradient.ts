import { CarillonError } from "../errors.js";
import * as ops from "../ops/index.js";
import { formatShape } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { flowsBack, type Value } from "../tensor/value.js";
import { inputsOf } from "./passes/pass.js";

/** Every operation that `loss` needs, operands first. */
function ancestors(loss: Value): Value[] {
  const seen = new Set<Value>([loss]);
  const stack = [loss];
  for (let value = stack.pop(); value !== undefined; value = stack.pop()) {
    for (const input of inputsOf(value)) {
      if (seen.has(input)) continue;
      seen.add(input);
      stack.push(input);
    }
  }
  return [...seen].sort((a, b) => a.id - b.id);
}

/**
 * ∂loss/∂x for every x of `wrt`, as values made of ordinary operations: they can be differentiated again.
 *
 * Reverse accumulation from a scalar `loss`; sums of several uses are added in the order in which the uses were created,
 * last first. Where nothing flows, the gradient is `undefined`. A loss that is no scalar is `ERR_SHAPE`.
 */
export function gradients(loss: Value, wrt: readonly Value[]): readonly (Value | undefined)[] {
  if (loss.shape.length !== 0) {
    throw new CarillonError(
      "ERR_SHAPE",
      "grad",
      `expected a scalar loss for 'grad' but received ${formatShape(loss.shape)}`,
    );
  }
  const order = ancestors(loss);
  const needed = new Set<Value>(wrt);
  for (const value of order) {
    if (inputsOf(value).some((input) => needed.has(input))) needed.add(value);
  }
  const flowing = new Map<Value, Value>();
  if (needed.has(loss)) flowing.set(loss, new Tensor(Float32Array.of(1), [], "f32"));
  for (const value of order.toReversed()) {
    if (value.source.kind !== "operation" || !needed.has(value)) continue;
    const { applied } = value.source;
    // When the first output of an operation comes, everything has flowed to the others.
    if (applied.outputs[0] !== value) continue;
    const flows = applied.outputs.map((output) => flowing.get(output));
    if (flows.every((flow) => flow === undefined) || !applied.inputs.some((input) => needed.has(input))) continue;
    const parts = flowsBack(applied, flows);
    for (const [index, input] of applied.inputs.entries()) {
      const part = parts[index];
      if (part === undefined || !needed.has(input)) continue;
      const before = flowing.get(input);
      flowing.set(input, before === undefined ? part : ops.add(before, part));
    }
  }
  return wrt.map((value) => flowing.get(value));
}

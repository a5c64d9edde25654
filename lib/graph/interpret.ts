import { CarillonError } from "../errors.js";
import { computedNow } from "../ops/apply.js";
import { isBatched } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import type { Value } from "../tensor/value.js";

/** Computes recorded values now, operation after operation, from tensors in the place of inputs. */
export function evaluate(roots: readonly Value[], known: ReadonlyMap<Value, Value | undefined>): readonly Tensor[] {
  const computed = new Map<Value, Tensor>();
  const compute = (root: Value): Tensor => {
    const stack = [root];
    for (let value = stack.at(-1); value !== undefined; value = stack.at(-1)) {
      const given = known.get(value) ?? value;
      if (computed.has(value)) stack.pop();
      else if (given instanceof Tensor) computed.set(value, given);
      else {
        const waiting = inputsOf(given).filter((input) => !computed.has(input));
        if (waiting.length > 0) stack.push(...waiting);
        else {
          run(given, computed);
          computed.set(value, find(computed, given));
        }
      }
    }
    return find(computed, root);
  };
  return roots.map(compute);
}

function find(computed: ReadonlyMap<Value, Tensor>, value: Value): Tensor {
  const tensor = computed.get(value);
  if (tensor === undefined)
    throw new CarillonError("ERR_TRACE", "evaluate", "a value has no data outside of its program");
  return tensor;
}

function inputsOf(value: Value): readonly Value[] {
  if (value.source.kind === "operation") return value.source.applied.inputs;
  throw new CarillonError("ERR_TRACE", "evaluate", "a value has no data outside of its program");
}

/** Computes all outputs of the operation that gives a value. */
function run(value: Value, computed: Map<Value, Tensor>): void {
  if (value.source.kind !== "operation")
    throw new CarillonError("ERR_TRACE", "evaluate", "a value without an operation");
  const { applied } = value.source;
  if (applied.outputs.some(({ shape }) => isBatched(shape))) {
    throw new CarillonError("ERR_TRACE", "evaluate", "a batch has a size inside of a program only");
  }
  const tensors = applied.inputs.map((input) => find(computed, input));
  for (const [index, tensor] of computedNow(applied, tensors, applied.outputs).entries()) {
    const output = applied.outputs[index];
    if (output !== undefined) computed.set(output, tensor);
  }
}

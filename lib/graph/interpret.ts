import { CarillonError } from "../errors.js";
import { execute } from "../ops/apply.js";
import { elements } from "../tensor/shape.js";
import { allocate, Tensor } from "../tensor/tensor.js";
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
        else computed.set(value, run(given, computed));
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

function run(value: Value, computed: ReadonlyMap<Value, Tensor>): Tensor {
  if (value.source.kind !== "operation")
    throw new CarillonError("ERR_TRACE", "evaluate", "a value without an operation");
  const { inputs, lower, draw } = value.source.applied;
  const tensors = inputs.map((input) => find(computed, input));
  const sizes = value.shape.filter((dim) => dim !== "batch");
  if (sizes.length !== value.shape.length) {
    throw new CarillonError("ERR_TRACE", "evaluate", "a batch has a size inside of a program only");
  }
  const [first] = tensors;
  if (lower === null && first !== undefined) return new Tensor(first.attached, sizes, first.dtype);
  const output = new Tensor(allocate(value.dtype, elements(value.shape)), sizes, value.dtype);
  if (lower !== null) execute(lower(tensors, output), draw);
  return output;
}

import { CarillonError } from "../../errors.js";
import { instruction } from "../../ops/encode.js";
import { instructionOf } from "../../tensor/value.js";
import { applied, type Pass } from "./pass.js";

/**
 * Fuses the gradient of a maximum over windows of a relu's output with that of the relu: what flows to an element goes on where the element
 * is positive, which the kernel has in hand.
 */
export const fusePools: Pass = (draft) => {
  for (const value of [...draft.steps.keys()]) {
    const [flowing, output] = applied(value, "reluGradient")?.inputs ?? [];
    const pool = applied(flowing, "maxPoolGradient");
    if (pool === undefined || flowing === undefined || pool.inputs[0] !== output) continue;
    if (draft.uses(flowing) !== 1 || !draft.together(flowing, value)) continue;
    draft.replace(value, {
      inputs: pool.inputs,
      outputs: [value],
      lower(inputs, outputs) {
        const plain = instructionOf(pool, inputs, outputs);
        if (plain.operation !== "max_pool_gradient") {
          throw new CarillonError("ERR_TRACE", pool.operation, `an operation of ${plain.operation} is no pool`);
        }
        return instruction(plain.operation, plain.views, { ...plain.numbers, gated: true });
      },
      inPlace: null,
      applied: null,
    });
    draft.remove(flowing);
  }
};

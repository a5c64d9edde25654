import type { NativeLists } from "../../binding/operations.js";
import { CarillonError } from "../../errors.js";
import { instruction } from "../../ops/encode.js";
import { type Instruction, instructionOf, type Value } from "../../tensor/value.js";
import type { Step } from "../step.js";
import { chainOf, productOf } from "./chains.js";
import type { Draft, Pass } from "./pass.js";

/**
 * A product with what follows it, which it applies while its tile is in cache, by the very roundings of the operations
 * alone: activation, dropout, gate of a gradient.
 */
function fuseProduct(value: Value, draft: Draft): Step | undefined {
  if (value.source.kind !== "operation") return undefined;
  const chain = chainOf(value, draft, productOf);
  if (chain === undefined) return undefined;
  const { source: product, bent, mask, gate } = chain;
  const { inputs } = product;
  const activation: NativeLists["activations"] =
    bent?.operation === "relu" || bent?.operation === "tanh" ? bent.operation : "identity";
  if (activation === "identity" && mask === undefined && gate === undefined) return undefined;
  const count = inputs.length;
  return {
    inputs: gate === undefined ? inputs : [...inputs, gate.values],
    outputs: [value],
    lower(from, outputs): Instruction {
      const plain = instructionOf(product, from.slice(0, count), outputs);
      const masked = {
        ...{ site: mask?.site, exampleRows: mask?.exampleRows, keep: mask?.keep, keepScale: mask?.scale },
        ...{ backward: gate?.backward, gateScale: gate?.scale },
      };
      if (plain.operation === "conv" || plain.operation === "conv_transposed") {
        const { operation, views, numbers } = plain;
        return instruction(operation, { ...views, gate: from[count] }, { ...numbers, activation, ...masked });
      }
      if (plain.operation !== "gemm") {
        throw new CarillonError("ERR_TRACE", product.operation, `an operation of ${plain.operation} takes no epilogue`);
      }
      const numbers = { ...plain.numbers, activation };
      if (mask === undefined && gate === undefined) return { ...plain, numbers };
      return instruction("gemm_fused", { ...plain.views, gate: from[count] }, { ...numbers, ...masked });
    },
    inPlace: null,
    applied: null,
  };
}

/** Fuses products with what follows them. */
export const fuseProducts: Pass = (draft) => {
  for (const value of draft.steps.keys()) {
    const step = fuseProduct(value, draft);
    if (step !== undefined) draft.replace(value, step);
  }
};

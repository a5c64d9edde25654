import type { Instruction, Value } from "../tensor/value.js";

/** How a value is computed: from which values, by which instruction. */
export interface Step {
  readonly inputs: readonly Value[];
  readonly lower: ((inputs: readonly Value[], output: Value) => Instruction) | null;
  readonly inPlace: number | null;
  /** A second value that the same instruction computes, and the input whose memory it may take. */
  readonly also?: { readonly value: Value; readonly inPlace: number };
}

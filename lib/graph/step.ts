import { type Applied, type Instruction, instructionOf, type Value } from "../tensor/value.js";

/** How a value is computed: from which values, by which instruction. */
export interface Step {
  readonly inputs: readonly Value[];
  /** The first is the value that the step stands for. */
  readonly outputs: readonly Value[];
  /** `null`: the output is another name of the first input's memory. */
  readonly lower: ((inputs: readonly Value[], outputs: readonly Value[]) => Instruction) | null;
  /** The input whose memory an output may take, if it is needed no more. */
  readonly inPlace: { readonly input: number; readonly output: number } | null;
  /** The operation that the step computes as the source has it; `null` of a fused one. */
  readonly applied: Applied | null;
}

/** An operation of the source as a step of its own. */
export function stepOf(applied: Applied): Step {
  const { rule, inputs, outputs } = applied;
  const { lower, inPlace } = rule;
  return {
    inputs,
    outputs,
    lower: lower === null ? null : (from, to) => instructionOf(applied, from, to),
    inPlace: inPlace === undefined ? null : { input: inPlace, output: 0 },
    applied,
  };
}

import type { NativeLists } from "../../binding/operations.js";
import { CarillonError } from "../../errors.js";
import { instruction } from "../../ops/encode.js";
import { type Applied, type Instruction, instructionOf, type Value } from "../../tensor/value.js";
import type { Step } from "../step.js";
import { type Chain, chainOf, type SourceOf } from "./chains.js";
import type { Draft, Pass } from "./pass.js";

/** Normalizations, by their instructions: what follows their result is a part of them. */
const NORMS: readonly Applied["operation"][] = ["rowNorm", "columnNorm", "scaleShift"];

/** The operation behind `value`, if it is one of one argument that a native function computes. */
function bentBy(value: Value): { readonly bent: Applied; readonly function: NativeLists["unary"] } | undefined {
  if (value.source.kind !== "operation") return undefined;
  const bent = value.source.applied;
  if (bent.inputs.length !== 1 || bent.outputs.length !== 1 || bent.rule.lower === null) return undefined;
  const own = instructionOf(bent, bent.inputs, bent.outputs);
  return own.operation === "unary" ? { bent, function: own.numbers.function } : undefined;
}

/** The normalization in front of `value`, its first output, past a function of one argument. */
const normOf: SourceOf = (value, inside) => {
  const bent = bentBy(value)?.bent;
  const [before = value] = bent === undefined ? [value] : bent.inputs;
  if (before.source.kind !== "operation" || (before !== value && !inside(before))) return undefined;
  const source = before.source.applied;
  return NORMS.includes(source.operation) && source.outputs[0] === before ? { source, bent } : undefined;
};

type Finish = Pick<Chain, "bent" | "mask">;

/** The instruction of a normalization that also does what follows it. */
function finished(plain: Instruction, { bent, mask }: Finish, name: string): Instruction {
  const [output] = bent?.outputs ?? [];
  const finish = {
    function: output === undefined ? undefined : bentBy(output)?.function,
    site: mask?.site,
    exampleRows: mask?.exampleRows,
    keep: mask?.keep,
    keepScale: mask?.scale,
  };
  if (plain.operation === "row_norm") return instruction(plain.operation, plain.views, { ...plain.numbers, ...finish });
  if (plain.operation === "column_norm")
    return instruction(plain.operation, plain.views, { ...plain.numbers, ...finish });
  if (plain.operation === "scale_shift")
    return instruction(plain.operation, plain.views, { ...plain.numbers, ...finish });
  throw new CarillonError("ERR_TRACE", name, `an operation of ${plain.operation} is no normalization`);
}

/** A normalization and what follows it, whose end is `value`, by the very roundings of the operations alone. */
function fuseNorm(value: Value, draft: Draft): void {
  const chain = chainOf(value, draft, normOf);
  if (chain === undefined || (chain.bent === undefined && chain.mask === undefined) || chain.gate !== undefined) return;
  const { source } = chain;
  const [first, ...others] = source.outputs;
  if (first === undefined) return;
  const step: Step = {
    inputs: source.inputs,
    outputs: [value, ...others],
    lower: (inputs, outputs) => finished(instructionOf(source, inputs, outputs), chain, source.operation),
    inPlace: { input: 0, output: 0 },
    applied: null,
  };
  // Where the normalization stands, as its further outputs may be wanted before `value` was.
  draft.moveBefore([value], first);
  for (const inside of [first, ...(chain.bent?.outputs ?? [])]) draft.remove(inside);
  draft.replace(value, step);
}

/** Fuses normalizations with a function of one argument and a dropout behind them. */
export const fuseNorms: Pass = (draft) => {
  for (const value of [...draft.steps.keys()]) fuseNorm(value, draft);
};

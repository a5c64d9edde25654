import { activationId } from "../ops/encode.js";
import { asMatrix, isBatched } from "../tensor/shape.js";
import type { Applied, Instruction, Value } from "../tensor/value.js";

/** How a value is computed after fusion: from which values, by which instruction. */
export interface Step {
  readonly inputs: readonly Value[];
  readonly lower: ((inputs: readonly Value[], output: Value) => Instruction) | null;
  readonly inPlace: number | null;
}

/** The operation `name` behind `value`, if that is what it is. */
function applied(value: Value | undefined, name: string): Applied | undefined {
  if (value?.source.kind !== "operation") return undefined;
  return value.source.applied.name === name ? value.source.applied : undefined;
}

/** What lies behind reshapes, whose memory is that of their input. */
function unshaped(value: Value | undefined): Value | undefined {
  const behind = applied(value, "reshape");
  return behind === undefined ? value : unshaped(behind.inputs[0]);
}

/** How often each value is used by the operations of `order` and by `roots`. */
function countUses(order: readonly Value[], roots: readonly Value[]): Map<Value, number> {
  const uses = new Map<Value, number>();
  const count = (value: Value): void => {
    uses.set(value, (uses.get(value) ?? 0) + 1);
  };
  for (const root of roots) count(root);
  for (const value of order) {
    if (value.source.kind === "operation") value.source.applied.inputs.forEach(count);
  }
  return uses;
}

/** Whether nothing is updated between two values: otherwise one cannot be computed where the other stands. */
type Together = (first: Value, last: Value) => boolean;

const EPILOGUES = ["relu", "tanh"] as const;
/** Place of the activation among the integers of a native `gemm`. */
const GEMM_ACTIVATION = 5;

/** relu(linear(x, W, b)): the product applies the activation while its tile is in registers, the same rounding. */
function fuseActivation(value: Value, uses: ReadonlyMap<Value, number>, together: Together): Step | undefined {
  const name = EPILOGUES.find((epilogue) => applied(value, epilogue) !== undefined);
  if (name === undefined || value.source.kind !== "operation") return undefined;
  const [before] = value.source.applied.inputs;
  const product = applied(before, "linear");
  if (before === undefined || product === undefined || product.lower === null || uses.get(before) !== 1)
    return undefined;
  if (!together(before, value)) return undefined;
  const { inputs, lower } = product;
  return {
    inputs,
    lower(from, output) {
      const instruction = lower(from, output);
      const ints = instruction.ints.with(GEMM_ACTIVATION, activationId(name));
      return { ...instruction, ints };
    },
    inPlace: null,
  };
}

/** flush((softmax(x) − onehot(labels))·g): one kernel with these very roundings. */
function fuseCrossEntropyGradient(
  value: Value,
  uses: ReadonlyMap<Value, number>,
  together: Together,
): Step | undefined {
  const once = (part: Value | undefined): boolean => part !== undefined && uses.get(part) === 1;
  const [scaled] = applied(value, "flush")?.inputs ?? [];
  const [off, column] = applied(scaled, "multiply")?.inputs ?? [];
  const [normalized, target] = applied(off, "subtract")?.inputs ?? [];
  const [logits] = applied(normalized, "softmax")?.inputs ?? [];
  const [labels] = applied(unshaped(target), "oneHot")?.inputs ?? [];
  const parts = [scaled, off, normalized, target, unshaped(target)];
  if (!parts.every((part) => once(part) && part !== undefined && together(part, value))) return undefined;
  if (logits === undefined || labels === undefined || column === undefined) return undefined;
  const flowing = unshaped(column);
  const [everywhere] = applied(flowing, "broadcast")?.inputs ?? [];
  const same = everywhere !== undefined && everywhere.shape.length === 0;
  const gradient = same ? everywhere : flowing;
  if (gradient === undefined || column.shape.at(-1) !== 1 || isBatched(logits.shape) !== isBatched(column.shape)) {
    return undefined;
  }
  const { rows, columns } = asMatrix(logits.shape);
  return {
    inputs: [logits, labels, gradient],
    lower: (inputs, output) => ({
      operation: "softmax_cross_entropy_gradient",
      views: [...inputs, output],
      ints: [rows, columns, same ? 1 : 0],
      doubles: [],
    }),
    inPlace: 0,
  };
}

/**
 * How every operation that `roots` need is computed, operands first. A pass fuses only where the kernel performs the very
 * roundings of the separate operations; what only a fused operation needed is gone.
 *
 * @param updates For each update of parameters, the id of the last value before it.
 */
export function planSteps(roots: readonly Value[], updates: readonly number[] = []): ReadonlyMap<Value, Step> {
  const together: Together = (first, last) => !updates.some((after) => first.id <= after && after < last.id);
  const order = reachable(roots, (value) => (value.source.kind === "operation" ? value.source.applied.inputs : []));
  const uses = countUses(order, roots);
  const steps = new Map<Value, Step>();
  for (const value of order) {
    if (value.source.kind !== "operation") continue;
    const { inputs, lower, inPlace } = value.source.applied;
    const fused = fuseActivation(value, uses, together) ?? fuseCrossEntropyGradient(value, uses, together);
    steps.set(value, fused ?? { inputs, lower, inPlace });
  }
  const live = reachable(roots, (value) => steps.get(value)?.inputs ?? []);
  const kept = live.map((value): [Value, Step | undefined] => [value, steps.get(value)]);
  return new Map(kept.filter((entry): entry is [Value, Step] => entry[1] !== undefined));
}

/** `roots` and everything they need, in the order of creation. */
function reachable(roots: readonly Value[], inputsOf: (value: Value) => readonly Value[]): Value[] {
  const seen = new Set<Value>(roots);
  for (const value of seen) {
    for (const input of inputsOf(value)) seen.add(input);
  }
  return [...seen].sort((a, b) => a.id - b.id);
}

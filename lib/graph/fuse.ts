import { asMatrix, isBatched } from "../tensor/shape.js";
import type { Instruction, Value } from "../tensor/value.js";
import { applied, fuseProduct, type Surroundings } from "./fuse_product.js";

/** How a value is computed after fusion: from which values, by which instruction. */
export interface Step {
  readonly inputs: readonly Value[];
  readonly lower: ((inputs: readonly Value[], output: Value) => Instruction) | null;
  readonly inPlace: number | null;
}

/** What lies behind reshapes, whose memory is that of their input. */
function unshaped(value: Value | undefined): Value | undefined {
  const behind = applied(value, "reshape");
  return behind === undefined ? value : unshaped(behind.inputs[0]);
}

/** The operations that use each value, once for every use. */
function usersOf(order: readonly Value[]): ReadonlyMap<Value, readonly Value[]> {
  const users = new Map<Value, Value[]>();
  for (const value of order) {
    const inputs = value.source.kind === "operation" ? value.source.applied.inputs : [];
    for (const input of inputs) {
      const list = users.get(input);
      if (list === undefined) users.set(input, [value]);
      else list.push(value);
    }
  }
  return users;
}

/** flush((softmax(x) − onehot(labels))·g): one kernel with these very roundings. */
function fuseCrossEntropyGradient(value: Value, { uses, together }: Surroundings): Step | undefined {
  const once = (part: Value | undefined): boolean => part !== undefined && uses(part) === 1;
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
  const order = reachable(roots, (value) => (value.source.kind === "operation" ? value.source.applied.inputs : []));
  const users = usersOf(order);
  const around: Surroundings = {
    together: (first, last) => !updates.some((after) => first.id <= after && after < last.id),
    uses: (value) => (users.get(value)?.length ?? 0) + roots.filter((root) => root === value).length,
    users: (value) => users.get(value) ?? [],
  };
  const steps = new Map<Value, Step>();
  for (const value of order) {
    if (value.source.kind !== "operation") continue;
    const { inputs, lower, inPlace } = value.source.applied;
    const fused = fuseProduct(value, around) ?? fuseCrossEntropyGradient(value, around);
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

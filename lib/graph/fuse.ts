import { asMatrix, isBatched } from "../tensor/shape.js";
import type { Instruction, Value } from "../tensor/value.js";
import { applied, fuseProduct, type Surroundings } from "./fuse_product.js";

/** How a value is computed after fusion: from which values, by which instruction. */
export interface Step {
  readonly inputs: readonly Value[];
  readonly lower: ((inputs: readonly Value[], output: Value) => Instruction) | null;
  readonly inPlace: number | null;
  /** A second value that the same instruction computes, and the input whose memory it may take. */
  readonly also?: { readonly value: Value; readonly inPlace: number };
  /** When it is computed, as an id; without it, where its value stands. */
  readonly at?: number;
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

/** The gradient of cross-entropies with respect to their logits. */
interface CrossEntropyGradient {
  readonly logits: Value;
  readonly labels: Value;
  /** Of the losses: one a row, or with `same` one for all. */
  readonly gradient: Value;
  readonly same: boolean;
}

/** What computes flush((softmax(x) − onehot(labels))·g), if `value` is that: one kernel has these very roundings. */
function crossEntropyGradient(value: Value, { uses, together }: Surroundings): CrossEntropyGradient | undefined {
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
  return { logits, labels, gradient, same };
}

function crossEntropyGradientStep({ logits, labels, gradient, same }: CrossEntropyGradient): Step {
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
 * What `value` is computed from behind `after`, in order; undefined where `after` itself is among it, or another step that
 * was moved already.
 */
function neededBehind(value: Value, after: Value, steps: ReadonlyMap<Value, Step>): readonly Value[] | undefined {
  const inputsOf = (each: Value): readonly Value[] => (each.id > after.id ? (steps.get(each)?.inputs ?? []) : []);
  const all = reachable([value], inputsOf);
  if (all.some((each) => each === after || steps.get(each)?.at !== undefined)) return undefined;
  return all.filter((each) => each.id > after.id && steps.has(each));
}

/**
 * Cross-entropies and their gradient `value` as one instruction, where the losses stand: from one set of exponentials, each
 * with the bits of its own kernel. What the gradient is multiplied by is computed before, so it may not depend on the
 * losses. Returns the losses.
 */
function pairCrossEntropy(
  value: Value,
  { logits, labels, gradient, same }: CrossEntropyGradient,
  steps: Map<Value, Step>,
  around: Surroundings,
): Value | undefined {
  const losses = around.users(logits).find((user) => {
    const [x, y] = applied(user, "softmaxCrossEntropy")?.inputs ?? [];
    return x === logits && y === labels && user.id < value.id && around.together(user, value);
  });
  const step = losses === undefined ? undefined : steps.get(losses);
  if (losses === undefined || step === undefined || step.also !== undefined) return undefined;
  const before = neededBehind(gradient, losses, steps);
  if (before === undefined) return undefined;
  for (const each of before) {
    const moved = steps.get(each);
    if (moved !== undefined) steps.set(each, { ...moved, at: losses.id - 0.5 });
  }
  const { rows, columns } = asMatrix(logits.shape);
  steps.set(losses, {
    inputs: [logits, labels, gradient],
    lower: (inputs, output) => ({
      operation: "softmax_cross_entropy_both",
      views: [...inputs, output, value],
      ints: [rows, columns, same ? 1 : 0],
      doubles: [],
    }),
    inPlace: null,
    also: { value, inPlace: 0 },
  });
  steps.delete(value);
  return losses;
}

/**
 * How every operation that `roots` need is computed, operands first. A pass fuses only where the kernel performs the very
 * roundings of the separate operations; what only a fused operation needed is gone.
 *
 * @param bounds For each effect that nothing may be moved across, such as an update, the id of the last value before it.
 */
export function planSteps(roots: readonly Value[], bounds: readonly number[] = []): ReadonlyMap<Value, Step> {
  const order = reachable(roots, (value) => (value.source.kind === "operation" ? value.source.applied.inputs : []));
  const users = usersOf(order);
  const around: Surroundings = {
    together: (first, last) => !bounds.some((after) => first.id <= after && after < last.id),
    uses: (value) => (users.get(value)?.length ?? 0) + roots.filter((root) => root === value).length,
    users: (value) => users.get(value) ?? [],
  };
  const steps = new Map<Value, Step>();
  const gradients = new Map<Value, CrossEntropyGradient>();
  for (const value of order) {
    if (value.source.kind !== "operation") continue;
    const { inputs, lower, inPlace } = value.source.applied;
    const gradient = crossEntropyGradient(value, around);
    if (gradient !== undefined) gradients.set(value, gradient);
    const fused = gradient === undefined ? fuseProduct(value, around) : crossEntropyGradientStep(gradient);
    steps.set(value, fused ?? { inputs, lower, inPlace });
  }
  const producers = new Map<Value, Value>();
  for (const [value, gradient] of gradients) {
    const losses = pairCrossEntropy(value, gradient, steps, around);
    if (losses !== undefined) producers.set(value, losses);
  }
  const live = reachable(roots, (value) => {
    const producer = producers.get(value);
    return producer === undefined ? (steps.get(value)?.inputs ?? []) : [producer];
  });
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

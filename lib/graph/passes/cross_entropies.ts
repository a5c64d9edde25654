import { at } from "../../ops/apply.js";
import { instruction } from "../../ops/encode.js";
import { asMatrix, isBatched } from "../../tensor/shape.js";
import type { Value } from "../../tensor/value.js";
import type { Step } from "../step.js";
import { applied, type Draft, type Pass, reachable } from "./pass.js";

/** The value before all reshapes, whose memory it shares. */
function unshaped(value: Value | undefined): Value | undefined {
  const behind = applied(value, "reshape");
  return behind === undefined ? value : unshaped(behind.inputs[0]);
}

/** The gradient of cross-entropies with respect to their logits. */
interface CrossEntropyGradient {
  readonly logits: Value;
  readonly labels: Value;
  /** Of the losses: one a row, or with `same` one for all. */
  readonly gradient: Value;
  readonly same: boolean;
}

/** The step that computes flush((softmax(x) − onehot(labels))·g), if `value` is that: one kernel has these very roundings. */
function crossEntropyGradient(value: Value, draft: Draft): CrossEntropyGradient | undefined {
  const once = (part: Value | undefined): boolean => part !== undefined && draft.uses(part) === 1;
  const [scaled] = applied(value, "flush")?.inputs ?? [];
  const [off, column] = applied(scaled, "multiply")?.inputs ?? [];
  const [normalized, target] = applied(off, "subtract")?.inputs ?? [];
  const [logits] = applied(normalized, "softmax")?.inputs ?? [];
  const [labels] = applied(unshaped(target), "oneHot")?.inputs ?? [];
  const parts = [scaled, off, normalized, target, unshaped(target)];
  if (!parts.every((part) => once(part) && part !== undefined && draft.together(part, value))) return undefined;
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

function crossEntropyGradientStep(value: Value, { logits, labels, gradient, same }: CrossEntropyGradient): Step {
  return {
    inputs: [logits, labels, gradient],
    outputs: [value],
    lower(inputs, outputs) {
      const operands = { logits: at(inputs, 0), labels: at(inputs, 1), lossGradient: at(inputs, 2) };
      const views = { ...operands, logitsGradient: at(outputs, 0) };
      return instruction("softmax_cross_entropy_gradient", views, { ...asMatrix(logits.shape), same });
    },
    inPlace: { input: 0, output: 0 },
    applied: null,
  };
}

/**
 * The steps behind `after` that `value` is computed from, in order; undefined where `after` itself is among them, or a step that was
 * moved already.
 */
function neededBehind(
  value: Value,
  after: Value,
  draft: Draft,
  moved: ReadonlySet<Value>,
): readonly Value[] | undefined {
  const inputsOf = (each: Value): readonly Value[] => (each.id > after.id ? (draft.steps.get(each)?.inputs ?? []) : []);
  const all = reachable([value], inputsOf);
  if (all.some((each) => each === after || moved.has(each))) return undefined;
  return all.filter((each) => each.id > after.id && draft.steps.has(each));
}

/**
 * Cross-entropies and their gradient `value` as one instruction, where the losses stand: from one set of exponentials, each
 * with the bits of its own kernel. What the gradient is multiplied by is computed before, so it may not depend on the
 * losses. Adds to `moved` what is.
 */
function pairCrossEntropy(
  value: Value,
  { logits, labels, gradient, same }: CrossEntropyGradient,
  draft: Draft,
  moved: Set<Value>,
): void {
  const losses = draft.users(logits).find((user) => {
    const [x, y] = applied(user, "softmaxCrossEntropy")?.inputs ?? [];
    return x === logits && y === labels && user.id < value.id && draft.together(user, value);
  });
  const step = losses === undefined ? undefined : draft.steps.get(losses);
  if (losses === undefined || step === undefined || step.outputs.length > 1) return;
  const before = neededBehind(gradient, losses, draft, moved);
  if (before === undefined) return;
  draft.moveBefore(before, losses);
  for (const each of before) moved.add(each);
  draft.replace(losses, {
    inputs: [logits, labels, gradient],
    outputs: [losses, value],
    lower(inputs, outputs) {
      const operands = { logits: at(inputs, 0), labels: at(inputs, 1), lossGradient: at(inputs, 2) };
      const views = { ...operands, losses: at(outputs, 0), logitsGradient: at(outputs, 1) };
      return instruction("softmax_cross_entropy_both", views, { ...asMatrix(logits.shape), same });
    },
    inPlace: { input: 0, output: 1 },
    applied: null,
  });
  draft.remove(value);
}

/** Fuses the gradients of cross-entropies, and with them the cross-entropies themselves. */
export const fuseCrossEntropies: Pass = (draft) => {
  const gradients = new Map<Value, CrossEntropyGradient>();
  for (const value of draft.steps.keys()) {
    const gradient = crossEntropyGradient(value, draft);
    if (gradient === undefined) continue;
    gradients.set(value, gradient);
    draft.replace(value, crossEntropyGradientStep(value, gradient));
  }
  const moved = new Set<Value>();
  for (const [value, gradient] of gradients) pairCrossEntropy(value, gradient, draft, moved);
};

import type { OperationName } from "../../tensor/attributes.js";
import type { Applied, Value } from "../../tensor/value.js";
import type { Effect } from "../effect.js";
import { type Step, stepOf } from "../step.js";

/** A step or an effect of a program. */
export type Item = { readonly value: Value; readonly step: Step } | { readonly effect: Effect };

/** An effect, and the id of the last value created before it. */
export interface Recorded {
  readonly after: number;
  readonly effect: Effect;
}

/** Changes how values of a draft are computed, where the same bits come out. */
export type Pass = (draft: Draft) => void;

/** Inputs of the step of a value; of a further output of an operation, its first output. */
export function inputsOf(value: Value): readonly Value[] {
  if (value.source.kind !== "operation") return [];
  const { inputs, outputs } = value.source.applied;
  const [first = value] = outputs;
  return first === value ? inputs : [first];
}

/** The operation `name` behind `value`, if that is what it is. */
export function applied<K extends OperationName>(value: Value | undefined, name: K): AppliedAs<K> | undefined {
  if (value?.source.kind !== "operation") return undefined;
  const found = value.source.applied;
  return is(found, name) ? found : undefined;
}

type AppliedAs<K extends OperationName> = Extract<Applied, { readonly operation: K }>;

const is = <K extends OperationName>(found: Applied, name: K): found is AppliedAs<K> => found.operation === name;

/** `roots` and everything they need, in the order of creation. */
export function reachable(roots: readonly Value[], needs: (value: Value) => readonly Value[]): readonly Value[] {
  const seen = new Set<Value>(roots);
  for (const value of seen) {
    for (const input of needs(value)) seen.add(input);
  }
  return [...seen].sort((a, b) => a.id - b.id);
}

/**
 * The order of a program while passes work on it: at first one step an operation that effects need, and the effects, as the
 * source has them.
 */
export class Draft {
  /** Values that effects read, once for every effect. */
  readonly roots: readonly Value[];
  /** Behind which values nothing of what comes before may be computed, and nothing of what comes after before. */
  readonly #barriers: readonly number[];
  readonly #users = new Map<Value, Value[]>();
  /** How often effects read a value. */
  readonly #wanted = new Map<Value, number>();
  readonly #steps = new Map<Value, Step>();
  #order: readonly (Value | Recorded)[];

  constructor(effects: readonly Recorded[]) {
    this.roots = effects.flatMap(({ effect }) => effect.reads);
    for (const root of this.roots) this.#wanted.set(root, (this.#wanted.get(root) ?? 0) + 1);
    this.#barriers = effects.filter(({ effect }) => effect.barrier).map(({ after }) => after);
    const values = reachable(this.roots, inputsOf);
    for (const value of values) {
      if (value.source.kind !== "operation") continue;
      const { applied } = value.source;
      const [first] = applied.outputs;
      if (first === value) this.#steps.set(value, stepOf(applied));
      for (const input of first === value ? applied.inputs : []) {
        const users = this.#users.get(input);
        if (users === undefined) this.#users.set(input, [value]);
        else users.push(value);
      }
    }
    this.#order = inSourceOrder([...this.#steps.keys()], effects);
  }

  /** Steps and effects in the order in which they are done. */
  get items(): readonly Item[] {
    return this.#order.flatMap((each): Item[] => {
      if ("effect" in each) return [{ effect: each.effect }];
      const step = this.#steps.get(each);
      return step === undefined ? [] : [{ value: each, step }];
    });
  }

  /** By value. */
  get steps(): ReadonlyMap<Value, Step> {
    return this.#steps;
  }

  /** Whether one value may be computed where the other stands: no barrier is between them in the source. */
  together(first: Value, last: Value): boolean {
    return !this.#barriers.some((after) => first.id <= after && after < last.id);
  }

  /** How often a value is used in the source, by operations and by effects. */
  uses(value: Value): number {
    return this.users(value).length + (this.#wanted.get(value) ?? 0);
  }

  /** Operations of the source that use a value, once for every use. */
  users(value: Value): readonly Value[] {
    return this.#users.get(value) ?? [];
  }

  replace(value: Value, step: Step): void {
    this.#steps.set(value, step);
  }

  remove(value: Value): void {
    this.#steps.delete(value);
  }

  /** Has steps done right before another, in their order. */
  moveBefore(moved: readonly Value[], anchor: Value): void {
    const set = new Set<unknown>(moved);
    const rest = this.#order.filter((each) => !set.has(each));
    const at = rest.indexOf(anchor);
    this.#order = [...rest.slice(0, at), ...this.#order.filter((each) => set.has(each)), ...rest.slice(at)];
  }

  /** Removes the steps whose values nothing needs any more. */
  removeUnused(): void {
    const producers = new Map<Value, Value>();
    for (const [value, { outputs }] of this.#steps) for (const output of outputs) producers.set(output, value);
    const needed = new Set(
      reachable(this.roots, (value) => {
        const producer = producers.get(value) ?? value;
        return producer === value ? (this.#steps.get(value)?.inputs ?? []) : [producer];
      }),
    );
    for (const value of this.#steps.keys()) if (!needed.has(value)) this.remove(value);
  }
}

/** Values, which are in the order of their creation, and effects, each behind the values that were created before it. */
function inSourceOrder(values: readonly Value[], effects: readonly Recorded[]): readonly (Value | Recorded)[] {
  const order: (Value | Recorded)[] = [];
  let next = 0;
  for (const recorded of effects) {
    for (let value = values[next]; value !== undefined && value.id <= recorded.after; value = values[next]) {
      order.push(value);
      next += 1;
    }
    order.push(recorded);
  }
  return [...order, ...values.slice(next)];
}

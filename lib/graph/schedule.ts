import type { Value } from "../tensor/value.js";
import type { Replacement } from "./binding.js";
import type { Effect } from "./effect.js";
import { PASSES } from "./passes/index.js";
import { Draft, type Item } from "./passes/pass.js";
import type { Step } from "./step.js";
import type { Trace } from "./trace.js";

/** Values that an item reads. A step without an instruction is another name of its input's memory. */
export function readsOf(item: Item): readonly Value[] {
  if ("effect" in item) return item.effect.reads;
  return item.step.lower === null ? [] : item.step.inputs;
}

/** Values that an item computes. */
export function writesOf(item: Item): readonly Value[] {
  if ("effect" in item) return item.effect.writes ?? [];
  return item.step.outputs;
}

/** The steps and effects of a trace in the order in which they are done. */
export class Schedule {
  readonly items: readonly Item[];
  readonly #steps: ReadonlyMap<Value, Step>;
  readonly #written = new Map<Value, number>();
  readonly #lastRead = new Map<Value, number>();
  readonly #ending = new Map<number, Value[]>();

  constructor(items: readonly Item[]) {
    this.items = items;
    this.#steps = new Map(items.flatMap((item) => ("step" in item ? [[item.value, item.step] as const] : [])));
    for (const [index, item] of items.entries()) {
      for (const value of writesOf(item)) this.#written.set(value, index);
      for (const value of readsOf(item)) this.#lastRead.set(this.base(value), index);
    }
    for (const [base, index] of this.#lastRead) {
      const known = this.#ending.get(index);
      if (known === undefined) this.#ending.set(index, [base]);
      else known.push(base);
    }
  }

  get effects(): readonly Effect[] {
    return this.items.flatMap((item) => ("effect" in item ? [item.effect] : []));
  }

  stepOf(value: Value): Step | undefined {
    return this.#steps.get(value);
  }

  /** The value whose memory `value` shares: itself, or what it reshapes. */
  base(value: Value): Value {
    const step = this.#steps.get(value);
    const [input] = step?.inputs ?? [];
    return step !== undefined && step.lower === null && input !== undefined ? this.base(input) : value;
  }

  /** Index of the item that computes a value; `undefined` of one that is there already. */
  writtenAt(value: Value): number | undefined {
    return this.#written.get(value);
  }

  /** Whether a step computes a value, as its first output or a further one. */
  isComputed(value: Value): boolean {
    const index = this.#written.get(value);
    const item = index === undefined ? undefined : this.items[index];
    return item !== undefined && "step" in item && item.step.lower !== null;
  }

  indexOf(effect: Effect): number {
    return this.items.findIndex((item) => "effect" in item && item.effect === effect);
  }

  /** Base values that no item after `index` reads. */
  lastReadBy(index: number): readonly Value[] {
    return this.#ending.get(index) ?? [];
  }

  /** Index of the last item that reads the memory of a base value. */
  lastReadAt(base: Value): number | undefined {
    return this.#lastRead.get(base);
  }
}

/** The order of a trace, after all passes. */
export function scheduleOf(trace: Trace, replacement: Replacement | undefined): Schedule {
  const draft = new Draft(trace.effects);
  for (const pass of PASSES) pass(draft);
  replacement?.pass(draft);
  return new Schedule(draft.items);
}

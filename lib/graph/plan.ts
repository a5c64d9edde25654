import { type NativeSlab, native } from "../binding/native.js";
import { CarillonError } from "../errors.js";
import { binaryId } from "../ops/encode.js";
import { type Dtype, elements, extent, isBatched } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import type { Value } from "../tensor/value.js";
import { Arena } from "./arena.js";
import { checkedByOperands, type FiniteEffect, type Operands } from "./finite.js";
import { planSteps, type Step } from "./fuse.js";
import { Instructions } from "./instructions.js";
import { type Effect, rootsOf, type Trace, type UpdateEffect, type UpdateSegment } from "./trace.js";
import { updateOperands } from "./update_operands.js";
import { DTYPES, type Place, Views } from "./views.js";

/** Where an input's rows come from. */
export type Binding =
  /** The slab holds the batch itself. */
  | { readonly kind: "direct"; readonly slab: NativeSlab }
  /** Rows of a data set, gathered in the order of the epoch; u8 becomes f32 times `scale`. */
  | {
      readonly kind: "feed";
      readonly slab: NativeSlab;
      readonly dtype: Dtype;
      readonly samples: number;
      readonly scale: number;
    };

/** What a native program is made of, apart from its feed and schedules. */
export interface Plan {
  readonly code: Int32Array;
  readonly views: Float64Array;
  readonly slabs: readonly { readonly slab: NativeSlab; readonly writable: boolean }[];
  readonly arenaCount: number;
  /** Slot of the epoch's order, 0 without a feed. */
  readonly orderSlot: number;
  /** Instructions that run once a micro-batch; microEnd 0: all of them, once. */
  readonly microBegin: number;
  readonly microEnd: number;
}

/** Memory and steps that stand in the place of those of a trace. */
export interface Replacement {
  /** How the values that `steps` compute are computed instead. */
  steps(steps: ReadonlyMap<Value, Step>, roots: readonly Value[]): ReadonlyMap<Value, Step>;
  /** The slab whose first `count` elements stand for those of `slab` from `offset` on; `undefined`: these themselves. */
  memory(slab: NativeSlab, offset: number, count: number): NativeSlab | undefined;
}

/** Integers of a range of `expect_finite`. */
const RANGE = 3;

type Item = { readonly value: Value; readonly step: Step } | { readonly effect: Effect };

/** Places values in memory and writes the instructions of a trace, in the order of the source. */
class Planner {
  readonly #since: number;
  readonly #maxRows: number;
  readonly #bindings: ReadonlyMap<string, Binding>;
  readonly #order: NativeSlab | undefined;
  readonly #items: readonly Item[];
  readonly #steps: ReadonlyMap<Value, Step>;
  readonly #checked: ReadonlyMap<Value, Operands>;
  readonly #replacement: Replacement | undefined;

  readonly #arena = new Arena();
  readonly #views = new Views();
  readonly #instructions = new Instructions(this.#views);
  readonly #places = new Map<Value, Place>();
  readonly #temporary = new Set<Value>();
  #microBegin = 0;
  #microEnd = 0;

  constructor(trace: Trace, options: PlanOptions) {
    const { maxRows, bindings, order, replacement } = options;
    this.#maxRows = maxRows;
    this.#bindings = bindings;
    this.#order = order;
    this.#replacement = replacement;
    this.#since = trace.since;
    const bounds = trace.effects.filter(({ effect }) => effect.kind !== "log" && effect.kind !== "output");
    const roots = trace.effects.flatMap(({ effect }) => rootsOf(effect));
    const steps = planSteps(
      roots,
      bounds.map(({ after }) => after),
    );
    this.#steps = replacement === undefined ? steps : replacement.steps(steps, roots);
    const effects = trace.effects.map(({ effect }) => effect);
    this.#checked = checkedByOperands(effects, this.#steps, (value) => this.#sizeOf(value).total);
    const timed = [
      ...[...this.#steps].map(([value, step]) => ({ at: step.at ?? value.id, late: 0, item: { value, step } })),
      ...trace.effects.map(({ after, effect }) => ({ at: after, late: 1, item: { effect } })),
    ];
    this.#items = timed.sort((a, b) => a.at - b.at || a.late - b.late).map(({ item }) => item);
  }

  plan(): Plan {
    const effects = this.#items.flatMap((item) => ("effect" in item ? [item.effect] : []));
    for (const effect of effects) if (effect.kind === "clear") this.#accumulators.add(effect.accumulator);
    for (const effect of effects) this.#placeTargets(effect);
    for (const accumulator of this.#accumulators) {
      if (!this.#places.has(accumulator)) this.#places.set(accumulator, this.#temporaryPlace(accumulator));
    }
    const lastUse = this.#lastUses();
    const ending = new Map<number, Value[]>();
    for (const [value, index] of lastUse) ending.set(index, [...(ending.get(index) ?? []), value]);
    const isCheck = (item: Item | undefined): boolean =>
      item !== undefined && "effect" in item && item.effect.kind === "finite";
    for (const [index, item] of this.#items.entries()) {
      if (isCheck(this.#items[index - 1]) && !isCheck(item)) this.#emitChecks();
      if ("effect" in item) this.#emitEffect(item.effect);
      else this.#emitStep(item.value, item.step, (value) => lastUse.get(value) === index);
      for (const value of ending.get(index) ?? []) this.#release(value);
    }
    this.#emitChecks();
    return {
      code: this.#instructions.words,
      views: this.#views.numbers,
      slabs: this.#views.slabs,
      arenaCount: this.#arena.size,
      orderSlot: this.#order === undefined ? 0 : this.#views.knownSlot(this.#order),
      microBegin: this.#microBegin,
      microEnd: this.#microEnd,
    };
  }

  /** The value whose memory `value` shares: itself, or what it reshapes. */
  #base(value: Value): Value {
    const step = this.#steps.get(value);
    const [input] = step?.inputs ?? [];
    return step !== undefined && step.lower === null && input !== undefined ? this.#base(input) : value;
  }

  /** Index of the last item that reads each base value. */
  #lastUses(): Map<Value, number> {
    const last = new Map<Value, number>();
    for (const [index, item] of this.#items.entries()) {
      const used = "effect" in item ? rootsOf(item.effect) : item.step.lower === null ? [] : item.step.inputs;
      for (const value of used) last.set(this.#base(value), index);
    }
    return last;
  }

  #sizeOf(value: Value): { readonly count: number; readonly batched: boolean; readonly total: number } {
    const batched = isBatched(value.shape);
    const count = elements(value.shape);
    return { count, batched, total: batched ? count * this.#maxRows : count };
  }

  #temporaryPlace(value: Value): Place {
    const { count, batched, total } = this.#sizeOf(value);
    return { slot: 0, offset: this.#arena.take(total), count, batched, dtype: value.dtype };
  }

  /** True when the value is computed by a step and has no place yet: it may be computed where it is wanted. */
  #placeable(base: Value): boolean {
    if (this.#accumulators.has(base)) return !this.#places.has(base);
    return this.#steps.get(base)?.lower != null && !this.#places.has(base);
  }

  /** Gradients and outputs are computed where they are wanted, if they are computed once and for that alone. */
  #placeTargets(effect: Effect): void {
    if (effect.kind === "update") {
      const region = this.#arena.take(effect.total);
      this.#regions.set(effect, region);
      for (const segment of effect.segments) {
        const base = this.#base(segment.gradient);
        if (!this.#placeable(base)) continue;
        this.#places.set(base, { ...this.#segmentPlace(effect, segment) });
      }
    } else if (effect.kind === "output") {
      const base = this.#base(effect.value);
      if (this.#placeable(base)) this.#places.set(base, this.#outputPlace(effect.value, effect.slab));
    }
  }

  readonly #regions = new Map<Effect, number>();
  /** Values that outlive a micro-batch. */
  readonly #accumulators = new Set<Value>();

  #segmentPlace(effect: Effect, { offset, rows, columns }: UpdateSegment): Place {
    const count = rows * columns;
    return { slot: 0, offset: (this.#regions.get(effect) ?? 0) + offset, count, batched: false, dtype: "f32" };
  }

  /** The first elements of a slab. */
  #stretch(slab: NativeSlab, write: boolean, count: number, dtype: Dtype): Place {
    return { slot: this.#views.slot(slab, write), offset: 0, count, batched: false, dtype };
  }

  #outputPlace(value: Value, slab: NativeSlab): Place {
    const { count, batched } = this.#sizeOf(value);
    return { slot: this.#views.slot(slab, true), offset: 0, count, batched, dtype: value.dtype };
  }

  #place(value: Value): Place {
    const base = this.#base(value);
    const known = this.#places.get(base);
    if (known !== undefined) return known;
    const place = this.#bind(base);
    this.#places.set(base, place);
    return place;
  }

  /** The place of a value that no step computes. */
  #bind(value: Value): Place {
    const { source } = value;
    if (value instanceof Tensor) return this.#constant(value);
    if (source.kind === "slab") {
      const count = elements(value.shape);
      const instead = this.#replacement?.memory(source.slab, source.offset, count);
      if (instead !== undefined) return this.#stretch(instead, false, count, value.dtype);
      const slot = this.#views.slot(source.slab, false);
      return { slot, offset: source.offset, count, batched: false, dtype: value.dtype };
    }
    // An input older than the trace is another program's, even if this one has an input of its name.
    const own = source.kind === "input" && value.id > this.#since;
    const binding = own ? this.#bindings.get(source.name) : undefined;
    if (binding === undefined) {
      throw new CarillonError("ERR_TRACE", "program", "a value of another program was used in this one");
    }
    const { count, batched } = this.#sizeOf(value);
    if (binding.kind === "direct") {
      return { slot: this.#views.slot(binding.slab, false), offset: 0, count, batched, dtype: value.dtype };
    }
    return this.#gather(value, binding);
  }

  #gather(value: Value, { slab, dtype, samples, scale }: Binding & { readonly kind: "feed" }): Place {
    if (this.#order === undefined) throw new CarillonError("ERR_TRACE", "program", "a feed without an order");
    const place = this.#temporaryPlace(value);
    this.#temporary.add(value);
    const columns = elements(value.shape);
    const source = this.#stretch(slab, false, samples * columns, dtype);
    const order = this.#stretch(this.#order, true, samples, "i32");
    this.#emitPlaced("gather", [source, order, place], [-1, columns, samples, DTYPES[dtype]], [scale]);
    return place;
  }

  /** Constants live in a slab each: there are few, and equal tensors are one value. */
  #constant(value: Tensor): Place {
    const { attached, dtype } = value;
    const slab = native.slabCreate(attached.length, dtype);
    native.slabWrite(slab, 0, attached);
    return this.#stretch(slab, false, attached.length, dtype);
  }

  #release(value: Value): void {
    const place = this.#places.get(value);
    if (place === undefined || !this.#temporary.delete(value)) return;
    this.#arena.free(place.offset);
  }

  /** An instruction over places that belong to no value. */
  #emitPlaced(
    operation: string,
    places: readonly (Place | null)[],
    ints: readonly number[],
    doubles: readonly number[] = [],
  ): void {
    this.#instructions.emitPlaced(operation, places, ints, doubles);
  }

  #emitStep(value: Value, step: Step, dies: (value: Value) => boolean): void {
    if (step.lower === null) return;
    for (const input of step.inputs) this.#place(input); // feeds are gathered before they are used
    this.#placeResult(value, step.inputs, step.inPlace, dies);
    if (step.also !== undefined) this.#placeResult(step.also.value, step.inputs, step.also.inPlace, dies);
    this.#instructions.emit(step.lower(step.inputs, value), (operand) => this.#place(operand));
    const operands = this.#checked.get(value);
    if (operands !== undefined) this.#emitOperandCheck(operands);
  }

  readonly #checks: FiniteEffect[] = [];

  /** One instruction for all checks that stand together, of one memory and with one period. */
  #emitChecks(): void {
    const groups = new Map<string, { readonly first: Place; readonly every: number; readonly ranges: number[] }>();
    for (const { value, every, check } of this.#checks.splice(0)) {
      const place = this.#place(value);
      const key = `${place.slot} ${every}`;
      const group = groups.get(key) ?? { first: place, every, ranges: [] };
      groups.set(key, group);
      group.ranges.push(place.offset, elements(value.shape), check);
    }
    for (const { first, every, ranges } of groups.values()) {
      const ends = ranges.flatMap((offset, at) => (at % RANGE === 0 ? [offset + (ranges[at + 1] ?? 0)] : []));
      const memory = { ...first, offset: 0, count: Math.max(...ends), batched: false };
      this.#emitPlaced("expect_finite", [memory, null, null], [0, 0, every, ...ranges]);
    }
  }

  #emitOperandCheck({ effect, left, right }: Operands): void {
    const { value, every, check } = effect;
    const size = (operand: Value): number => {
      const { count, batched } = this.#sizeOf(operand);
      return batched ? -count : count;
    };
    const places = [this.#place(value), this.#place(left), this.#place(right)];
    this.#emitPlaced("expect_finite", places, [size(left), size(right), every, 0, elements(value.shape), check]);
  }

  /** A place for what a step computes: its own, the memory of an input that dies there, or new memory. */
  #placeResult(value: Value, inputs: readonly Value[], inPlace: number | null, dies: (value: Value) => boolean): void {
    if (this.#places.has(value)) return;
    const input = inPlace === null ? undefined : inputs[inPlace];
    const taken = input === undefined ? undefined : this.#takeOver(value, input, dies);
    this.#places.set(value, taken ?? this.#temporaryPlace(value));
    this.#temporary.add(value);
  }

  /** The memory of `input` if nobody needs it afterwards. */
  #takeOver(value: Value, input: Value, dies: (value: Value) => boolean): Place | undefined {
    if (value.dtype !== input.dtype || extent(input.shape) !== extent(value.shape)) return undefined;
    const base = this.#base(input);
    if (!dies(base) || !this.#temporary.has(base)) return undefined;
    this.#temporary.delete(base);
    return this.#places.get(base);
  }

  #emitEffect(effect: Effect): void {
    switch (effect.kind) {
      case "log":
        this.#emitPlaced("log_scalar", [this.#place(effect.value)], [effect.column]);
        break;
      case "finite":
        if (!this.#checked.has(effect.value)) this.#checks.push(effect);
        break;
      case "output": {
        const target = this.#outputPlace(effect.value, effect.slab);
        this.#copyUnlessThere(this.#place(effect.value), target, extent(effect.value.shape), "output");
        break;
      }
      case "collect":
        this.#emitCollect(effect);
        break;
      case "assign": {
        const count = elements(effect.value.shape);
        const target = { ...this.#stretch(effect.slab, true, count, "f32"), offset: effect.offset };
        this.#copyUnlessThere(this.#place(effect.value), target, count, "assign");
        break;
      }
      case "clear":
        this.#emitPlaced("fill", [this.#place(effect.accumulator)], [elements(effect.accumulator.shape)], [0]);
        break;
      case "accumulate":
        this.#emitAccumulate(this.#place(effect.accumulator), this.#place(effect.value));
        break;
      case "micro":
        this.#microBegin = this.#instructions.count;
        break;
      case "whole":
        this.#microEnd = this.#instructions.count;
        break;
      case "update":
        this.#emitUpdate(effect);
        break;
    }
  }

  #emitCollect({ value, slab, batch, steps }: Effect & { readonly kind: "collect" }): void {
    const columns = elements(value.shape);
    const count = steps * batch * columns;
    const kept = this.#stretch(slab, true, count, value.dtype);
    this.#emitPlaced("collect", [this.#place(value), kept], [-1, columns, batch, steps]);
  }

  #emitAccumulate(accumulator: Place, value: Place): void {
    const ints = [1, accumulator.count, binaryId("add"), 0, 0];
    this.#emitPlaced("binary", [accumulator, value, accumulator], ints);
  }

  #copyUnlessThere(from: Place, to: Place, count: number, where: string): void {
    if (from.slot === to.slot && from.offset === to.offset) return;
    if (from.dtype !== "f32") throw new CarillonError("ERR_DTYPE", where, "only computed values can be given out");
    this.#emitPlaced("copy", [from, to], [count]);
  }

  #emitUpdate(effect: UpdateEffect): void {
    const { segments, total, states, average, gradientScale } = effect;
    for (const segment of segments) {
      const place = this.#place(segment.gradient);
      this.#copyUnlessThere(place, this.#segmentPlace(effect, segment), place.count, "gradient");
    }
    const flat = (slot: number, offset: number): Place => {
      return { slot, offset, count: total, batched: false, dtype: "f32" };
    };
    const whole = (slab: NativeSlab): Place => flat(this.#views.slot(slab, true), 0);
    const penalty = this.#temporaryPlace(effect.penalty);
    this.#places.set(effect.penalty, penalty);
    const memory = {
      parameters: whole(effect.parameters),
      gradients: flat(0, this.#regions.get(effect) ?? 0),
      states: states.map(whole),
      average: average === null ? null : whole(average.slab),
      gradientScale: gradientScale === null ? null : this.#place(gradientScale),
      penalty,
    };
    this.#emitPlaced("update", ...updateOperands(effect, memory));
  }
}

/** What a plan needs besides its trace. */
export interface PlanOptions {
  readonly maxRows: number;
  readonly bindings: ReadonlyMap<string, Binding>;
  /** Of the epoch's order, where inputs are fed. */
  readonly order?: NativeSlab | undefined;
  readonly replacement?: Replacement | undefined;
}

/** Places and instructions of a trace. */
export function plan(trace: Trace, options: PlanOptions): Plan {
  return new Planner(trace, options).plan();
}

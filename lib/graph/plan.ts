import { type NativeSlab, native, nativeInfo } from "../binding/native.js";
import { CarillonError } from "../errors.js";
import { binaryId, encode, optimizerId } from "../ops/encode.js";
import { type Dtype, elements, extent, isBatched } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import type { Instruction, Value } from "../tensor/value.js";
import { Arena } from "./arena.js";
import { checkedByOperands, type FiniteEffect, type Operands } from "./finite.js";
import { planSteps, type Step } from "./fuse.js";
import type { Effect, Trace, UpdateEffect, UpdateSegment } from "./trace.js";

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

/** Memory of a value. Slot 0 is the arena. */
interface Place {
  readonly slot: number;
  readonly offset: number;
  readonly count: number;
  readonly batched: boolean;
  readonly dtype: Dtype;
}

/** What a native program is made of, apart from its feed and schedules. */
export interface Plan {
  readonly code: Int32Array;
  readonly views: Int32Array;
  readonly slabs: readonly { readonly slab: NativeSlab; readonly writable: boolean }[];
  readonly arenaCount: number;
  /** Slot of the epoch's order, 0 without a feed. */
  readonly orderSlot: number;
  /** Instructions that run once a micro-batch; microEnd 0: all of them, once. */
  readonly microBegin: number;
  readonly microEnd: number;
}

const DTYPES: Readonly<Record<Dtype, number>> = { f32: 0, i32: 1, u8: 2 };
/** Integers of a range of `expect_finite`. */
const RANGE = 3;
/** Constants that every native rule is given; it reads those that it knows. */
const RULE_CONSTANTS = 8;

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

  readonly #arena = new Arena();
  readonly #slots = new Map<NativeSlab, number>();
  readonly #writable = new Set<NativeSlab>();
  readonly #places = new Map<Value, Place>();
  readonly #temporary = new Set<Value>();
  readonly #views: number[] = [];
  readonly #viewIndex = new Map<string, number>();
  readonly #words: number[] = [];
  #instructions = 0;
  #microBegin = 0;
  #microEnd = 0;

  constructor(trace: Trace, maxRows: number, bindings: ReadonlyMap<string, Binding>, order: NativeSlab | undefined) {
    this.#maxRows = maxRows;
    this.#bindings = bindings;
    this.#order = order;
    this.#since = trace.since;
    const bounds = trace.effects.filter(({ effect }) => effect.kind !== "log" && effect.kind !== "output");
    this.#steps = planSteps(
      trace.effects.flatMap(({ effect }) => rootsOf(effect)),
      bounds.map(({ after }) => after),
    );
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
    const slabs = [...this.#slots.keys()].map((slab) => ({ slab, writable: this.#writable.has(slab) }));
    return {
      code: Int32Array.from(this.#words),
      views: Int32Array.from(this.#views),
      slabs,
      arenaCount: this.#arena.size,
      orderSlot: this.#order === undefined ? 0 : (this.#slots.get(this.#order) ?? 0),
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

  #slot(slab: NativeSlab, write: boolean): number {
    if (write) this.#writable.add(slab);
    const known = this.#slots.get(slab);
    if (known !== undefined) return known;
    this.#slots.set(slab, this.#slots.size + 1);
    return this.#slots.size;
  }

  #view({ slot, offset, count, batched, dtype }: Place): number {
    const key = `${slot} ${offset} ${count} ${batched} ${dtype}`;
    const known = this.#viewIndex.get(key);
    if (known !== undefined) return known;
    const index = this.#viewIndex.size;
    this.#views.push(slot, DTYPES[dtype], offset, count, batched ? 1 : 0);
    this.#viewIndex.set(key, index);
    return index;
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

  #outputPlace(value: Value, slab: NativeSlab): Place {
    const { count, batched } = this.#sizeOf(value);
    return { slot: this.#slot(slab, true), offset: 0, count, batched, dtype: value.dtype };
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
      const slot = this.#slot(source.slab, false);
      return { slot, offset: source.offset, count: elements(value.shape), batched: false, dtype: value.dtype };
    }
    // An input older than the trace is another program's, even if this one has an input of its name.
    const own = source.kind === "input" && value.id > this.#since;
    const binding = own ? this.#bindings.get(source.name) : undefined;
    if (binding === undefined) {
      throw new CarillonError("ERR_TRACE", "program", "a value of another program was used in this one");
    }
    const { count, batched } = this.#sizeOf(value);
    if (binding.kind === "direct") {
      return { slot: this.#slot(binding.slab, false), offset: 0, count, batched, dtype: value.dtype };
    }
    return this.#gather(value, binding);
  }

  #gather(value: Value, { slab, dtype, samples, scale }: Binding & { readonly kind: "feed" }): Place {
    if (this.#order === undefined) throw new CarillonError("ERR_TRACE", "program", "a feed without an order");
    const place = this.#temporaryPlace(value);
    this.#temporary.add(value);
    const columns = elements(value.shape);
    const source = { slot: this.#slot(slab, false), offset: 0, count: samples * columns, batched: false, dtype };
    const order: Place = {
      slot: this.#slot(this.#order, true),
      offset: 0,
      count: samples,
      batched: false,
      dtype: "i32",
    };
    this.#emitPlaced("gather", [source, order, place], [-1, columns, samples, DTYPES[dtype]], [scale]);
    return place;
  }

  /** Constants live in a slab each: there are few, and equal tensors are one value. */
  #constant(value: Tensor): Place {
    const slab = native.slabCreate(value.data.length, value.dtype);
    native.slabWrite(slab, 0, value.data);
    return { slot: this.#slot(slab, false), offset: 0, count: value.data.length, batched: false, dtype: value.dtype };
  }

  #release(value: Value): void {
    const place = this.#places.get(value);
    if (place === undefined || !this.#temporary.delete(value)) return;
    this.#arena.free(place.offset);
  }

  #emit(instruction: Instruction): void {
    this.#instructions += 1;
    encode(instruction, (value) => this.#view(this.#place(value)), this.#words);
  }

  /** An instruction over places that belong to no value. */
  #emitPlaced(
    operation: string,
    places: readonly (Place | null)[],
    ints: readonly number[],
    doubles: readonly number[] = [],
  ): void {
    this.#instructions += 1;
    const indices = places.map((place) => (place === null ? -1 : this.#view(place)));
    const words: number[] = [];
    encode({ operation, views: places.map(() => null), ints, doubles }, () => -1, words);
    const HEAD = 4;
    for (const [index, view] of indices.entries()) words[HEAD + index] = view;
    this.#words.push(...words);
  }

  #emitStep(value: Value, step: Step, dies: (value: Value) => boolean): void {
    if (step.lower === null) return;
    for (const input of step.inputs) this.#place(input); // feeds are gathered before they are used
    this.#placeResult(value, step.inputs, step.inPlace, dies);
    if (step.also !== undefined) this.#placeResult(step.also.value, step.inputs, step.also.inPlace, dies);
    this.#emit(step.lower(step.inputs, value));
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
        const target: Place = {
          slot: this.#slot(effect.slab, true),
          offset: effect.offset,
          count,
          batched: false,
          dtype: "f32",
        };
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
        this.#microBegin = this.#instructions;
        break;
      case "whole":
        this.#microEnd = this.#instructions;
        break;
      case "update":
        this.#emitUpdate(effect);
        break;
    }
  }

  #emitCollect({ value, slab, batch, steps }: Effect & { readonly kind: "collect" }): void {
    const columns = elements(value.shape);
    const count = steps * batch * columns;
    const kept: Place = { slot: this.#slot(slab, true), offset: 0, count, batched: false, dtype: value.dtype };
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
    const flat = (slot: number, offset: number): Place => ({
      slot,
      offset,
      count: total,
      batched: false,
      dtype: "f32",
    });
    const whole = (slab: NativeSlab): Place => flat(this.#slot(slab, true), 0);
    const penalty = this.#temporaryPlace(effect.penalty);
    this.#places.set(effect.penalty, penalty);
    const absent = Array.from({ length: nativeInfo.maxStates - states.length }, () => null);
    const constants = Array.from({ length: RULE_CONSTANTS }, (_, index) => effect.constants[index] ?? 0);
    this.#emitPlaced(
      "update",
      [
        whole(effect.parameters),
        flat(0, this.#regions.get(effect) ?? 0),
        ...states.map(whole),
        ...absent,
        average === null ? null : whole(average.slab),
        gradientScale === null ? null : this.#place(gradientScale),
        penalty,
      ],
      [
        optimizerId(effect.rule),
        effect.lane,
        effect.constants.length,
        effect.scalars,
        ...segments.flatMap(({ offset, rows, columns, metric }) => [offset, rows, columns, metric ? 1 : 0]),
      ],
      [...constants, effect.clipValue, average?.decay ?? 0, ...segments.flatMap(factorsOf)],
    );
  }
}

/** Factors of a segment in the order of native/ops/update.cc. */
function factorsOf(segment: UpdateSegment): readonly number[] {
  const { l2, l1, decay, shrink, rateScale, maxNorm, penaltySquares, penaltyAbsolutes } = segment;
  return [l2, l1, decay, shrink, rateScale, maxNorm, penaltySquares, penaltyAbsolutes];
}

/** Values that an effect reads. */
function rootsOf(effect: Effect): readonly Value[] {
  switch (effect.kind) {
    case "update": {
      const gradients = effect.segments.map(({ gradient }) => gradient);
      return effect.gradientScale === null ? gradients : [...gradients, effect.gradientScale];
    }
    case "clear":
    case "micro":
    case "whole":
      return [];
    default:
      return [effect.value];
  }
}

/** Places and instructions of a trace; `order` is the slab of the epoch's order where inputs are fed. */
export function plan(
  trace: Trace,
  maxRows: number,
  bindings: ReadonlyMap<string, Binding>,
  order?: NativeSlab | undefined,
): Plan {
  return new Planner(trace, maxRows, bindings, order).plan();
}

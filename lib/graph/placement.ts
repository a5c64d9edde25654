import { type NativeSlab, native } from "../binding/native.js";
import { CarillonError } from "../errors.js";
import { isNamedPath } from "../tensor/row_spec.js";
import { elements, extent, isBatched } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import type { Value } from "../tensor/value.js";
import { Arena } from "./arena.js";
import type { Binding, Replacement, RowsBinding } from "./binding.js";
import type { Claims, Effect, Emitter, Layout } from "./effect.js";
import type { Item } from "./passes/pass.js";
import { Regions } from "./regions.js";
import { readsOf, type Schedule } from "./schedule.js";
import type { Step } from "./step.js";
import { type Place, Views } from "./views.js";

/** Options of places, besides the schedule. */
export interface PlacementOptions {
  readonly maxRows: number;
  readonly bindings: ReadonlyMap<string, Binding>;
  /** Whether errors name an input; by default as of examples. */
  readonly isNamed?: ((input: string) => boolean) | undefined;
  /** Of the epoch's order, where inputs are fed. */
  readonly order?: NativeSlab | undefined;
  readonly replacement?: Replacement | undefined;
  /** The id of the last value created before the trace. */
  readonly since: number;
}

/** An input whose rows are fetched before an item first reads it. */
export interface Gathered {
  readonly place: Place;
  readonly binding: RowsBinding;
}

/** Where an effect's values stand side by side. */
interface Region {
  readonly begin: number;
  readonly layout: Layout;
}

/** Gives every value of a schedule a place: what effects claim first, everything else in the order of the items. */
export class Placement implements Claims {
  readonly views = new Views();
  readonly #schedule: Schedule;
  readonly #options: PlacementOptions;
  readonly #arena = new Arena();
  readonly #regions = new Regions(this.#arena);
  readonly #places = new Map<Value, Place>();
  /** Values whose memory is free after the last item that reads them. */
  readonly #temporary = new Set<Value>();
  readonly #kept = new Set<Value>();
  readonly #laidOut = new Map<Effect, Region>();
  readonly #gathered = new Map<Item, Gathered[]>();
  readonly #behind = new Map<Value, ((emitter: Emitter) => void)[]>();

  constructor(schedule: Schedule, options: PlacementOptions) {
    this.#schedule = schedule;
    this.#options = options;
    for (const effect of schedule.effects) effect.claim?.(this);
    for (const value of this.#kept) if (!this.#places.has(value)) this.#places.set(value, this.#inArena(value));
    for (const [index, item] of schedule.items.entries()) {
      for (const value of readsOf(item)) this.#find(value, item);
      if ("effect" in item) for (const value of item.effect.writes ?? []) this.#placeTemporary(value);
      else this.#placeResults(item.step, index);
      for (const base of schedule.lastReadBy(index)) this.#release(base);
    }
  }

  /** Elements of the arena. */
  get arenaCount(): number {
    return this.#arena.size;
  }

  // ---- What effects ask

  stepOf(value: Value): Step | undefined {
    return this.#schedule.stepOf(value);
  }

  totalOf(value: Value): number {
    return elements(value.shape) * (isBatched(value.shape) ? this.#options.maxRows : 1);
  }

  computeIn(value: Value, slab: NativeSlab): void {
    const base = this.#schedule.base(value);
    if (!this.#isFree(base)) return;
    this.#places.set(base, { ...this.#inSlab(slab, "write", value), batched: isBatched(value.shape) });
  }

  layOut(effect: Effect, layout: Layout): void {
    const { slab, total, values } = layout;
    const at = this.#schedule.indexOf(effect);
    const own = new Set<Value>(); // a value that is wanted twice lies in one place and is copied to the other
    const parts = values.map(({ value, offset }) => {
      const base = this.#schedule.base(value);
      const computed = this.#isFree(base) && !own.has(base);
      own.add(base);
      const from = computed ? (this.#schedule.writtenAt(base) ?? 0) : at;
      const until = computed ? Math.max(at, this.#schedule.lastReadAt(base) ?? 0) : at;
      return { value, base, computed, lease: { offset, count: elements(value.shape), from, until } };
    });
    const begin = this.#regions.take(
      slab,
      total,
      parts.map(({ lease }) => lease),
    );
    this.#laidOut.set(effect, { begin, layout });
    for (const { value, base, computed, lease } of parts) {
      if (!computed) continue;
      const { offset, count } = lease;
      this.#places.set(base, { slot: 0, offset: begin + offset, count, batched: false, dtype: value.dtype });
    }
  }

  keep(value: Value): void {
    this.#kept.add(value);
  }

  behind(value: Value, emit: (emitter: Emitter) => void): void {
    this.#behind.set(value, [...(this.#behind.get(value) ?? []), emit]);
  }

  // ---- What the emitter asks

  /** The place of a value, or of what it reshapes. */
  placeOf(value: Value): Place {
    const place = this.#places.get(this.#schedule.base(value));
    if (place === undefined) throw foreign();
    return place;
  }

  /** The name of the input that `value` is, under whatever shape, where errors name it. */
  inputNamed(value: Value): string | undefined {
    const { source } = this.#schedule.base(value);
    const { bindings, isNamed = isNamedPath } = this.#options;
    return source.kind === "input" && bindings.has(source.name) && isNamed(source.name) ? source.name : undefined;
  }

  regionOf(effect: Effect): Region {
    const region = this.#laidOut.get(effect);
    if (region === undefined) throw new CarillonError("ERR_TRACE", "program", "an effect has claimed no layout");
    return region;
  }

  /** Inputs that are gathered before an item. */
  gatheredBefore(item: Item): readonly Gathered[] {
    return this.#gathered.get(item) ?? [];
  }

  /** Instructions of effects behind the step of a value. */
  emittedBehind(value: Value): readonly ((emitter: Emitter) => void)[] {
    return this.#behind.get(value) ?? [];
  }

  // ---- Places

  /** Whether nobody has said yet where the value is computed, by a step or by effects. */
  #isFree(base: Value): boolean {
    if (this.#places.has(base)) return false;
    return this.#kept.has(base) || this.#schedule.isComputed(base);
  }

  #inArena(value: Value): Place {
    const offset = this.#arena.take(this.totalOf(value));
    return { slot: 0, offset, count: elements(value.shape), batched: isBatched(value.shape), dtype: value.dtype };
  }

  /** The first elements of a slab, as many as the value has. */
  #inSlab(slab: NativeSlab, access: "read" | "write", { shape, dtype }: Pick<Value, "shape" | "dtype">): Place {
    const slot = this.views.slot(slab, access === "write");
    return { slot, offset: 0, count: elements(shape), batched: false, dtype };
  }

  #release(base: Value): void {
    const place = this.#places.get(base);
    if (place !== undefined && this.#temporary.delete(base)) this.#arena.free(place.offset);
  }

  /** Places of what a step computes: claimed ones, the memory of an input that ends there, or new memory. */
  #placeResults({ lower, inputs, outputs, inPlace }: Step, index: number): void {
    if (lower === null) return;
    for (const [number, output] of outputs.entries()) {
      if (this.#places.has(output)) continue;
      const input = inPlace?.output === number ? inputs[inPlace.input] : undefined;
      const taken = input === undefined ? undefined : this.#takeOver(output, input, index);
      this.#placeTemporary(output, taken);
    }
  }

  #placeTemporary(value: Value, place: Place = this.#inArena(value)): void {
    this.#places.set(value, place);
    this.#temporary.add(value);
  }

  /** The memory of `input` if nobody needs it afterwards. */
  #takeOver(value: Value, input: Value, index: number): Place | undefined {
    if (value.dtype !== input.dtype || extent(input.shape) !== extent(value.shape)) return undefined;
    const base = this.#schedule.base(input);
    if (this.#schedule.lastReadAt(base) !== index || !this.#temporary.delete(base)) return undefined;
    return this.#places.get(base);
  }

  /** Places what an item reads and no step computes. */
  #find(value: Value, item: Item): void {
    const base = this.#schedule.base(value);
    if (!this.#places.has(base)) this.#places.set(base, this.#bind(base, item));
  }

  #bind(value: Value, item: Item): Place {
    const { source, shape, dtype } = value;
    const { replacement, since, bindings } = this.#options;
    if (value instanceof Tensor) return this.#constant(value);
    if (source.kind === "slab") {
      const instead = replacement?.memory(source.slab, source.offset, elements(shape));
      if (instead !== undefined) return this.#inSlab(instead, "read", value);
      return { ...this.#inSlab(source.slab, "read", value), offset: source.offset };
    }
    // An input older than the trace is another program's, even if this one has an input of its name.
    const own = source.kind === "input" && value.id > since;
    const binding = own ? bindings.get(source.name) : undefined;
    if (binding === undefined) throw foreign();
    if (binding.kind === "direct") {
      return { ...this.#inSlab(binding.slab, "read", { shape, dtype }), batched: isBatched(shape) };
    }
    return this.#gather(value, binding, item);
  }

  #gather(value: Value, binding: RowsBinding, item: Item): Place {
    const place = this.#inArena(value);
    this.#temporary.add(value);
    this.#gathered.set(item, [...(this.#gathered.get(item) ?? []), { place, binding }]);
    return place;
  }

  /** Constants live in a slab each: there are few, and equal tensors are one value. */
  #constant(value: Tensor): Place {
    const { attached, dtype } = value;
    const slab = native.slabCreate(attached.length, dtype);
    native.slabWrite(slab, 0, attached);
    return this.#inSlab(slab, "read", value);
  }
}

function foreign(): CarillonError {
  return new CarillonError("ERR_TRACE", "program", "a value of another program was used in this one");
}

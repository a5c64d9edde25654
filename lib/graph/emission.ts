import type { NativeSlab } from "../binding/native.js";
import type { NativeOperation } from "../binding/operations.js";
import { CarillonError } from "../errors.js";
import { elements, extent, isBatched } from "../tensor/shape.js";
import { type Instruction, type NumbersOf, Value, type ViewsOf } from "../tensor/value.js";
import type { ListsBinding } from "./binding.js";
import type { Effect, Emitter, SlabPart } from "./effect.js";
import type { LookedUp } from "./fault.js";
import { Instructions } from "./instructions.js";
import type { Gathered, Placement } from "./placement.js";
import type { Schedule } from "./schedule.js";
import type { Step } from "./step.js";
import type { Place } from "./views.js";

/** Writes the instructions of a schedule whose values have places. */
export class Emission implements Emitter {
  readonly #placement: Placement;
  readonly #order: NativeSlab | undefined;
  readonly #instructions: Instructions;
  readonly #lookedUp = new Map<number, LookedUp>();
  #partsBegin = 0;
  #partsEnd = 0;

  /** @param order Slab of the epoch's order, where inputs are fed. */
  constructor(schedule: Schedule, placement: Placement, order: NativeSlab | undefined) {
    this.#placement = placement;
    this.#order = order;
    this.#instructions = new Instructions(placement.views);
    for (const item of schedule.items) {
      for (const gathered of placement.gatheredBefore(item)) this.#gather(gathered);
      if ("effect" in item) item.effect.emit(this);
      else this.#emitStep(item.value, item.step);
    }
  }

  get words(): Int32Array {
    return this.#instructions.words;
  }

  /** What instructions look up, by their numbers. */
  get lookedUp(): ReadonlyMap<number, LookedUp> {
    return this.#lookedUp;
  }

  /** Instructions that run once for every part of a batch; end 0: all of them, once. */
  get parts(): { readonly begin: number; readonly end: number } {
    return { begin: this.#partsBegin, end: this.#partsEnd };
  }

  stepOf(value: Value): Step | undefined {
    return this.#placement.stepOf(value);
  }

  totalOf(value: Value): number {
    return this.#placement.totalOf(value);
  }

  placeOf(value: Value): Place {
    return this.#placement.placeOf(value);
  }

  memory(slab: NativeSlab, access: "read" | "write", { count, dtype, offset = 0, batched = false }: SlabPart): Place {
    return { slot: this.#placement.views.slot(slab, access === "write"), offset, count, batched, dtype };
  }

  laidOut(effect: Effect): Place {
    const { begin, layout } = this.#placement.regionOf(effect);
    for (const { value, offset } of layout.values) {
      const count = elements(value.shape);
      this.copy(value, { slot: 0, offset: begin + offset, count, batched: false, dtype: "f32" }, "gradient");
    }
    return { slot: 0, offset: begin, count: layout.total, batched: false, dtype: "f32" };
  }

  emit<N extends NativeOperation>(operation: N, views: ViewsOf<N, Place>, numbers: NumbersOf<N>): void {
    this.#instructions.emitPlaced(operation, views, numbers);
  }

  copy(value: Value, to: Place, where: string): void {
    const from = this.placeOf(value);
    if (from.slot === to.slot && from.offset === to.offset) return;
    if (from.dtype === "f32") this.emit("copy", { x: from, y: to }, { count: extent(value.shape) });
    else if (from.dtype === "i32") {
      // All of every row: words are copied whatever they are.
      const count = elements(value.shape);
      const outer = isBatched(value.shape) ? -1 : 1;
      this.emit("slice", { x: from, y: to }, { outer, columns: count, begin: 0, count });
    } else throw new CarillonError("ERR_DTYPE", where, `expected dtype f32 or i32 for '${where}' but received u8`);
  }

  beginParts(): void {
    this.#partsBegin = this.#instructions.count;
  }

  endParts(): void {
    this.#partsEnd = this.#instructions.count;
  }

  #emitStep(value: Value, { lower, inputs, outputs }: Step): void {
    if (lower === null) return;
    const instruction = lower(inputs, outputs);
    const looked = lookedUpBy(instruction);
    if (looked !== undefined) {
      const { value, ...form } = looked;
      this.#lookedUp.set(this.#instructions.count, { input: this.#placement.inputNamed(value), ...form });
    }
    this.#instructions.emit(instruction, (operand) => this.placeOf(operand));
    for (const emit of this.#placement.emittedBehind(value)) emit(this);
  }

  #gather({ place, binding }: Gathered): void {
    if (this.#order === undefined) throw new CarillonError("ERR_TRACE", "program", "a feed without an order");
    const { samples, fed = samples } = binding;
    const order = this.memory(this.#order, "write", { count: fed, dtype: "i32" });
    if (binding.kind === "lists") {
      this.#gatherLists(place, binding, order);
      return;
    }
    const { slab, dtype, scale } = binding;
    const source = this.memory(slab, "read", { count: samples * place.count, dtype });
    const sizes = { rows: -1, columns: place.count, sourceRows: samples };
    this.emit("gather", { source, order, y: place }, { ...sizes, dtype, scale });
  }

  #gatherLists(place: Place, { slab, dtype, bounds: of, width, samples, entries }: ListsBinding, order: Place): void {
    const bounds = this.memory(of, "read", { count: samples + (width === 0 ? 1 : 0), dtype: "i32" });
    const sizes = { rows: -1, sourceRows: samples, width };
    if (slab === undefined) {
      this.emit("gather_ends", { bounds, order, ends: place }, sizes);
      return;
    }
    const source = this.memory(slab, "read", { count: entries, dtype });
    this.emit("gather_lists", { source, bounds, order, y: place }, { ...sizes, entries, room: place.count });
  }
}

/** The integers that an instruction looks up, and how they stand in rows of the batch, and in what it counts as rows. */
function lookedUpBy({
  views,
  numbers,
}: Instruction): (Omit<LookedUp, "input"> & { readonly value: Value }) | undefined {
  const integers =
    "labels" in views
      ? views.labels
      : "ids" in views
        ? views.ids
        : "indices" in views
          ? views.indices
          : "lengths" in views
            ? views.lengths
            : null;
  if (!(integers instanceof Value)) return undefined;
  const isLists = "ends" in views && views.ends instanceof Value;
  const width = "width" in numbers && typeof numbers.width === "number" ? numbers.width : 1;
  return { value: integers, columns: isLists ? undefined : elements(integers.shape.slice(1)), width };
}

import type { NativeSlab } from "../binding/native.js";
import { numberOf } from "../ops/native_table.js";
import type { Dtype } from "../tensor/shape.js";

/** Memory of a value. Slot 0 is the arena. */
export interface Place {
  readonly slot: number;
  readonly offset: number;
  /** Elements; of a batched place, those of a row. */
  readonly count: number;
  readonly batched: boolean;
  readonly dtype: Dtype;
}

/** The slabs of a program by slot, and its table of views, each of which stands in it once. */
export class Views {
  readonly #slots = new Map<NativeSlab, number>();
  readonly #writable = new Set<NativeSlab>();
  readonly #numbers: number[] = [];
  readonly #indices = new Map<string, number>();

  /** The slot of a slab, a new one for a new slab; who has ever asked to write may. */
  slot(slab: NativeSlab, write: boolean): number {
    if (write) this.#writable.add(slab);
    const known = this.#slots.get(slab);
    if (known !== undefined) return known;
    this.#slots.set(slab, this.#slots.size + 1);
    return this.#slots.size;
  }

  /** The slot of a slab, 0 if nothing has asked for one. */
  knownSlot(slab: NativeSlab): number {
    return this.#slots.get(slab) ?? 0;
  }

  /** Index of the view of a place. */
  view({ slot, offset, count, batched, dtype }: Place): number {
    const key = `${slot} ${offset} ${count} ${batched} ${dtype}`;
    const known = this.#indices.get(key);
    if (known !== undefined) return known;
    const index = this.#indices.size;
    this.#numbers.push(slot, numberOf("dtypes", dtype), offset, count, batched ? 1 : 0);
    this.#indices.set(key, index);
    return index;
  }

  /** From slot 1 on. */
  get slabs(): readonly { readonly slab: NativeSlab; readonly writable: boolean }[] {
    return [...this.#slots.keys()].map((slab) => ({ slab, writable: this.#writable.has(slab) }));
  }

  /** The table as native code reads it. */
  get numbers(): Float64Array {
    return Float64Array.from(this.#numbers);
  }
}

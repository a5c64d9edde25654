import type { NativeSlab } from "../binding/native.js";
import type { Arena } from "./arena.js";

/** Elements of a region, and the items of the schedule from which and until which they are somebody's. */
export interface Lease {
  readonly offset: number;
  readonly count: number;
  readonly from: number;
  readonly until: number;
}

interface Region {
  readonly begin: number;
  readonly total: number;
  readonly leases: Lease[];
}

const clash = (a: Lease, b: Lease): boolean =>
  a.offset < b.offset + b.count && b.offset < a.offset + a.count && a.from <= b.until && b.from <= a.until;

/**
 * Stretches of the arena in the layout of a slab, for gradients: the updates of a slab share one, as each looks at its own
 * elements. Another is taken only where one update's gradients would be overwritten before they are used.
 */
export class Regions {
  readonly #arena: Arena;
  readonly #regions = new Map<NativeSlab, Region[]>();

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** Offset in the arena of the region of `slab`, of `total` elements, where `leases` are free; now they are taken. */
  take(slab: NativeSlab, total: number, leases: readonly Lease[]): number {
    const known = this.#regions.get(slab) ?? [];
    const free = known.find(
      (region) =>
        region.total >= total && !region.leases.some((taken) => leases.some((wanted) => clash(taken, wanted))),
    );
    const region = free ?? { begin: this.#arena.take(total), total, leases: [] };
    region.leases.push(...leases);
    if (free === undefined) this.#regions.set(slab, [...known, region]);
    return region.begin;
  }
}

import type { NativeSlab } from "../binding/native.js";
import { Emission } from "./emission.js";
import type { LookedUp } from "./fault.js";
import { Placement, type PlacementOptions } from "./placement.js";
import { scheduleOf } from "./schedule.js";
import type { Trace } from "./trace.js";

/** The parts of a native program, apart from its feed and schedules. */
export interface Plan {
  readonly code: Int32Array;
  readonly views: Float64Array;
  readonly slabs: readonly { readonly slab: NativeSlab; readonly writable: boolean }[];
  readonly arenaCount: number;
  /** What instructions look up, by their numbers. */
  readonly lookedUp: ReadonlyMap<number, LookedUp>;
  /** Slot of the epoch's order, 0 without a feed. */
  readonly orderSlot: number;
  /** Instructions that run once a micro-batch; microEnd 0: all of them, once. */
  readonly microBegin: number;
  readonly microEnd: number;
}

/** Options of a plan, besides its trace. */
export type PlanOptions = Omit<PlacementOptions, "since">;

/** Places and instructions of a trace: its values and effects are put in order and fused, then placed, then written. */
export function plan(trace: Trace, options: PlanOptions): Plan {
  return atOnce(planInPieces(trace, options));
}

/** The same one piece at each `next`: where this code runs for the first time it takes some milliseconds. */
export function* planInPieces(trace: Trace, options: PlanOptions): Generator<void, Plan> {
  const { order, replacement } = options;
  const schedule = scheduleOf(trace, replacement);
  yield;
  const placement = new Placement(schedule, { ...options, since: trace.since });
  yield;
  const { words, lookedUp, parts } = new Emission(schedule, placement, order);
  const { views, arenaCount } = placement;
  return {
    code: words,
    views: views.numbers,
    slabs: views.slabs,
    arenaCount,
    lookedUp,
    orderSlot: order === undefined ? 0 : views.knownSlot(order),
    microBegin: parts.begin,
    microEnd: parts.end,
  };
}

/** Does work in pieces at once, and gives its result. */
export function atOnce<T>(pieces: Generator<void, T>): T {
  for (;;) {
    const { done, value } = pieces.next();
    if (done === true) return value;
  }
}

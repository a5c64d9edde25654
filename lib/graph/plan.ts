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
  /** Slot of the rows of the feed, 0 where they are all rows. */
  readonly rowsSlot: number;
  /** Instructions that run once a micro-batch; microEnd 0: all of them, once. */
  readonly microBegin: number;
  readonly microEnd: number;
}

/** Options of a plan, besides its trace. */
export interface PlanOptions extends Omit<PlacementOptions, "since"> {
  /** Numbers of the rows of a feed in its set. */
  readonly rows?: NativeSlab | undefined;
}

/**
 * Places and instructions of a trace: its values and effects are put in order and fused, then placed, then written; one piece at each `next`, as
 * it takes some milliseconds where this code runs for the first time.
 */
export function* planInPieces(trace: Trace, options: PlanOptions): Generator<void, Plan> {
  const { order, rows, replacement } = options;
  const schedule = scheduleOf(trace, replacement);
  yield;
  const placement = new Placement(schedule, { ...options, since: trace.since });
  yield;
  const { words, lookedUp, parts } = new Emission(schedule, placement, order);
  const { views, arenaCount } = placement;
  const isFed = order !== undefined && views.knownSlot(order) !== 0;
  const rowsSlot = isFed && rows !== undefined ? views.slot(rows, false) : 0;
  return {
    code: words,
    views: views.numbers,
    slabs: views.slabs,
    arenaCount,
    lookedUp,
    orderSlot: order === undefined ? 0 : views.knownSlot(order),
    rowsSlot,
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

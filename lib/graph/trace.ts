import { CarillonError } from "../errors.js";
import { lastValueId } from "../tensor/value.js";
import type { Effect } from "./effect.js";
import type { Lane, LaneUpdate } from "./lane.js";
import type { UpdateCounter } from "./update_counter.js";

/** A program while it is traced: its effects, and the count of places that draw. */
export class Trace {
  readonly seed: number;
  readonly training: boolean;
  /** The id of the last value created before this trace. */
  readonly since: number = lastValueId();
  /** With the id of the last value created before each: later values come after it. */
  readonly effects: { readonly after: number; readonly effect: Effect }[] = [];
  /** Calls before a first step: weights that nobody has looked at have to be drawn. */
  readonly first = new Set<() => void>();
  /** Calls that record the end of a step, made by {@link end}. */
  readonly last = new Set<() => void>();
  readonly #lanes: Lane[] = [];
  readonly #updates = new Map<UpdateCounter, number>();
  #sites = 0;
  #needed = { by: "", rows: 0 };

  constructor(seed: number, training: boolean) {
    this.seed = seed;
    this.training = training;
  }

  /** Records what happens at this place of the source. */
  add(effect: Effect): void {
    this.effects.push({ after: lastValueId(), effect });
  }

  /** Records what a step ends with; a trace that nobody ends changes nothing of it. */
  end(): void {
    for (const record of this.last) record();
    this.last.clear();
  }

  /** Reserves values that change from step to step and are uploaded for the steps of a call. */
  lane(rate: Lane["rate"], update: LaneUpdate | null = null, scales = true): Lane {
    const lane = { first: this.laneCount, rate, update, scales, count: 1 + (update?.scalars?.(0).length ?? 0) };
    this.#lanes.push(lane);
    return lane;
  }

  get lanes(): readonly Lane[] {
    return this.#lanes;
  }

  /** Values a step. */
  get laneCount(): number {
    return this.#lanes.reduce((total, { count }) => total + count, 0);
  }

  /** The place of a counter's next update among those of a step, from 1. */
  nextUpdate(counter: UpdateCounter): number {
    const place = (this.#updates.get(counter) ?? 0) + 1;
    this.#updates.set(counter, place);
    return place;
  }

  /** Updates of a step by counter. */
  get updates(): ReadonlyMap<UpdateCounter, number> {
    return this.#updates;
  }

  /** Notes that what is recorded by somebody of that name makes no sense of fewer rows. */
  needRows(by: string, rows: number): void {
    if (rows > this.#needed.rows) this.#needed = { by, rows };
  }

  /** The most rows that anybody needs, and who does. */
  get needed(): { readonly by: string; readonly rows: number } {
    return this.#needed;
  }

  /** The next place that draws random numbers. */
  nextSite(): number {
    this.#sites += 1;
    return this.#sites - 1;
  }
}

const open: Trace[] = [];

/** Runs `body` with `trace` as the one that records. */
export function tracing<R>(trace: Trace, body: () => R): R {
  open.push(trace);
  try {
    return body();
  } finally {
    open.pop();
  }
}

/** The trace of whatever is recorded now, if anything is. */
export function tracingNow(): Trace | undefined {
  return open.at(-1);
}

/** The trace that records now; `ERR_TRACE` outside of a program. */
export function currentTrace(where: string): Trace {
  const trace = open.at(-1);
  if (trace === undefined) {
    throw new CarillonError("ERR_TRACE", where, `'${where}' works inside the body of a program only`);
  }
  return trace;
}

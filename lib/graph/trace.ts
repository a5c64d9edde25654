import type { NativeSlab } from "../binding/native.js";
import { CarillonError } from "../errors.js";
import { lastValueId, type Value } from "../tensor/value.js";

/** Parameters that one update rule changes in one pass: a stretch of a slab each. */
export interface UpdateSegment {
  readonly offset: number;
  readonly count: number;
  readonly gradient: Value;
  /** λ of L2. */
  readonly l2: number;
  /** Factor of the learning rate. */
  readonly rateScale: number;
}

/** What a program does besides computing values, in the order of the source. */
export type Effect =
  | {
      readonly kind: "update";
      readonly rule: string;
      readonly constants: readonly number[];
      /** Index of the schedule value that is the rate. */
      readonly lane: number;
      readonly parameters: NativeSlab;
      readonly states: readonly NativeSlab[];
      /** Elements of the parameter slab. */
      readonly total: number;
      readonly segments: readonly UpdateSegment[];
      /** Receives Σ (λ/2)·Σ θ² before the update. */
      readonly penalty: Value;
    }
  | { readonly kind: "log"; readonly value: Value; readonly column: number }
  | { readonly kind: "output"; readonly value: Value; readonly slab: NativeSlab };

/** A learning rate, or a function of the step that gives it. */
export type Rate = (at: { readonly step: number; readonly steps: number; readonly epoch: number }) => number;

/** What happens while a program is traced: its effects, and the count of places that draw. */
export class Trace {
  readonly seed: number;
  readonly training: boolean;
  /** The id of the last value created before this trace. */
  readonly since: number = lastValueId();
  /** With the id of the last value created before each: later values come after it. */
  readonly effects: { readonly after: number; readonly effect: Effect }[] = [];
  readonly #rates: Rate[] = [];
  #sites = 0;

  constructor(seed: number, training: boolean) {
    this.seed = seed;
    this.training = training;
  }

  /** Records what happens at this place of the source. */
  add(effect: Effect): void {
    this.effects.push({ after: lastValueId(), effect });
  }

  /** The number of a value that changes from step to step and is uploaded for the steps of a call. */
  lane(rate: Rate): number {
    this.#rates.push(rate);
    return this.#rates.length - 1;
  }

  /** One function a lane. */
  get rates(): readonly Rate[] {
    return this.#rates;
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

/** The trace that records now; `ERR_TRACE` outside of a program. */
export function currentTrace(where: string): Trace {
  const trace = open.at(-1);
  if (trace === undefined) {
    throw new CarillonError("ERR_TRACE", where, `'${where}' works inside the body of a program only`);
  }
  return trace;
}

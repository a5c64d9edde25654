// Looks at the clock in a run.
import type { Callback, Decision } from "../../lib/index.js";

/** Milliseconds between two looks: far above the clock's resolution and the cost of a callback. */
const STRETCH = 20;

/** Steps that take so long together. */
export const stepsOfStretch = (microseconds: number): number => Math.max(1, Math.ceil((STRETCH * 1000) / microseconds));

/** µs a step, one figure a stretch of `every` steps; what comes up to step `begin`, a multiple of that, warms up. */
export class Clock implements Callback {
  readonly name = "clock";
  readonly every: { readonly steps: number };
  readonly times: number[] = [];
  /** The mean of the epoch under way, at the last look. */
  loss = Number.NaN;
  readonly #begin: number;
  #last = Number.NaN;

  constructor(every: number, begin: number) {
    this.every = { steps: every };
    this.#begin = begin;
  }

  decide(at: Decision): void {
    const now = performance.now();
    if (at.step > this.#begin) this.times.push(((now - this.#last) * 1000) / this.every.steps);
    this.#last = now;
    this.loss = at.loss;
  }
}

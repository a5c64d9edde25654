import { now } from "../binding/clock.js";
import type { Brake } from "../nn/brake.js";

const MILLISECONDS = 1000;

/** How fast a run goes, as its events tell. */
export interface PaceFigures {
  readonly seconds: number;
  readonly examplesPerSecond: number;
  readonly secondsLeft: number;
}

/** The clock of a run: it stands still while the run is paused. */
export class Pace {
  readonly #brake: Brake;
  readonly #started = now();
  readonly #before: number;
  #examples = 0;

  constructor(brake: Brake) {
    this.#brake = brake;
    this.#before = brake.waited;
  }

  /** Counts examples that were trained on. */
  count(examples: number): void {
    this.#examples += examples;
  }

  get seconds(): number {
    return (now() - this.#started - (this.#brake.waited - this.#before)) / MILLISECONDS;
  }

  /** After `done` steps, with `left` to go. */
  figures(done: number, left: number): PaceFigures {
    const { seconds } = this;
    return { seconds, examplesPerSecond: this.#examples / seconds, secondsLeft: (seconds / done) * left };
  }
}

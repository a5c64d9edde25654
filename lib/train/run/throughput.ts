import { now } from "../../binding/clock.js";
import type { RunControl } from "../../nn/evaluation/run_control.js";

const MILLISECONDS = 1000;

/** How fast a run goes, as its events tell. */
export interface ThroughputFigures {
  readonly seconds: number;
  readonly examplesPerSecond: number;
  readonly secondsLeft: number;
}

/** The clock of a run: it stands still while the run is paused. */
export class Throughput {
  readonly #control: RunControl;
  readonly #started = now();
  readonly #before: number;
  /** Seconds before the first step that were no training: a stream was read again up to where the run goes on. */
  #forward = 0;
  #examples = 0;

  constructor(control: RunControl) {
    this.#control = control;
    this.#before = control.waited;
  }

  /** Leaves out the time so far, which was no training. */
  begin(): void {
    this.#forward = this.seconds;
  }

  /** Counts examples that were trained on. */
  count(examples: number): void {
    this.#examples += examples;
  }

  get seconds(): number {
    return (now() - this.#started - (this.#control.waited - this.#before)) / MILLISECONDS;
  }

  /** After `done` steps, with `left` to go. */
  figures(done: number, left: number): ThroughputFigures {
    const { seconds } = this;
    const trained = seconds - this.#forward;
    return { seconds, examplesPerSecond: this.#examples / trained, secondsLeft: (trained / done) * left };
  }
}

import type { BoundExamples } from "../../data/bind.js";
import { commonTurns } from "../../data/turns.js";
import type { Effort } from "../../graph/compiled.js";
import type { Caller } from "./caller.js";
import type { RunControl } from "./run_control.js";

/** Steps to run at once, and the rows of the last one where a stream ends (0: as many as the feed has). */
export interface CallSteps {
  readonly firstStep: number;
  readonly steps: number;
  readonly rows: number;
}

/** Passes over bound examples in their order, in stretches of at most `callSteps` steps. */
export class Passes {
  readonly #examples: BoundExamples;
  readonly #batch: number;
  readonly #callSteps: number;
  #begun = 0;

  constructor(examples: BoundExamples, batch: number, callSteps: number) {
    this.#examples = examples;
    this.#batch = batch;
    this.#callSteps = callSteps;
  }

  #next(): Iterable<CallSteps> | AsyncIterable<CallSteps> {
    this.#begun += 1;
    return this.#examples.stream === undefined ? this.#calls() : this.#blocks(this.#begun);
  }

  /**
   * Runs a pass; `take` is told of the steps that a call has finished, and of the first of them. False if the control stopped it; rejects if
   * the control's signal was aborted.
   */
  async run(
    control: RunControl,
    caller: Caller,
    effort: Effort,
    take: (firstStep: number, finished: number) => void,
  ): Promise<boolean> {
    const off = control.onInterrupt(() => {
      if (control.ended) this.#examples.stream?.stop(); // wakes who waits for it
    });
    try {
      for await (const { firstStep, steps, rows } of this.#next()) {
        for (let done = 0; done < steps; ) {
          if (commonTurns.over) await commonTurns.next();
          while (!control.free) if (!(await control.passable())) return false;
          const range = { firstStep: firstStep + done, steps: steps - done, rows, ...effort };
          const { steps: finished } = await caller.run(control, range);
          take(range.firstStep, finished);
          done += finished;
        }
      }
      // A stream that is stopped looks like one that is over.
      return !control.ended || (await control.passable());
    } finally {
      off();
    }
  }

  *#calls(): Generator<CallSteps> {
    const steps = Math.ceil(this.#examples.samples / this.#batch);
    for (let firstStep = 1; firstStep <= steps; firstStep += this.#callSteps) {
      yield { firstStep, steps: Math.min(this.#callSteps, steps - firstStep + 1), rows: 0 };
    }
  }

  async *#blocks(epoch: number): AsyncGenerator<CallSteps> {
    const { stream } = this.#examples;
    stream?.start({ seed: 0, step: 0, epoch, rows: 0, epochs: epoch, steps: Number.POSITIVE_INFINITY });
    for (let done = 0; ; ) {
      const block = await stream?.next();
      if (block === undefined) return;
      for (let first = 0; first < block.steps; first += this.#callSteps) {
        const steps = Math.min(this.#callSteps, block.steps - first);
        const last = first + steps === block.steps;
        yield { firstStep: done + first + 1, steps, rows: last ? block.lastRows : 0 };
      }
      if (block.endsEpoch) return;
      done += block.steps;
    }
  }
}

import type { BoundExamples } from "../data/bind.js";

/** Steps to run at once, and the rows of the last one where a stream ends (0: as many as the feed has). */
export interface Stretch {
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

  /** The next pass; cut short by {@link stop}. */
  next(): Iterable<Stretch> | AsyncIterable<Stretch> {
    this.#begun += 1;
    return this.#examples.stream === undefined ? this.#stretches() : this.#blocks(this.#begun);
  }

  /** Ends a pass that waits for a stream. */
  stop(): void {
    this.#examples.stream?.stop();
  }

  *#stretches(): Generator<Stretch> {
    const steps = Math.ceil(this.#examples.samples / this.#batch);
    for (let firstStep = 1; firstStep <= steps; firstStep += this.#callSteps) {
      yield { firstStep, steps: Math.min(this.#callSteps, steps - firstStep + 1), rows: 0 };
    }
  }

  async *#blocks(epoch: number): AsyncGenerator<Stretch> {
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

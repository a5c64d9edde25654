// The time and the memory of one whole step of ours on a table.
import { native } from "../../lib/binding/native.js";
import { crossEntropy, fit } from "../../lib/index.js";
import { collected } from "../../test/collected.js";
import { median } from "../report.js";
import { Clock, stepsOfStretch } from "../train/clock.js";
import { type Case, examplesOf, modelOf, optimizerOf, statesOf, titleOf, type Way } from "./cases.js";

/** Bytes of a float, and of an integer. */
const BYTES = 4;

/** Notes how much native memory there is while a run works. */
class MemoryCallback {
  readonly name = "memory";
  readonly every = { steps: 1 };
  bytes = 0;
  decide(): void {
    this.bytes = Math.max(this.bytes, native.memory().bytes);
  }
}

/** A step as `fit` does it: gather the batch, look up, cross-entropy, backward, update, and its share of shuffling and JavaScript. */
export class TableStep {
  readonly #case: Case;
  readonly #examples: ReturnType<typeof examplesOf>;
  readonly #threads: number;
  readonly #model: ReturnType<typeof modelOf>;
  #guess = Number.NaN;

  /** Turns train one model, as the memory of a large one takes a while to be there. */
  constructor(of: Case, way: Way, threads: number) {
    this.#case = of;
    this.#examples = examplesOf(of.table);
    this.#threads = threads;
    this.#model = modelOf(of, way);
    this.#model.initialize(0);
  }

  /** µs a step: the median over stretches of a run that takes about `seconds`. */
  async measure(seconds: number): Promise<number> {
    if (Number.isNaN(this.#guess)) this.#guess = median(await this.#stretches(2, 3));
    const every = stepsOfStretch(this.#guess);
    this.#guess = median(
      await this.#stretches(every, Math.max(2, Math.round((seconds * 1e6) / (every * this.#guess)))),
    );
    return this.#guess;
  }

  /**
   * Bytes of a run besides the table, the states of its optimizer and the examples: activations, gradients, lists. What cases before it have
   * left is collected first, as it would be freed meanwhile.
   */
  async bytes(): Promise<number> {
    const { table } = this.#case;
    const memory = new MemoryCallback();
    await collected();
    const before = native.memory().bytes;
    await this.#fit(2, [memory]);
    const states = statesOf(this.#case) * table.count * table.size * BYTES;
    const examples = table.examples * (table.words + 2) * BYTES; // numbers, labels, and the order of an epoch
    return memory.bytes - before - states - examples;
  }

  async #stretches(every: number, count: number): Promise<readonly number[]> {
    const { table } = this.#case;
    const begin = Math.ceil(4 / every) * every;
    const clock = new Clock(every, begin);
    const steps = begin + every * count;
    await this.#fit(steps, [clock]);
    if (steps * table.batch > 2 * table.examples && !(clock.loss < Math.log(table.size))) {
      throw new Error(`${titleOf(this.#case)} does not learn: the loss is ${clock.loss}`);
    }
    return clock.times;
  }

  async #fit(steps: number, callbacks: readonly (Clock | MemoryCallback)[]): Promise<void> {
    await fit(this.#model, {
      data: this.#examples,
      loss: crossEntropy(),
      optimizer: optimizerOf(this.#case),
      batchSize: this.#case.table.batch,
      steps,
      threads: this.#threads,
      callbacks,
    });
  }
}

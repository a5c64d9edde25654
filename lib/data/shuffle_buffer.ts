import { CarillonError, isPromise } from "../errors.js";
import { drawBelow } from "../tensor/draw_below.js";
import type { Key } from "../tensor/philox.js";
import type { ExampleReader } from "./example_reader.js";
import type { ClassFactors } from "./measure.js";
import { type RowLayout, RowStore } from "./row_store.js";
import { END, type Pass } from "./stream.js";
import type { UnitsOfRows } from "./transform.js";
import type { Turns } from "./turns.js";

/** Purpose word of the draws from a shuffle buffer. */
const PURPOSE = 7;

/** Memory for `capacity` examples, to be used for one pass after another; `ERR_OPTION` if there is not so much. */
export function shuffleMemory(capacity: number, layout: RowLayout): RowStore {
  try {
    return new RowStore(capacity, layout);
  } catch (cause) {
    const bytes = capacity * RowStore.bytesOf(layout);
    const message = `expected a 'dataset.shuffleBuffer' that fits into memory but received ${capacity}: ${bytes} bytes`;
    throw new CarillonError("ERR_OPTION", "dataset.shuffleBuffer", message, { cause });
  }
}

/** Options of the shuffle buffer of one pass over a stream. */
export interface ShuffleOptions {
  /** Examples in the buffer, ≥ 1; with 1 the order stays. */
  readonly capacity: number;
  /** Memory for as many; it must be nobody else's meanwhile. */
  readonly store: RowStore;
  readonly key: Key;
  /** From 1. */
  readonly epoch: number;
  readonly units: UnitsOfRows;
  readonly classFactors: ClassFactors;
}

/**
 * The first `capacity` examples of a pass; each next one is drawn uniformly from them, the last one in the buffer takes its
 * place, and a new one from the source goes to the end. The draw of the example at `place` of epoch e is a function of
 * (seed, e, place), so that a resumed run draws what the run before it drew.
 */
export class ShuffleBuffer {
  readonly #pass: Pass;
  readonly #reader: ExampleReader;
  readonly #options: ShuffleOptions;
  readonly #store: RowStore;
  #size = 0;
  #place = 0;
  #ended = false;

  /** `reader` may hold an item that was read before. */
  constructor(pass: Pass, reader: ExampleReader, options: ShuffleOptions) {
    this.#pass = pass;
    this.#reader = reader;
    this.#options = options;
    this.#store = options.store;
  }

  /** True when the pass has no more examples; known after {@link fill}. */
  get empty(): boolean {
    return this.#size === 0;
  }

  /** Reads until the buffer is full or the source ends; `undefined` if nothing had to be waited for. */
  fill(turns: Turns): Promise<void> | undefined {
    while (this.wanting) {
      const pending = turns.over ? turns.next() : this.#advance();
      if (pending !== undefined) return this.#fillOn(turns, pending);
    }
    return undefined;
  }

  /** Moves the next example to row `to` of `target`, or drops it. Call {@link fill} before. */
  draw(target?: RowStore, to = 0): void {
    const { key, epoch } = this.#options;
    const chosen = this.#size === 1 ? 0 : drawBelow(this.#size, this.#place, PURPOSE, key, epoch);
    target?.copy(this.#store, chosen, to);
    this.#size -= 1;
    if (chosen !== this.#size) this.#store.copy(this.#store, this.#size, chosen);
    this.#place += 1;
  }

  async #fillOn(turns: Turns, pending: Promise<void>): Promise<void> {
    await pending;
    while (this.wanting) {
      const next = turns.over ? turns.next() : this.#advance();
      if (next !== undefined) await next;
    }
  }

  /** Whether {@link fill} will read, and so see to the turns of the event loop itself. */
  get wanting(): boolean {
    return this.#size < this.#options.capacity && (this.#reader.left > 0 || !this.#ended);
  }

  /** Takes a row of the item in hand, or the next item. */
  #advance(): Promise<void> | undefined {
    if (this.#reader.left > 0) {
      this.#read();
      return undefined;
    }
    const item = this.#pass.next();
    if (isPromise(item)) return Promise.resolve(item).then((given) => this.#begin(given));
    this.#begin(item);
    return undefined;
  }

  #begin(item: unknown): void {
    if (item === END) this.#ended = true;
    else {
      this.#reader.begin(item);
      this.#read(); // at once: of a single example no copy is made
    }
  }

  #read(): void {
    const { units, classFactors } = this.#options;
    this.#reader.read(this.#store, this.#size, units, classFactors);
    this.#size += 1;
  }
}

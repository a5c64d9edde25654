import type { StreamFeed } from "../../data/stream_feed.js";
import type { Affine } from "../../data/transform.js";
import { CarillonError } from "../../errors.js";
import type { FeedOrigin } from "../../graph/compiled.js";
import type { KeptLanes } from "../../nn/evaluation/carried.js";
import type { InWords } from "../../nn/meaning/meaning_words.js";

/** A step is a word of 32 bits in the counters of random numbers, from 1. */
export const MOST_STEPS = 0xffff_ffff;

/** `ERR_OPTION` unless a run may have so many steps. */
export function checkSteps(where: string, steps: number): void {
  if (steps <= MOST_STEPS) return;
  const reason = "as steps are counted in 32 bits: train in several runs";
  throw new CarillonError(
    "ERR_OPTION",
    where,
    `expected at most ${MOST_STEPS} steps for '${where}' but received ${steps}, ${reason}`,
  );
}

/** Where in its epochs a run over a stream stands: a part of its checkpoints. */
export interface StreamProgress {
  /** The epoch of the last step, from 1; 0 before the first. */
  readonly epoch: number;
  /** First step of that epoch. */
  readonly begin: number;
  /** Whether the last step ended it. */
  readonly ended: boolean;
  readonly shuffleBuffer: number;
}

/** The place in the data that a checkpoint keeps. */
export interface DataProgress {
  /** `null` for data in memory. */
  readonly stream: StreamProgress | null;
  /** Where the epochs of data in memory are counted from, if other data was taken on the way. */
  readonly origin?: FeedOrigin | undefined;
  /** Fitted on the data of the first run. */
  readonly transforms: Readonly<Partial<Record<"inputs" | "targets", InWords<Affine> | undefined>>>;
  /** Names of the classes; absent or `null` if they have none. */
  readonly classes?: InWords<readonly string[]> | null | undefined;
  /** What layers have kept of the lanes of windows that go on from one another. */
  readonly lanes?: KeptLanes | undefined;
}

/** Steps that can be run at once. */
export interface Ready {
  readonly steps: number;
  /** Rows of the last one, where a stream ends early; 0: as many as the program's feed has. */
  readonly lastRows: number;
}

/** How a run goes through its data: where epochs begin and end, and which steps can be run now. */
export interface Epochs {
  /** Rows of the set, steps of an epoch and of the run, as far as they are known. */
  readonly samples: number | undefined;
  readonly stepsPerEpoch: number | undefined;
  readonly steps: number | undefined;
  /** Of a step that is done, or in hand. */
  epochOf(step: number): number;
  begins(step: number): boolean;
  /** Whether this step is the last of an epoch, or of the run. */
  ends(step: number): boolean;
  /** Whether this step completes a number of epochs that `period` divides. */
  completes(step: number, period: number): boolean;
  /** Whether the epoch of a step that is done is over, be it that other data has cut it off. */
  isWhole(step: number): boolean;
  /** A step behind `step` at which {@link completes} will hold, if it is known. */
  nextCompletion(step: number, period: number): number;
  over(step: number): boolean;
  /** Steps left behind `step`, estimated for a stream. */
  left(step: number): number;
  /** Makes at least one step behind `step` ready, or none where the run is to end. */
  ready(step: number): Promise<Ready>;
  /** Of the last step done; `null` for data in memory. */
  progressAt(step: number): StreamProgress | null;
  /** Numbers of the examples of a step in hand in their epoch, from 0, in the order of the source; `undefined` for data in memory. */
  examplesOf(step: number, batch: number): Float64Array | undefined;
  /** Wakes who waits in {@link ready}. */
  stop(): void;
  close(): Promise<void>;
}

/** Where a run takes other data than before. */
export interface Turning {
  /** Where the epochs of the data that it has now are counted from; `undefined`: from the beginning. */
  readonly origin: FeedOrigin | undefined;
  /** Whether that has cut an epoch off: it is over without having ended. */
  readonly cut: boolean;
}

/** No other data. */
export const NO_TURNING: Turning = { origin: undefined, cut: false };

/** Sizes of {@link MemoryEpochs}. */
export interface MemoryEpochsOptions {
  readonly samples: number;
  readonly batch: number;
  readonly epochs: number | undefined;
  readonly limit: number | undefined;
  /** Makes the order of an epoch, from 1, before its first step, or the next one, is done: then no steps of two epochs are ready together. */
  readonly begin?: ((epoch: number) => void) | undefined;
}

/** The epochs through examples in memory. */
export class MemoryEpochs implements Epochs {
  readonly samples: number;
  readonly stepsPerEpoch: number;
  readonly steps: number;
  readonly #origin: FeedOrigin;
  readonly #cut: boolean;
  readonly #begin: ((epoch: number) => void) | undefined;
  /** The epoch whose order was made. */
  #ordered = 0;

  constructor({ samples, batch, epochs, limit, begin }: MemoryEpochsOptions, { origin, cut }: Turning) {
    this.#begin = begin;
    this.#origin = origin ?? { step: 0, epoch: 0 };
    this.#cut = cut;
    this.samples = samples;
    this.stepsPerEpoch = Math.ceil(samples / batch);
    const left = Math.max(0, (epochs ?? Number.POSITIVE_INFINITY) - this.#origin.epoch);
    this.steps = Math.min(this.#origin.step + left * this.stepsPerEpoch, limit ?? Number.POSITIVE_INFINITY);
  }

  epochOf(step: number): number {
    return this.#origin.epoch + Math.ceil((step - this.#origin.step) / this.stepsPerEpoch);
  }

  begins(step: number): boolean {
    return (step - 1 - this.#origin.step) % this.stepsPerEpoch === 0;
  }

  ends(step: number): boolean {
    return this.completes(step, 1) || step === this.steps;
  }

  completes(step: number, period: number): boolean {
    if (this.#cut && step === this.#origin.step) return false;
    return this.isWhole(step) && this.epochOf(step) % period === 0;
  }

  isWhole(step: number): boolean {
    return (step - this.#origin.step) % this.stepsPerEpoch === 0;
  }

  nextCompletion(step: number, period: number): number {
    const { step: begin, epoch } = this.#origin;
    const done = epoch + Math.floor((step - begin) / this.stepsPerEpoch);
    return begin + ((Math.floor(done / period) + 1) * period - epoch) * this.stepsPerEpoch;
  }

  over(step: number): boolean {
    return step >= this.steps;
  }

  left(step: number): number {
    return this.steps - step;
  }

  progressAt(): null {
    return null;
  }

  ready(step: number): Promise<Ready> {
    const left = this.steps - step;
    if (this.#begin === undefined || left <= 0) return Promise.resolve({ steps: left, lastRows: 0 });
    const epoch = this.epochOf(step + 1);
    if (epoch !== this.#ordered) this.#begin(epoch);
    this.#ordered = epoch;
    return Promise.resolve({ steps: Math.min(left, this.nextCompletion(step, 1) - step), lastRows: 0 });
  }

  examplesOf(): undefined {
    return undefined;
  }

  stop(): void {
    // nobody waits
  }

  close(): Promise<void> {
    return Promise.resolve(); // nothing is open
  }
}

/** Options of {@link StreamEpochs}. */
export interface StreamEpochsOptions {
  readonly seed: number;
  readonly batch: number;
  readonly epochs: number | undefined;
  readonly limit: number | undefined;
  readonly shuffleBuffer: number;
  /** Whether there are steps to come. */
  readonly reads: boolean;
  /** Whether other data has cut off the epoch that is over: see {@link Turning}. */
  readonly cut: boolean;
}

type Feed = Pick<StreamFeed, "start" | "next" | "stop" | "close" | "examplesOf">;

/** The epochs through a stream, whose epochs end where they end. */
export class StreamEpochs implements Epochs {
  readonly samples = undefined;
  readonly stepsPerEpoch = undefined;
  readonly steps: number | undefined;
  readonly #feed: Feed;
  readonly #epochs: number;
  readonly #shuffleBuffer: number;
  #epoch = 0;
  #begin = 1;
  /** Where the epoch before stood at its end: what counts until the first step of this one is done. */
  #passed: Pick<StreamProgress, "epoch" | "begin"> = { epoch: 0, begin: 1 };
  /** Last step of the block in native memory, and the rows of that. */
  #last: number;
  #lastRows = 0;
  #ended = true;
  /** Step behind which an epoch was cut off. */
  readonly #cut: number | undefined;

  /** Begins to read at once, behind `step`. */
  constructor(feed: Feed, options: StreamEpochsOptions, step: number, progress: StreamProgress | null) {
    const { seed, batch, epochs = Number.POSITIVE_INFINITY, limit, shuffleBuffer, reads, cut } = options;
    this.#cut = cut ? step : undefined;
    this.#feed = feed;
    this.#epochs = epochs;
    this.#shuffleBuffer = shuffleBuffer;
    this.steps = limit;
    this.#last = step;
    if (progress !== null) {
      this.#epoch = progress.epoch;
      this.#begin = progress.begin;
      this.#ended = progress.ended;
    }
    if (!reads || this.over(step)) return;
    const epoch = this.#ended ? this.#epoch + 1 : this.#epoch;
    const rows = this.#ended ? 0 : (step - this.#begin + 1) * batch;
    feed.start({ seed, step, epoch, rows, epochs, steps: limit ?? Number.POSITIVE_INFINITY });
  }

  epochOf(step: number): number {
    return this.#at(step).epoch;
  }

  /** The epoch of a step that is done: a block that waits for its first step is none yet. */
  #at(step: number): Pick<StreamProgress, "epoch" | "begin"> {
    return step < this.#begin ? this.#passed : { epoch: this.#epoch, begin: this.#begin };
  }

  begins(step: number): boolean {
    return step === this.#begin;
  }

  ends(step: number): boolean {
    return this.completes(step, 1) || step === this.steps;
  }

  completes(step: number, period: number): boolean {
    return step !== this.#cut && this.isWhole(step) && this.#epoch % period === 0;
  }

  isWhole(step: number): boolean {
    return this.#ended && step === this.#last;
  }

  nextCompletion(): number {
    return Number.POSITIVE_INFINITY; // no block goes beyond one
  }

  over(step: number): boolean {
    const passed = this.isWhole(step) && this.#epoch >= this.#epochs;
    return passed || (this.steps !== undefined && step >= this.steps);
  }

  left(step: number): number {
    const most = (this.steps ?? Number.POSITIVE_INFINITY) - step;
    const done = this.#ended ? this.#epoch : this.#epoch - 1;
    if (done <= 0 || this.#epochs === Number.POSITIVE_INFINITY) return most;
    const each = (this.#ended ? step : this.#begin - 1) / done;
    return Math.max(0, Math.min(most, Math.round(each * this.#epochs) - step));
  }

  async ready(step: number): Promise<Ready> {
    if (step < this.#last) return { steps: this.#last - step, lastRows: this.#lastRows };
    checkSteps("fit.epochs", step + 1);
    const block = await this.#feed.next();
    if (block === undefined) return { steps: 0, lastRows: 0 };
    if (this.#ended) {
      this.#passed = { epoch: this.#epoch, begin: this.#begin };
      this.#epoch = block.epoch;
      this.#begin = step + 1;
    }
    this.#ended = block.endsEpoch;
    this.#last = step + block.steps;
    this.#lastRows = block.lastRows;
    return { steps: block.steps, lastRows: block.lastRows };
  }

  /** Of the last step done: a block that has still steps has not ended its epoch yet. */
  progressAt(step: number): StreamProgress {
    const ended = step < this.#begin || this.isWhole(step);
    return { ...this.#at(step), ended, shuffleBuffer: this.#shuffleBuffer };
  }

  examplesOf(step: number, batch: number): Float64Array {
    return this.#feed.examplesOf(step).subarray(0, step === this.#last ? this.#lastRows : batch);
  }

  stop(): void {
    this.#feed.stop();
  }

  close(): Promise<void> {
    return this.#feed.close();
  }
}

import { namesText } from "../data/labels.js";
import type { StreamFeed } from "../data/stream_feed.js";
import type { Transforms } from "../data/transform.js";
import { CarillonError } from "../errors.js";

/** A step is a word of 32 bits in the counters of random numbers, from 1. */
const MOST_STEPS = 0xffff_ffff;

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

/** What of the data a checkpoint keeps. */
export interface DataProgress {
  /** `null` for data in memory. */
  readonly stream: StreamProgress | null;
  /** Fitted on the data of the first run. */
  readonly transforms: Transforms;
  /** Names of the classes; absent or `null` if they have none. */
  readonly classes?: readonly string[] | null | undefined;
}

/** Steps that can be run at once. */
export interface Ready {
  readonly steps: number;
  /** Rows of the last one, where a stream ends early; 0: as many as the program's feed has. */
  readonly lastRows: number;
}

/** How a run goes through its data: where epochs begin and end, and which steps can be run now. */
export interface Course {
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
  /** A step behind `step` at which {@link completes} will hold, if it is known. */
  nextCompletion(step: number, period: number): number;
  over(step: number): boolean;
  /** Steps left behind `step`, estimated for a stream. */
  left(step: number): number;
  /** Makes at least one step behind `step` ready, or none where the run is to end. */
  ready(step: number): Promise<Ready>;
  /** Of the last step done; `null` for data in memory. */
  progressAt(step: number): StreamProgress | null;
  /** Places, from 0, of the rows of a step in hand among those of its epoch; `undefined` for data in memory. */
  examplesOf(step: number, batch: number): Int32Array | undefined;
  /** Wakes who waits in {@link ready}. */
  stop(): void;
  close(): Promise<void>;
}

/** The course through examples in memory. */
export class MemoryCourse implements Course {
  readonly samples: number;
  readonly stepsPerEpoch: number;
  readonly steps: number;

  constructor(samples: number, batch: number, epochs: number | undefined, limit: number | undefined) {
    this.samples = samples;
    this.stepsPerEpoch = Math.ceil(samples / batch);
    this.steps = Math.min((epochs ?? Number.POSITIVE_INFINITY) * this.stepsPerEpoch, limit ?? Number.POSITIVE_INFINITY);
  }

  epochOf(step: number): number {
    return Math.ceil(step / this.stepsPerEpoch);
  }

  begins(step: number): boolean {
    return (step - 1) % this.stepsPerEpoch === 0;
  }

  ends(step: number): boolean {
    return step % this.stepsPerEpoch === 0 || step === this.steps;
  }

  completes(step: number, period: number): boolean {
    return step % (period * this.stepsPerEpoch) === 0;
  }

  nextCompletion(step: number, period: number): number {
    const steps = period * this.stepsPerEpoch;
    return (Math.floor(step / steps) + 1) * steps;
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
    return Promise.resolve({ steps: this.steps - step, lastRows: 0 });
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

/** What a stream's course is told. */
export interface StreamCourseOptions {
  readonly seed: number;
  readonly batch: number;
  readonly epochs: number | undefined;
  readonly limit: number | undefined;
  readonly shuffleBuffer: number;
  /** Whether there are steps to come. */
  readonly reads: boolean;
}

/** The course through a stream, whose epochs end where they end. */
export class StreamCourse implements Course {
  readonly samples = undefined;
  readonly stepsPerEpoch = undefined;
  readonly steps: number | undefined;
  readonly #feed: StreamFeed;
  readonly #epochs: number;
  readonly #shuffleBuffer: number;
  #epoch = 0;
  #begin = 1;
  /** Last step of the block in native memory, and the rows of that. */
  #last: number;
  #lastRows = 0;
  #ended = true;

  /** Begins to read at once, behind `step`. */
  constructor(feed: StreamFeed, options: StreamCourseOptions, step: number, progress: StreamProgress | null) {
    const { seed, batch, epochs = Number.POSITIVE_INFINITY, limit, shuffleBuffer, reads } = options;
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

  epochOf(_step: number): number {
    return this.#epoch;
  }

  begins(step: number): boolean {
    return step === this.#begin;
  }

  ends(step: number): boolean {
    return (this.#ended && step === this.#last) || step === this.steps;
  }

  completes(step: number, period: number): boolean {
    return this.#ended && step === this.#last && this.#epoch % period === 0;
  }

  nextCompletion(): number {
    return Number.POSITIVE_INFINITY; // no block goes beyond one
  }

  over(step: number): boolean {
    const passed = this.#ended && step === this.#last && this.#epoch >= this.#epochs;
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
    return {
      epoch: this.#epoch,
      begin: this.#begin,
      ended: this.#ended && step === this.#last,
      shuffleBuffer: this.#shuffleBuffer,
    };
  }

  examplesOf(step: number, batch: number): Int32Array {
    const rows = step === this.#last ? this.#lastRows : batch;
    const first = (step - this.#begin) * batch;
    return Int32Array.from({ length: rows }, (_, row) => first + row);
  }

  stop(): void {
    this.#feed.stop();
  }

  close(): Promise<void> {
    return this.#feed.close();
  }
}

/**
 * The place in the data that a checkpoint tells; `ERR_FILE` if it tells none, `ERR_STATE` if the data is of another kind,
 * or gives other transforms.
 */
export function checkDataProgress(
  where: string,
  then: unknown,
  now: {
    readonly shuffleBuffer: number | null;
    readonly transforms: Transforms;
    readonly classNames: readonly string[] | undefined;
  },
): StreamProgress | null {
  const {
    stream = null,
    transforms = {},
    classes = null,
  } = typeof then === "object" && then !== null ? (then as DataProgress) : {};
  const place = stream === null ? null : parseStreamProgress(where, stream);
  for (const [name, own, other] of [
    ["shuffleBuffer", now.shuffleBuffer, place?.shuffleBuffer ?? null],
    ["inputs", now.transforms.inputs ?? null, transforms.inputs ?? null],
    ["targets", now.transforms.targets ?? null, transforms.targets ?? null],
    ["classes", now.classNames ?? null, classes],
  ] as const) {
    if (JSON.stringify(own) === JSON.stringify(other)) continue;
    throw new CarillonError("ERR_STATE", `${where}.${name}`, differs(where, name, own, other));
  }
  return place;
}

function differs(where: string, name: string, now: unknown, then: unknown): string {
  if (name === "classes") {
    const names = (given: unknown): string => (Array.isArray(given) ? namesText(given.map(String)) : "no names");
    return `expected for '${where}' the classes of the checkpoint, ${names(then)}, but received ${names(now)}`;
  }
  if (name !== "shuffleBuffer") {
    return `expected for '${where}' the data that gives the transform of '${name}' of the checkpoint, but it differs`;
  }
  const sort = (size: unknown): string => (size === null ? "data in memory" : `a stream with shuffleBuffer ${size}`);
  return `expected ${sort(then)} for '${where}' but received ${sort(now)}`;
}

function parseStreamProgress(where: string, value: unknown): StreamProgress {
  if (typeof value === "object" && value !== null) {
    const isCount = (key: string): boolean => Number.isSafeInteger(Reflect.get(value, key));
    if (["epoch", "begin", "shuffleBuffer"].every(isCount) && typeof Reflect.get(value, "ended") === "boolean") {
      return value as StreamProgress;
    }
  }
  throw new CarillonError("ERR_FILE", where, `expected the place in a stream in '${where}'`);
}

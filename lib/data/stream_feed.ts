import { now } from "../binding/clock.js";
import { fitsMemory, gigabytes, memoryLimit } from "../binding/memory.js";
import { CarillonError, fail } from "../errors.js";
import type { Binding } from "../graph/binding.js";
import { unlessAborted } from "../signals.js";
import { seedKey } from "../tensor/philox.js";
import type { BoundLists } from "./bind_lists.js";
import type { ExampleShape } from "./block.js";
import { ExampleReader, failNoExamples } from "./example_reader.js";
import type { ClassFactors } from "./measure.js";
import { NativeRows, type RowLayout, RowStore } from "./row_store.js";
import { ShuffleBuffer, shuffleMemory } from "./shuffle_buffer.js";
import { type Dataset, END, type Pass } from "./stream.js";
import { fitsProgram, type UnitsLeft, type UnitsOfRows, unitsLeft } from "./transform.js";
import { Turns } from "./turns.js";

/** How a stream is read and laid out. */
export interface StreamFeedOptions {
  /** Option that the stream is the value of, for errors. */
  readonly where: string;
  readonly shape: ExampleShape;
  readonly dataset: Dataset;
  /** Name of a pass in errors. */
  readonly pass: "epoch" | "validation";
  /** Rows a step. */
  readonly batch: number;
  readonly shuffle: boolean;
  readonly units: UnitsOfRows;
  readonly classFactors: ClassFactors;
}

/** Where reading begins: after so many steps of a run, in an epoch of which so many rows are done. */
export interface StreamPlace {
  readonly seed: number;
  readonly step: number;
  /** From 1. */
  readonly epoch: number;
  readonly rows: number;
  /** Passes, and steps, after which nothing more is read. */
  readonly epochs: number;
  readonly steps: number;
}

/** `ERR_OPTION` unless two blocks, the one that is read and the one that is worked on, fit into memory. */
function expectRoom({ pass, batch }: StreamFeedOptions, bytes: number): void {
  if (fitsMemory(bytes)) return;
  const where = pass === "epoch" ? "fit.batchSize" : "batchSize";
  const received = `${batch}: two blocks of its rows take ${gigabytes(bytes)}, and there are ${gigabytes(memoryLimit())}`;
  throw new CarillonError("ERR_OPTION", where, `expected a '${where}' that fits into memory but received ${received}`);
}

/** Steps whose rows lie in native memory. */
export interface StepBlock {
  readonly steps: number;
  /** Rows of the last step. */
  readonly lastRows: number;
  readonly epoch: number;
  readonly endsEpoch: boolean;
}

/** Bytes of a block; as many again are filled meanwhile. */
const BLOCK_BYTES = 2_097_152;

/** Steps of a block at most: those of one native call. */
const BLOCK_STEPS = 1024;

/** Milliseconds after which a run that waits is given the batches that are there. */
const PATIENCE = 20;

/**
 * Feeds a program from a stream. Blocks of batches are read into JavaScript memory while native threads work on the block
 * before, then copied: memory is bounded by two blocks and the shuffle buffer. The rows of step s stand at
 * (s − 1) mod {@link batches}, where the program's gather looks for them. A block never crosses the end of an epoch.
 */
export class StreamFeed {
  readonly layout: RowLayout;
  /** The change of units that is left to the program, for each input. */
  readonly units: readonly UnitsLeft[];
  /** Batches that a block has room for. */
  readonly batches: number;
  readonly #options: StreamFeedOptions;
  readonly #native: NativeRows;
  readonly #staging: RowStore;
  readonly #capacity: number;
  readonly #memory: RowStore;
  readonly #turns = new Turns();
  /** Opened to look at the first example. */
  #opened: { readonly pass: Pass; readonly reader: ExampleReader } | undefined;
  #pass: Pass | undefined;
  #reader: ExampleReader | undefined;
  #buffer: ShuffleBuffer | undefined;
  #place: StreamPlace = { seed: 0, step: 0, epoch: 1, rows: 0, epochs: 1, steps: 0 };
  #step = 0;
  #epoch = 0;
  #pending: Promise<StepBlock | undefined> | undefined;
  #waitingSince: number | undefined;
  #interrupt: (() => void) | undefined;
  #closed = false;

  private constructor(options: StreamFeedOptions, pass: Pass, reader: ExampleReader) {
    this.#options = options;
    this.#opened = { pass, reader };
    const { classFactors, units } = options;
    this.layout = reader.layout(classFactors, (input) => fitsProgram(units.inputs[input]));
    this.units = units.inputs.map((affine, input) => unitsLeft(affine, this.layout.parts[input]?.dtype === "u8"));
    const bytes = options.batch * RowStore.bytesOf(this.layout);
    expectRoom(options, 2 * bytes);
    this.batches = Math.min(Math.max(Math.floor(BLOCK_BYTES / bytes), 1), BLOCK_STEPS);
    const scales = this.units.map(({ scale }) => scale);
    this.#native = new NativeRows(this.batches * options.batch, this.layout, scales);
    this.#staging = new RowStore(this.batches * options.batch, this.layout);
    this.#capacity = options.shuffle ? options.dataset.shuffleBuffer : 1;
    this.#memory = shuffleMemory(this.#capacity, this.layout);
  }

  /** Opens the stream and looks at the first example. Rejects with the reason of an abort. */
  static async open(
    options: StreamFeedOptions,
    purpose: string,
    signal?: AbortSignal | undefined,
  ): Promise<StreamFeed> {
    const reader = new ExampleReader(options.where, options.shape);
    const pass = await options.dataset.open(options.where, purpose, signal);
    try {
      const item = await unlessAborted(signal, Promise.resolve(pass.next()));
      if (item === END) failNoExamples(options.where, 1);
      reader.begin(item);
      return new StreamFeed(options, pass, reader);
    } catch (error) {
      await pass.close();
      throw error;
    }
  }

  /** Of inputs of lists: a stream does not tell beforehand how long they will be. */
  get lists(): readonly (BoundLists | undefined)[] {
    const { parts, lists } = this.layout;
    return lists.map((own, input) => {
      const columns = parts[input]?.columns ?? 1;
      return own && { weighted: own.weights !== undefined, room: (rows) => rows * columns };
    });
  }

  get bindings(): ReadonlyMap<string, Binding> {
    return this.#native.bindings;
  }

  /** Begins to read. What was opened to look at serves the first epoch. */
  start(place: StreamPlace): void {
    this.#place = place;
    this.#step = place.step;
    this.#epoch = place.epoch - 1;
    this.#buffer = undefined;
    this.#pending = undefined;
    this.#prefetch();
  }

  /**
   * The next steps, copied into native memory; a program must not be reading it. `undefined` after {@link stop}. What
   * went wrong in the source, or does not fit, is thrown here.
   */
  async next(): Promise<StepBlock | undefined> {
    this.#waitingSince = now();
    const block = await this.#wait(this.#pending ?? Promise.resolve(undefined));
    this.#waitingSince = undefined;
    if (block === undefined) return undefined;
    const { batch } = this.#options;
    const slot = this.#step % this.batches;
    const head = Math.min(block.steps, this.batches - slot);
    const rows = (block.steps - 1) * batch + block.lastRows;
    const first = Math.min(rows, head * batch);
    this.#native.write(this.#staging, 0, slot * batch, first);
    this.#native.write(this.#staging, first, 0, rows - first);
    this.#step += block.steps;
    if (block.endsEpoch) this.#buffer = undefined;
    const over = (block.endsEpoch && block.epoch === this.#place.epochs) || this.#step === this.#place.steps;
    this.#pending = undefined;
    if (!over) this.#prefetch();
    return block;
  }

  /** Numbers, in the order of the source, of the examples of a step that lies in native memory. */
  examplesOf(step: number): Float64Array {
    const { batch } = this.#options;
    return this.#native.examplesOf(((step - 1) % this.batches) * batch, batch);
  }

  /** Nobody waits for the next block any more. */
  stop(): void {
    this.#closed = true;
    this.#interrupt?.();
  }

  /** Ends reading; the source is told. */
  async close(): Promise<void> {
    this.stop();
    await this.#opened?.pass.close();
    await this.#pass?.close();
  }

  #prefetch(): void {
    this.#pending = this.#fill();
    this.#pending.catch(() => undefined); // whoever asks for the block is told
  }

  /** `pending`, or `undefined` at a stop before. */
  #wait(pending: Promise<StepBlock | undefined>): Promise<StepBlock | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#closed) resolve(undefined);
      this.#interrupt = () => resolve(undefined);
      pending.then(resolve, reject);
    });
  }

  async #fill(): Promise<StepBlock | undefined> {
    const { batch } = this.#options;
    await this.#turns.next(); // what waits for the threads comes first
    const begins = this.#buffer === undefined;
    const buffer = this.#buffer ?? (await this.#openEpoch());
    this.#buffer = buffer;
    const room = batch * Math.min(this.batches, this.#place.steps - this.#step);
    let rows = 0;
    for (;;) {
      const filling = buffer.fill(this.#turns);
      if (filling !== undefined) await filling;
      if (this.#closed) return undefined;
      if (buffer.empty || rows === room || (rows > 0 && rows % batch === 0 && this.#impatient)) break;
      buffer.draw(this.#staging, rows);
      rows += 1;
      if (!buffer.wanting && this.#turns.over) await this.#turns.next(); // a look at the clock takes as long as a row
    }
    if (rows === 0) this.#failShort(begins);
    const steps = Math.ceil(rows / batch);
    if (buffer.empty || this.#step + steps === this.#place.steps) this.#checkWeights();
    return { steps, lastRows: rows - (steps - 1) * batch, epoch: this.#epoch, endsEpoch: buffer.empty };
  }

  /** At the end of an epoch, or of the run: something must have weighed more than nothing, as in a set in memory. */
  #checkWeights(): void {
    const weightless = this.#reader?.weightless;
    if (weightless === undefined) return;
    fail("ERR_DATA", weightless, `a weight above 0 somewhere in epoch ${this.#epoch}`, "only zeros");
  }

  get #impatient(): boolean {
    return this.#waitingSince !== undefined && now() - this.#waitingSince > PATIENCE;
  }

  async #openEpoch(): Promise<ShuffleBuffer> {
    const { where, shape, dataset, units, classFactors } = this.#options;
    this.#epoch += 1;
    const opened = this.#opened ?? {
      reader: new ExampleReader(where, shape),
      pass: await dataset.open(where, `${this.#options.pass} ${this.#epoch}`),
    };
    this.#opened = undefined;
    this.#pass = opened.pass;
    this.#reader = opened.reader;
    if (this.#closed) await opened.pass.close();
    const buffer = new ShuffleBuffer(opened.pass, opened.reader, {
      capacity: this.#capacity,
      store: this.#memory,
      key: seedKey(where, this.#place.seed),
      epoch: this.#epoch,
      // Bytes stay what they are: the program changes their units.
      units: {
        inputs: units.inputs.map((affine, input) => (this.layout.parts[input]?.dtype === "u8" ? undefined : affine)),
        targets: units.targets,
      },
      classFactors,
    });
    if (this.#epoch === this.#place.epoch) await this.#replay(buffer);
    return buffer;
  }

  /** Draws again what was drawn before the run was cut. */
  async #replay(buffer: ShuffleBuffer): Promise<void> {
    for (let row = 0; row < this.#place.rows && !this.#closed; row++) {
      const filling = buffer.fill(this.#turns);
      if (filling !== undefined) await filling;
      if (buffer.empty) this.#failShort(false);
      buffer.draw();
      if (!buffer.wanting && this.#turns.over) await this.#turns.next(); // a look at the clock takes as long as a row
    }
  }

  #failShort(begins: boolean): never {
    const { where } = this.#options;
    if (begins && this.#place.rows === 0) failNoExamples(where, this.#epoch);
    throw new CarillonError(
      "ERR_STATE",
      where,
      `expected the stream '${where}' to give again what it gave before the checkpoint, more than ${this.#place.rows} ` +
        `examples in epoch ${this.#epoch}, but it ended before`,
    );
  }
}

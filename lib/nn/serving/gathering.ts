// Calls gathered into batches: rows are copied into the batch that is being filled while the one before is computed.
import { now } from "../../binding/clock.js";
import { threadsFor } from "../../binding/threads.js";
import type { Features } from "../../data/dataset.js";
import { type Member, memberOf } from "../../data/member.js";
import { commonTurns } from "../../data/turns.js";
import { CarillonError } from "../../errors.js";
import { onAbort } from "../../signals.js";
import { isFloats } from "../../tensor/arrays.js";
import { copyOf } from "../../tensor/copied.js";
import type { FrozenProgram } from "../frozen.js";
import { Expectation } from "./expectation.js";
import type { Moment } from "./frozen_copy.js";
import { changeRows, countRows, failRows, isPrecise, type Stage, takeRows, writeRows } from "./rows.js";
import { roomFor, Stages } from "./stages.js";

/** What computes the batches of a {@link Gathering}. */
export interface Computer {
  readonly inputs: number;
  readonly maxBatch: number;
  /** Floating-point operations of a row, about. */
  readonly work: number;
  /** Makes {@link program} and {@link moment} those of the next batch; a promise where that takes a while. */
  prepare(): Promise<void> | undefined;
  readonly program: FrozenProgram;
  readonly moment: Moment;
}

/** How a call is worked on. */
export interface CallOptions {
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Counts since a gathering began. */
export interface Counts {
  /** Rows that wait for their batch now. */
  queued: number;
  /** Rows of the batch that is being computed now. */
  computing: number;
  /** Calls that were answered. */
  calls: number;
  batches: number;
  /** Rows of these batches. */
  rows: number;
  /** Rows of the largest of them. */
  largest: number;
  /** Calls that an abort has ended. */
  aborted: number;
  /** Calls that found the queue full. */
  refused: number;
  /** From the beginning of each batch to its outputs, added up. */
  microseconds: number;
}

/** A call, until it is answered. */
interface Call {
  readonly where: string;
  readonly rows: number;
  readonly threads: number | undefined;
  readonly take: (outputs: Float32Array, begin: number, moment: Moment) => void;
  readonly reject: (reason: unknown) => void;
  /** Takes the listener of its signal off. */
  off: (() => void) | undefined;
  /** Whether its batch has not begun. */
  waits: boolean;
  over: boolean;
}

/** Makes an answer of the outputs of a batch, in which those of `rows` rows begin at element `begin`; it copies what it needs. */
export type Take<T> = (outputs: Float32Array, begin: number, rows: number, moment: Moment) => T;

/** Calls that are computed together; or a single one with more rows than a batch has, whose inputs stay as they were given. */
interface Batch {
  readonly calls: Call[];
  stage: Stage;
  readonly large: Member | undefined;
  rows: number;
  moment: Moment;
  /** What its outputs are written to. */
  outputs: Float32Array;
}

const NO_ROWS = new Float32Array();
const NO_MOMENT: Moment = { units: {}, described: undefined };

/** Microseconds of a millisecond. */
const MICRO = 1000;

export class Gathering {
  readonly counts: Counts = {
    queued: 0,
    computing: 0,
    calls: 0,
    batches: 0,
    rows: 0,
    largest: 0,
    aborted: 0,
    refused: 0,
    microseconds: 0,
  };
  readonly #computer: Computer;
  readonly #maxQueue: number;
  readonly #expectation: Expectation;
  readonly #waiting: Batch[] = [];
  readonly #stages: Stages;
  /** Rows in the units of the network. */
  #changed: Float32Array = NO_ROWS;
  #outputs: Float32Array = NO_ROWS;
  #working = false;
  #idle: (() => void)[] = [];

  /** @param maxQueue Rows that may wait. */
  constructor(computer: Computer, maxQueue: number) {
    this.#computer = computer;
    this.#maxQueue = maxQueue;
    this.#stages = new Stages(computer.inputs, computer.maxBatch);
    this.#expectation = new Expectation(computer.work);
  }

  /** Whether a batch waits or is being computed. */
  get working(): boolean {
    return this.#working;
  }

  /** Resolves when every call that was made is answered. */
  async settled(): Promise<void> {
    if (this.#working) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /**
   * What `take` makes of the outputs of these rows. They are copied before this returns, and computed with others that wait. A batch
   * begins when it is full, or when the code that runs now has come to its end; in any case behind the batch before.
   *
   * @param most Rows that a call may have.
   */
  submit<T>(
    where: string,
    x: Features,
    take: Take<T>,
    { threads, signal }: CallOptions,
    most: number = Number.POSITIVE_INFINITY,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const rows = countRows(where, x, this.#computer.inputs);
      if (rows > most) failRows(where, rows, most);
      if (this.counts.queued + rows > this.#maxQueue) this.#refuse(where, rows);
      const call: Call = {
        where,
        rows,
        threads,
        take: (outputs, begin, moment) => resolve(take(outputs, begin, rows, moment)),
        reject,
        off: undefined,
        waits: true,
        over: false,
      };
      if (rows > this.#computer.maxBatch) this.#addLarge(call, x);
      else this.#add(call, x);
      this.counts.queued += rows;
      if (signal !== undefined) call.off = onAbort(signal, () => this.#abort(call, signal.reason));
      if (this.#working) return;
      this.#working = true;
      // A batch that is full need not wait for the end of the turn: others are gathered while it is computed.
      if ((this.#waiting[0]?.rows ?? 0) >= this.#computer.maxBatch) this.#work();
      else Promise.resolve().then(() => this.#work());
    });
  }

  #refuse(where: string, rows: number): never {
    this.counts.refused += 1;
    const { queued } = this.counts;
    throw new CarillonError(
      "ERR_QUEUE_FULL",
      where,
      `expected at most ${this.#maxQueue} rows that wait for '${where}' but ${queued} wait and ${rows} came`,
    );
  }

  #addLarge(call: Call, x: Features): void {
    const large = memberOf(call.where, copyOf(x), this.#computer.inputs);
    this.#waiting.push({ calls: [call], stage: NO_ROWS, large, rows: call.rows, moment: NO_MOMENT, outputs: NO_ROWS });
  }

  /** Copies the rows of a call behind those that wait, or into a new batch. */
  #add(call: Call, x: Features): void {
    const { inputs, maxBatch } = this.#computer;
    const last = this.#waiting.at(-1);
    const fits = last !== undefined && last.large === undefined && last.rows + call.rows <= maxBatch;
    const rows = call.rows + (fits ? last.rows : 0);
    const stage = fits ? last.stage : this.#stages.take(rows, isPrecise(x));
    const batch = fits ? last : { calls: [], stage, large: undefined, rows: 0, moment: NO_MOMENT, outputs: NO_ROWS };
    const widens = isFloats(stage) && isPrecise(x);
    if (widens || stage.length < rows * inputs) this.#move(batch, rows, widens || !isFloats(stage));
    writeRows(call.where, x, inputs, batch.stage, batch.rows * inputs);
    batch.calls.push(call);
    batch.rows += call.rows;
    if (!fits) this.#waiting.push(batch);
  }

  /** Takes other memory for a batch, for so many rows. */
  #move(batch: Batch, rows: number, precise: boolean): void {
    const { stage } = batch;
    batch.stage = this.#stages.take(rows, precise);
    batch.stage.set(stage.subarray(0, batch.rows * this.#computer.inputs));
    this.#stages.give(stage);
  }

  /** A call that waits leaves the queue; one that is being computed is not told what comes of it. */
  #abort(call: Call, reason: unknown): void {
    if (call.waits) this.counts.queued -= call.rows;
    this.counts.aborted += 1;
    end(call);
    call.reject(reason);
  }

  /** Computes what waits, batch after batch. Calls of one are answered while the next is computed. */
  async #work(): Promise<void> {
    let computed: Batch | undefined;
    const answer = (): void => {
      if (computed !== undefined) this.#answer(computed);
      computed = undefined;
    };
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      try {
        if (this.#expectation.isShort(first.rows) && commonTurns.over) {
          answer();
          await commonTurns.next();
        }
        const ready = this.#computer.prepare();
        if (ready !== undefined) {
          answer();
          await ready;
        }
        this.#begin(first);
        if (first.large !== undefined || first.rows === 0 || this.#expectation.isShort(first.rows)) {
          answer();
          if (first.large !== undefined) await this.#computeLarge(first, first.large);
          else this.#computeHere(first);
        } else {
          const computing = this.#computeThere(first);
          answer();
          await computing;
          computed = first;
        }
      } catch (error) {
        answer();
        if (this.#waiting[0] === first) this.#leave(first);
        fail(first, error);
      }
      this.counts.computing = 0;
    }
    answer();
    this.#working = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Takes the batch from the queue. */
  #leave(batch: Batch): void {
    this.#waiting.shift();
    for (const call of batch.calls) {
      call.waits = false;
      if (!call.over) this.counts.queued -= call.rows;
    }
  }

  /** Takes the batch from the queue; without the rows that were given up, and in the units of the network. */
  #begin(batch: Batch): void {
    const { inputs, maxBatch, program, moment } = this.#computer;
    this.#leave(batch);
    batch.moment = moment;
    if (batch.large === undefined) closeRanks(batch, inputs);
    const { outputs } = program;
    const rows = Math.min(batch.rows, maxBatch);
    if (this.#outputs.length < rows * outputs) this.#outputs = new Float32Array(roomFor(rows, outputs, maxBatch));
    batch.outputs = this.#outputs;
    this.counts.computing = batch.rows;
    if (batch.rows === 0) return;
    this.counts.batches += 1;
    this.counts.rows += batch.rows;
    this.counts.largest = Math.max(this.counts.largest, batch.rows);
  }

  /** The rows of a batch as the network takes them. A call whose values do not fit is told so. */
  #rowsOf({ stage, calls, moment: { units } }: Batch): Float32Array {
    const { inputs } = this.#computer;
    if (units.inputs === undefined && isFloats(stage)) return stage;
    if (this.#changed.length < stage.length) this.#changed = new Float32Array(stage.length);
    let begin = 0;
    for (const call of calls) {
      try {
        changeRows(call.where, units.inputs, stage, { begin, end: begin + call.rows, columns: inputs }, this.#changed);
      } catch (error) {
        end(call);
        call.reject(error);
        this.#changed.fill(0, begin * inputs, (begin + call.rows) * inputs); // nobody else is touched
      }
      begin += call.rows;
    }
    return this.#changed;
  }

  /** On this thread alone: what is over so soon would wait for helpers that have no processor. */
  #computeHere(batch: Batch): void {
    const began = now();
    if (batch.rows > 0) {
      this.#computer.program.runInto(this.#rowsOf(batch), batch.rows, batch.outputs, 1);
      const took = now() - began;
      this.#expectation.tookHere(batch.rows, took);
      this.counts.microseconds += MICRO * took;
    }
    this.#answer(batch);
  }

  async #computeThere(batch: Batch): Promise<void> {
    const began = now();
    await this.#computer.program.runAsync(this.#rowsOf(batch), batch.rows, batch.outputs, threadsOf(batch));
    const took = now() - began;
    this.#expectation.tookThere(batch.rows, took);
    this.counts.microseconds += MICRO * took;
  }

  /** Computes a call that has more rows than a batch, all with the same weights. */
  async #computeLarge({ calls, moment, outputs: part }: Batch, member: Member): Promise<void> {
    const [call] = calls;
    const { inputs, maxBatch, program } = this.#computer;
    const { outputs } = program;
    if (call === undefined) return;
    const began = now();
    const all = new Float32Array(member.rows * outputs);
    const scratch = (): Float32Array => {
      if (this.#changed.length < maxBatch * inputs) this.#changed = new Float32Array(maxBatch * inputs);
      return this.#changed;
    };
    for (let begin = 0; begin < member.rows && !call.over; begin += maxBatch) {
      const end = Math.min(begin + maxBatch, member.rows);
      const x = takeRows(member, { begin, end }, moment.units.inputs, scratch);
      await program.runAsync(x, end - begin, part, threadsOf({ calls }));
      all.set(part.subarray(0, (end - begin) * outputs), begin * outputs);
    }
    this.counts.microseconds += MICRO * (now() - began);
    if (!call.over) this.#tell(call, all, 0, moment);
  }

  /** Tells every call of a computed batch what has come of it. */
  #answer(batch: Batch): void {
    const { outputs } = this.#computer.program;
    let begin = 0;
    for (const call of batch.calls) {
      if (!call.over) this.#tell(call, batch.outputs, begin * outputs, batch.moment);
      begin += call.rows;
    }
    this.#stages.give(batch.stage);
  }

  #tell(call: Call, outputs: Float32Array, begin: number, moment: Moment): void {
    end(call);
    this.counts.calls += 1;
    try {
      call.take(outputs, begin, moment);
    } catch (error) {
      call.reject(error);
    }
  }
}

/** Nobody waits for the call any more. */
function end(call: Call): void {
  call.over = true;
  call.off?.();
}

function fail({ calls }: Batch, error: unknown): void {
  for (const call of calls) {
    if (call.over) continue;
    end(call);
    call.reject(error);
  }
}

/** Lets the rows of calls that are over be overwritten by those behind them. */
function closeRanks(batch: Batch, inputs: number): void {
  if (!batch.calls.some(({ over }) => over)) return;
  let [from, to] = [0, 0];
  for (const { over, rows } of batch.calls) {
    if (!over && from !== to) batch.stage.copyWithin(to * inputs, from * inputs, (from + rows) * inputs);
    if (!over) to += rows;
    from += rows;
  }
  batch.rows = to;
  batch.calls.splice(0, batch.calls.length, ...batch.calls.filter(({ over }) => !over));
}

/** Threads of a batch: as many as the most modest of its calls asks for. */
function threadsOf({ calls }: Pick<Batch, "calls">): number {
  let least: number | undefined;
  for (const { threads } of calls) if (threads !== undefined) least = Math.min(least ?? threads, threads);
  return threadsFor(least);
}

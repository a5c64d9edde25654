// Calls gathered into batches: rows are copied into the batch that is being filled while the one before is computed.
import { now } from "../../binding/clock.js";
import { threadLimit } from "../../binding/threads.js";
import type { InputMember } from "../../data/block.js";
import { commonTurns } from "../../data/turns.js";
import { CarillonError } from "../../errors.js";
import { onAbort } from "../../signals.js";
import { copyOf } from "../../tensor/copied.js";
import type { RowSpecs } from "../../tensor/row_spec.js";
import type { Described } from "../meaning/meaning.js";
import { Parts } from "./answers.js";
import { Batch } from "./batch.js";
import { type Call, PromisedCall, type Take } from "./call.js";
import { Expectation } from "./expectation.js";
import type { FrozenProgram, GivenRows } from "./frozen.js";
import { StagedLists } from "./lists.js";
import { type CallInput, callInputs, countCall, failParts, failRows, membersOfCall } from "./rows.js";
import { StagedInput } from "./staged_input.js";
import { roomFor, Stages } from "./stages.js";

/** Computes the batches of a {@link Gathering}. */
export interface Computer {
  readonly rows: RowSpecs;
  readonly maxBatch: number;
  /** Floating-point operations of a row, about. */
  readonly work: number;
  /** Makes {@link program} and {@link described} those of the next batch; a promise where that takes a while. */
  prepare(): Promise<void> | undefined;
  readonly program: FrozenProgram;
  readonly described: Described;
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

const NO_ROWS = new Float32Array();

/** Microseconds of a millisecond. */
const MICRO = 1000;

/** The queue of a computer: calls wait in batches, one of which is filled while another is computed. */
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
  readonly #inputs: readonly CallInput[];
  /** Memory of each input. */
  readonly #stages: readonly (readonly [input: CallInput, stages: Stages])[];
  /** Rows of each input in the units of the network. */
  readonly #changed: Float32Array[];
  #outputs = NO_ROWS;
  #working = false;
  #idle: (() => void)[] = [];

  /** @param maxQueue Rows that may wait. */
  constructor(computer: Computer, maxQueue: number) {
    this.#computer = computer;
    this.#maxQueue = maxQueue;
    this.#expectation = new Expectation(computer.work);
    this.#inputs = callInputs(computer.rows.inputs);
    this.#stages = this.#inputs.map((input) => [input, new Stages(input, computer.maxBatch)]);
    this.#changed = this.#inputs.map(() => NO_ROWS);
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
   * The result of `take` for the outputs of these rows. They are copied before this returns, and computed with others that wait. A batch
   * begins when it is full, or when the code that runs now has come to its end; in any case behind the batch before.
   *
   * @param most Rows that a call may have.
   */
  submit<T>(
    where: string,
    x: unknown,
    take: Take<T>,
    { threads, signal }: CallOptions,
    most: number = Number.POSITIVE_INFINITY,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const { maxBatch } = this.#computer;
      const rows = countCall(where, x, this.#inputs);
      if (rows > most) failRows(where, rows, most);
      if (this.counts.queued + rows > this.#maxQueue) this.#refuse(where, rows);
      const call = new PromisedCall({ where, rows, threads }, take, resolve, reject);
      if (rows > maxBatch) this.#waiting.push(Batch.ofLarge(call, membersOfCall(where, copyOf(x), this.#inputs)));
      else this.#add(call, x);
      this.counts.queued += rows;
      if (signal !== undefined) call.off = onAbort(signal, () => this.#abort(call, signal.reason));
      if (this.#working) return;
      this.#working = true;
      // A batch that is full need not wait for the end of the turn: others are gathered while it is computed.
      if ((this.#waiting[0]?.rows ?? 0) >= maxBatch) this.#work(true);
      else Promise.resolve().then(() => this.#work(false));
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

  /** Copies the rows of a call behind those that wait, or into a new batch. */
  #add(call: Call, x: unknown): void {
    const { maxBatch } = this.#computer;
    const last = this.#waiting.at(-1);
    if (last !== undefined && last.large === undefined && last.rows + call.rows <= maxBatch) {
      last.add(call, x);
      return;
    }
    const batch = Batch.over(
      this.#stages.map(([input, stages]) =>
        input.longest === undefined ? new StagedInput(input, stages) : new StagedLists(input),
      ),
    );
    batch.add(call, x);
    this.#waiting.push(batch);
  }

  /** A call that waits leaves the queue; one that is being computed is not told what comes of it. */
  #abort(call: Call, reason: unknown): void {
    if (call.waits) this.counts.queued -= call.rows;
    this.counts.aborted += 1;
    call.reject(reason);
  }

  /**
   * Computes what waits, batch after batch. Calls of one are answered while the next is computed.
   *
   * @param called Whether code of the caller's goes on behind this.
   */
  async #work(called: boolean): Promise<void> {
    let computed: Batch | undefined;
    const answer = (): void => {
      if (computed !== undefined) this.#answer(computed);
      computed = undefined;
    };
    let busy = called;
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      try {
        const due = this.#isHere(first) ? commonTurns.due : undefined;
        if (due !== undefined) {
          answer();
          await due;
        }
        const ready = this.#computer.prepare();
        if (ready !== undefined) {
          answer();
          await ready;
        }
        if (first.calls.length > 1 && this.#computer.program.alongBatch !== undefined) {
          this.#waiting.splice(0, 1, ...first.apart()); // a call's rows see no others
          continue;
        }
        const here = this.#isHere(first);
        this.#begin(first);
        if (here || first.rows === 0) {
          answer();
          if (!this.#computeHere(first)) await this.#computeThere(first, true);
          this.#answer(first);
        } else if (first.large !== undefined) {
          answer();
          await this.#computeLarge(first, first.large);
        } else {
          const computing = this.#computeThere(first, busy || computed !== undefined || this.#waiting.length > 0);
          answer();
          await computing;
          computed = first;
        }
      } catch (error) {
        answer();
        if (this.#waiting[0] === first) this.#leave(first);
        first.fail(error);
      }
      busy = false;
      this.counts.computing = 0;
    }
    answer();
    this.#working = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Whether the batch, the first that waits, is computed on this thread: it is short, or a single call that nobody waits behind. */
  #isHere({ rows, calls, large }: Batch): boolean {
    if (large !== undefined) return false;
    const alone = calls.length === 1 && this.#waiting.length === 1;
    return this.#expectation.isShort(rows) || (alone && this.#expectation.isBearable(rows));
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
    const { maxBatch, program, described } = this.#computer;
    this.#leave(batch);
    batch.described = described;
    batch.closeRanks(program);
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

  #rowsOf(batch: Batch): GivenRows {
    return batch.rowsFor((input, count) => {
      const kept = this.#changed[input] ?? NO_ROWS;
      if (kept.length >= count) return kept;
      const changed = new Float32Array(count);
      this.#changed[input] = changed;
      return changed;
    });
  }

  /**
   * On this thread; alone, where it is short: what is over so soon would wait for helpers that have no processor. Whether it is done: not
   * if calls that are impossible have left it.
   */
  #computeHere(batch: Batch): boolean {
    const { rows } = batch;
    if (rows === 0) return true;
    const began = now();
    const isShort = this.#expectation.isShort(rows);
    const { program } = this.#computer;
    const fault = program.tryInto(this.#rowsOf(batch), rows, batch.outputs, isShort ? 1 : batch.threads);
    const took = now() - began;
    this.counts.microseconds += MICRO * took;
    if (fault !== null) batch.leaveOut(fault, program);
    else if (isShort) this.#expectation.tookHere(rows, took);
    else this.#expectation.tookHelped(rows, took);
    return fault === null || batch.rows === 0;
  }

  /**
   * On native threads; all but one where this thread has other calls to see to, and loses no time by helpers that have no processor.
   * Again without each call that is impossible.
   */
  async #computeThere(batch: Batch, busy: boolean): Promise<void> {
    const { program } = this.#computer;
    while (batch.rows > 0) {
      const began = now();
      const { rows } = batch;
      const others =
        busy && !this.#expectation.isLong(rows) ? Math.max(threadLimit() - 1, 1) : Number.POSITIVE_INFINITY;
      const threads = Math.min(batch.threads, others);
      const fault = await program.tryAsync(this.#rowsOf(batch), rows, batch.outputs, threads);
      const took = now() - began;
      this.counts.microseconds += MICRO * took;
      if (fault === null) return this.#expectation.tookThere(rows, took);
      batch.leaveOut(fault, program);
    }
  }

  /** Computes a call that has more rows than a batch, all with the same weights. */
  async #computeLarge({ calls, described, threads }: Batch, members: readonly InputMember[]): Promise<void> {
    const [call] = calls;
    if (call === undefined) return;
    const began = now();
    const { program } = this.#computer;
    const { alongBatch, maxBatch } = program;
    if (alongBatch !== undefined) failParts(call.where, call.rows, maxBatch, alongBatch);
    const parts = new Parts(program, members, described.inputs);
    for (let x = parts.next(); x !== undefined && !call.over; x = parts.next()) {
      await program.runAsync(x, parts.rows, parts.y, threads, parts.begin);
    }
    this.counts.microseconds += MICRO * (now() - began);
    if (call.over) return;
    this.counts.calls += 1;
    call.answer(parts.all, 0, described);
  }

  /** Tells every call of a computed batch what has come of it. */
  #answer(batch: Batch): void {
    this.counts.calls += batch.answer(this.#computer.program.outputs);
  }
}

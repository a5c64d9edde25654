// Calls that are computed together, and the memory that their rows are copied to.
import type { NativeFault } from "../../binding/native.js";
import { threadsFor } from "../../binding/threads.js";
import type { Features } from "../../data/dataset.js";
import type { Member } from "../../data/member.js";
import { faultError } from "../../graph/compiled.js";
import { isFloats } from "../../tensor/arrays.js";
import { type Described, UNDESCRIBED } from "../meaning.js";
import { changeRows, failValue, firstNotFinite, isPrecise, type Stage, writeRows } from "./rows.js";
import type { Stages } from "./stages.js";

/** Makes an answer of the outputs of a batch, in which those of `rows` rows begin at element `begin`; it copies what it needs. */
export type Take<T> = (outputs: Float32Array, begin: number, rows: number, described: Described) => T;

/** A call, until it is answered. */
export interface Call {
  readonly where: string;
  readonly rows: number;
  readonly threads: number | undefined;
  /** Takes the listener of its signal off. */
  off: (() => void) | undefined;
  /** Whether its batch has not begun. */
  waits: boolean;
  /** Whether nobody waits for it any more. */
  readonly over: boolean;
  /** Tells what comes of it, of outputs that begin at element `begin`. */
  answer(outputs: Float32Array, begin: number, described: Described): void;
  reject(reason: unknown): void;
}

/** A {@link Call} with the two ends of its promise. */
export class PromisedCall<T> implements Call {
  readonly where: string;
  readonly rows: number;
  readonly threads: number | undefined;
  off: (() => void) | undefined = undefined;
  waits = true;
  over = false;
  readonly #take: Take<T>;
  readonly #resolve: (value: T) => void;
  readonly #reject: (reason: unknown) => void;

  constructor(
    { where, rows, threads }: Pick<Call, "where" | "rows" | "threads">,
    take: Take<T>,
    resolve: (value: T) => void,
    reject: (reason: unknown) => void,
  ) {
    this.where = where;
    this.rows = rows;
    this.threads = threads;
    this.#take = take;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  answer(outputs: Float32Array, begin: number, described: Described): void {
    this.#end();
    try {
      this.#resolve(this.#take(outputs, begin, this.rows, described));
    } catch (error) {
      this.#reject(error);
    }
  }

  reject(reason: unknown): void {
    this.#end();
    this.#reject(reason);
  }

  #end(): void {
    this.over = true;
    this.off?.();
  }
}

const NO_ROWS = new Float32Array();

/** Calls that are computed together; or a single one with more rows than a batch has, whose inputs stay as they were given. */
export class Batch {
  readonly calls: Call[] = [];
  readonly large: Member | undefined;
  rows = 0;
  /** What belongs to the weights that it is computed with. */
  described = UNDESCRIBED;
  /** What its outputs are written to. */
  outputs = NO_ROWS;
  readonly #columns: number;
  #stage: Stage;

  private constructor(columns: number, stage: Stage, large: Member | undefined) {
    this.#columns = columns;
    this.#stage = stage;
    this.large = large;
  }

  /** An empty one whose rows will lie in `stage`. */
  static over(stage: Stage, columns: number): Batch {
    return new Batch(columns, stage, undefined);
  }

  static ofLarge(call: Call, member: Member): Batch {
    const batch = new Batch(member.columns, NO_ROWS, member);
    batch.calls.push(call);
    batch.rows = call.rows;
    return batch;
  }

  /** Copies the rows of a call behind those that are there. Of floats it is looked at when the batch begins whether they are finite. */
  add(call: Call, x: Features, stages: Stages): void {
    const rows = this.rows + call.rows;
    const widens = isPrecise(x) && isFloats(this.#stage);
    if (widens || this.#stage.length < rows * this.#columns) this.#move(rows, widens || !isFloats(this.#stage), stages);
    const at = this.rows * this.#columns;
    if (isFloats(x)) this.#stage.set(x, at);
    else writeRows(call.where, x, this.#columns, this.#stage, at);
    this.calls.push(call);
    this.rows = rows;
  }

  /** Takes other memory, for so many rows. */
  #move(rows: number, precise: boolean, stages: Stages): void {
    const before = this.#stage;
    this.#stage = stages.take(rows, precise);
    this.#stage.set(before.subarray(0, this.rows * this.#columns));
    stages.give(before);
  }

  /** Refuses calls with values that are not finite, and lets the rows of calls that are over be overwritten by those behind them. */
  closeRanks(): void {
    if (this.large !== undefined) return;
    this.#refuse();
    if (!this.calls.some(({ over }) => over)) return;
    const columns = this.#columns;
    let [from, to] = [0, 0];
    for (const { over, rows } of this.calls) {
      if (!over && from !== to) this.#stage.copyWithin(to * columns, from * columns, (from + rows) * columns);
      if (!over) to += rows;
      from += rows;
    }
    this.rows = to;
    this.calls.splice(0, this.calls.length, ...this.calls.filter(({ over }) => !over));
  }

  /** Refuses the call that a fault stands in, and leaves its rows out: the others may be computed again. Throws a fault that is nobody's. */
  leaveOut(fault: NativeFault): void {
    const before = this.calls.length;
    let begin = 0;
    for (const call of this.calls) {
      const row = fault.row - begin;
      if (row >= 0 && row < call.rows && !call.over) call.reject(faultError({ ...fault, row }, "the call"));
      begin += call.rows;
    }
    this.closeRanks();
    if (this.calls.length === before) throw faultError(fault);
  }

  /** Its calls in batches of their own, without those that are over. */
  apart(stages: Stages): Batch[] {
    let begin = 0;
    const batches: Batch[] = [];
    for (const call of this.calls) {
      const end = begin + call.rows;
      const values = this.#stage.subarray(begin * this.#columns, end * this.#columns);
      begin = end;
      if (call.over) continue;
      const batch = new Batch(this.#columns, values.slice(), undefined);
      batch.calls.push(call);
      batch.rows = call.rows;
      batches.push(batch);
    }
    stages.give(this.#stage);
    return batches;
  }

  #refuse(): void {
    const [stage, columns] = [this.#stage, this.#columns];
    if (!isFloats(stage) || firstNotFinite(stage, this.rows * columns) < 0) return;
    let begin = 0;
    for (const call of this.calls) {
      const values = stage.subarray(begin, begin + call.rows * columns);
      const bad = call.over ? -1 : firstNotFinite(values);
      if (bad >= 0) rejecting(call, () => failValue(call.where, values, columns, bad));
      begin += values.length;
    }
  }

  /** The rows as the network takes them; in memory of so many elements of `changed` where they are not that already. A call whose values do not fit is told so. */
  rowsFor(changed: (count: number) => Float32Array): Float32Array {
    const { inputs } = this.described.transforms;
    if (inputs === undefined && isFloats(this.#stage)) return this.#stage;
    const columns = this.#columns;
    const target = changed(this.#stage.length);
    let begin = 0;
    for (const call of this.calls) {
      const range = { begin, end: begin + call.rows, columns };
      begin += call.rows;
      if (rejecting(call, () => changeRows(call.where, inputs, this.#stage, range, target))) continue;
      target.fill(0, range.begin * columns, range.end * columns); // nobody else is touched
    }
    return target;
  }

  /** Tells every call what has come of it; how many there were. */
  answer(outputs: number, stages: Stages): number {
    let [begin, answered] = [0, 0];
    for (const call of this.calls) {
      if (!call.over) {
        call.answer(this.outputs, begin * outputs, this.described);
        answered += 1;
      }
      begin += call.rows;
    }
    stages.give(this.#stage);
    return answered;
  }

  /** Tells every call why there is no answer. */
  fail(error: unknown): void {
    for (const call of this.calls) if (!call.over) call.reject(error);
  }

  /** As many as the most modest of its calls asks for. */
  get threads(): number {
    let least: number | undefined;
    for (const { threads } of this.calls) if (threads !== undefined) least = Math.min(least ?? threads, threads);
    return threadsFor(least);
  }
}

/** Whether `work` is done; its error is that of the call. */
function rejecting(call: Call, work: () => void): boolean {
  try {
    work();
    return true;
  } catch (error) {
    call.reject(error);
    return false;
  }
}

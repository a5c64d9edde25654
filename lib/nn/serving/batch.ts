// Calls that are computed together, and the memory that their rows are copied to.
import { threadsFor } from "../../binding/threads.js";
import type { InputMember } from "../../data/block.js";
import { type Fault, faultError, THE_CALL } from "../../graph/fault.js";
import { UNDESCRIBED } from "../meaning/meaning.js";
import type { Call } from "./call.js";
import { type FrozenProgram, type GivenRows, givenRows } from "./frozen.js";
import type { Staged } from "./staged_input.js";

const NO_ROWS = new Float32Array();

/** Calls that are computed together; or a single one with more rows than a batch has, whose inputs stay as they were given. */
export class Batch {
  readonly calls: Call[] = [];
  /** The inputs of a call by itself. */
  readonly large: readonly InputMember[] | undefined;
  rows = 0;
  /** Units and meaning that belong to the weights that it is computed with. */
  described = UNDESCRIBED;
  /** Memory of its outputs. */
  outputs = NO_ROWS;
  readonly #inputs: readonly Staged[];

  private constructor(inputs: readonly Staged[], large: readonly InputMember[] | undefined) {
    this.#inputs = inputs;
    this.large = large;
  }

  /** An empty one whose rows will lie in these. */
  static over(inputs: readonly Staged[]): Batch {
    return new Batch(inputs, undefined);
  }

  static ofLarge(call: Call, members: readonly InputMember[]): Batch {
    const batch = new Batch([], members);
    batch.calls.push(call);
    batch.rows = call.rows;
    return batch;
  }

  /** Copies the rows of a call behind those that are there. */
  add(call: Call, x: unknown): void {
    for (const input of this.#inputs) input.add(call, x, this.rows);
    this.calls.push(call);
    this.rows += call.rows;
  }

  /**
   * Refuses calls with values that `program` does not take, and lets the rows of calls that are over be overwritten by those behind
   * them.
   */
  closeRanks(program: Pick<FrozenProgram, "taken">): void {
    if (this.large !== undefined) return;
    for (let at = 0; at < this.#inputs.length; at++) {
      this.#inputs[at]?.refuse(this.calls, this.rows, program.taken[at]?.averaged ?? false);
    }
    if (!this.calls.some(({ over }) => over)) return;
    let [from, to] = [0, 0];
    for (const { over, rows } of this.calls) {
      if (!over && from !== to) for (const input of this.#inputs) input.move(to, from, rows);
      if (!over) to += rows;
      from += rows;
    }
    this.rows = to;
    this.calls.splice(0, this.calls.length, ...this.calls.filter(({ over }) => !over));
  }

  /** Refuses the call that a fault stands in, and leaves its rows out: the others may be computed again. Throws a fault that is nobody's. */
  leaveOut(fault: Fault, program: Pick<FrozenProgram, "taken">): void {
    const before = this.calls.length;
    let begin = 0;
    for (const call of this.calls) {
      const row = fault.row - begin;
      if (row >= 0 && row < call.rows && !call.over) call.reject(faultError({ ...fault, row }, THE_CALL));
      begin += call.rows;
    }
    this.closeRanks(program);
    if (this.calls.length === before) throw faultError(fault);
  }

  /** Its calls in batches of their own, without those that are over. */
  apart(): Batch[] {
    let begin = 0;
    const batches: Batch[] = [];
    for (const call of this.calls) {
      const end = begin + call.rows;
      const inputs = this.#inputs.map((input) => input.slice(begin, end));
      begin = end;
      if (call.over) continue;
      const batch = new Batch(inputs, undefined);
      batch.calls.push(call);
      batch.rows = call.rows;
      batches.push(batch);
    }
    this.#release();
    return batches;
  }

  /** The rows as the network takes them; in memory of so many elements that `changed` gives for an input where they are not that already. */
  rowsFor(changed: (input: number, count: number) => Float32Array): GivenRows {
    const { inputs: units } = this.described;
    return givenRows(this.#inputs, (input, at) =>
      input.rowsFor(this.calls, this.rows, units[at], (count) => changed(at, count)),
    );
  }

  /** Tells every call what has come of it; how many there were. */
  answer(outputs: number): number {
    let [begin, answered] = [0, 0];
    for (const call of this.calls) {
      if (!call.over) {
        call.answer(this.outputs, begin * outputs, this.described);
        answered += 1;
      }
      begin += call.rows;
    }
    this.#release();
    return answered;
  }

  #release(): void {
    for (const input of this.#inputs) input.release();
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

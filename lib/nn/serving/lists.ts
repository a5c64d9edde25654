// Lists of calls on their way into a batch.
import { beginOf, checkIds, type ListMember, lengthOf, writeIds, writeIdWeights } from "../../data/lists.js";
import { isInts } from "../../tensor/arrays.js";
import type { Call } from "./call.js";
import { failWeights, type ListRows } from "./frozen_input.js";
import { type CallInput, listsIn, pathOf, rejecting, rowsIn } from "./rows.js";
import type { Staged } from "./staged_input.js";

/** Rows [begin, end) as the network takes them: ids as they lie, where they are that already. Errors name row and column. */
export function takenLists(member: ListMember, begin: number, end: number): ListRows {
  const { ids, weights, offsets } = member;
  const first = beginOf(member, begin);
  for (let row = begin; row < end; row++) lengthOf(member, row);
  const last = offsets[end] ?? 0;
  const own = offsets.subarray(begin + 1, end + 1);
  const ends = first === 0 ? own : own.map((one) => one - first);
  const lie = isInts(ids) ? ids : undefined;
  const taken = lie?.subarray(first, last) ?? new Int32Array(last - first);
  const factors = weights === undefined ? undefined : new Float32Array(last - first);
  for (let row = begin; row < end; row++) {
    const to = beginOf(member, row) - first;
    if (lie === undefined) writeIds(member, row, taken, to);
    else checkIds(member, lie, row);
    if (factors !== undefined) writeIdWeights(member, row, factors, to);
  }
  return { ids: taken, ends, weights: factors };
}

/** An input of lists of the calls of a batch: one behind the other. */
export class StagedLists implements Staged {
  readonly #input: CallInput;
  #ids = new Int32Array();
  #ends = new Int32Array();
  /** Once a call has some. */
  #weights: Float32Array | undefined;
  readonly #weighted = new Set<Call>();

  constructor(input: CallInput) {
    this.#input = input;
  }

  add(call: Call, x: unknown, before: number): void {
    const member = listsIn(pathOf(call.where, this.#input), rowsIn(x, this.#input), this.#input);
    const { rows, weights } = member;
    let at = this.#endOf(before);
    const entries = at + (member.offsets[rows] ?? 0);
    this.#ends = withRoom(this.#ends, before + rows, (count) => new Int32Array(count));
    this.#ids = withRoom(this.#ids, entries, (count) => new Int32Array(count));
    if (weights !== undefined || this.#weights !== undefined) {
      const kept = this.#weights ?? new Float32Array(this.#ids.length).fill(1);
      this.#weights = withRoom(kept, entries, (count) => new Float32Array(count).fill(1));
    }
    for (let row = 0; row < rows; row++) {
      if (this.#weights !== undefined) writeIdWeights(member, row, this.#weights, at);
      at += writeIds(member, row, this.#ids, at);
      this.#ends[before + row] = at;
    }
    if (weights !== undefined) this.#weighted.add(call);
  }

  /** Ids of the first `rows` rows. */
  #endOf(rows: number): number {
    return rows === 0 ? 0 : (this.#ends[rows - 1] ?? 0);
  }

  release(): void {
    this.#weighted.clear();
  }

  slice(begin: number, end: number): StagedLists {
    const own = new StagedLists(this.#input);
    const [first, last] = [this.#endOf(begin), this.#endOf(end)];
    own.#ids = this.#ids.slice(first, last);
    own.#ends = this.#ends.slice(begin, end).map((one) => one - first);
    own.#weights = this.#weights?.slice(first, last);
    for (const call of this.#weighted) own.#weighted.add(call);
    return own;
  }

  move(to: number, from: number, rows: number): void {
    const [target, first, last] = [this.#endOf(to), this.#endOf(from), this.#endOf(from + rows)];
    this.#ids.copyWithin(target, first, last);
    this.#weights?.copyWithin(target, first, last);
    for (let row = 0; row < rows; row++) this.#ends[to + row] = (this.#ends[from + row] ?? 0) - first + target;
  }

  refuse(calls: readonly Call[], _rows: number, averaged: boolean): void {
    if (!averaged || this.#weighted.size === 0) return;
    for (const call of calls) {
      if (!call.over && this.#weighted.has(call)) rejecting(call, () => failWeights(pathOf(call.where, this.#input)));
    }
    this.#weights = undefined;
  }

  rowsFor(_calls: readonly Call[], rows: number): ListRows {
    return { ids: this.#ids, ends: this.#ends.subarray(0, rows), weights: this.#weights };
  }
}

/** Memory of at least so many elements, with what was in it. */
function withRoom<A extends Int32Array | Float32Array>(memory: A, count: number, make: (count: number) => A): A {
  if (memory.length >= count) return memory;
  const larger = make(Math.max(count, 2 * memory.length));
  larger.set(memory);
  return larger;
}

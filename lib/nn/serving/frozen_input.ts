// Memory that a frozen program reads the rows of its inputs from.
import { type NativeSlab, native } from "../../binding/native.js";
import { fail } from "../../errors.js";
import { LONGEST_OF_CALL } from "../../tensor/ragged.js";
import { listNames, RaggedValue } from "../../tensor/ragged_value.js";
import { inputOf, listsOf, type RowSpec } from "../../tensor/row_spec.js";
import { extent } from "../../tensor/shape.js";
import type { Value } from "../../tensor/value.js";

/** Rows one after another. */
export type FlatRows = Float32Array | Int32Array;

/** Rows that are lists: their ids one list behind the other, where each ends, and a weight an id, if there are some. */
export interface ListRows {
  readonly ids: Int32Array;
  readonly ends: Int32Array;
  readonly weights: Float32Array | undefined;
}

/** Rows of an input as the network takes them. */
export type InputRows = FlatRows | ListRows;

/** Memory that a program calls by a name. */
export interface Port {
  readonly name: string;
  readonly count: number;
  readonly dtype: "f32" | "i32";
}

/** The longest list that an input of calls takes. */
export function longestOfCall({ ragged }: RowSpec): number | undefined {
  return ragged && (ragged.longest ?? LONGEST_OF_CALL);
}

/** An input of a frozen program. */
export class FrozenInput {
  readonly spec: RowSpec;
  readonly ports: readonly Port[];
  /** Ids that a call has room for; `undefined` where rows are no lists. */
  readonly room: number | undefined;
  #averaged = false;
  /** The weights of lists that have none. */
  #ones = new Float32Array();

  constructor(spec: RowSpec, maxBatch: number) {
    const { name, shape, dtype } = spec;
    const longest = longestOfCall(spec);
    this.spec = spec;
    if (longest === undefined) {
      this.room = undefined;
      this.ports = [{ name, count: maxBatch * extent(shape), dtype }];
      return;
    }
    const room = Math.max(longest, Math.min(maxBatch * longest, LONGEST_OF_CALL));
    const names = listNames(name);
    this.room = room;
    this.ports = [
      { name: names.ids, count: room, dtype: "i32" },
      { name: names.ends, count: maxBatch, dtype: "i32" },
      { name: names.weights, count: room, dtype: "f32" },
    ];
  }

  /** Records it. */
  value(): Value {
    const { room } = this;
    return room === undefined ? inputOf(this.spec) : listsOf(this.spec, { room, weights: "optional" });
  }

  /** Notes what was made of its value. */
  note(value: Value): void {
    this.#averaged = value instanceof RaggedValue && value.averaged;
  }

  /** Whether means are made of its lists, whose ids may then have no weights. */
  get averaged(): boolean {
    return this.#averaged;
  }

  /** The row behind as many, from row `from` on, as there is room for; `to` at most. */
  until(x: InputRows, from: number, to: number): number {
    if (this.room === undefined || !("ends" in x)) return to;
    const most = (x.ends[from - 1] ?? 0) + this.room;
    let end = to;
    while (end > from + 1 && (x.ends[end - 1] ?? 0) > most) end -= 1;
    return end;
  }

  /** Copies rows [from, to) into slabs of its ports; `ERR_OPTION` for weights where it takes none. */
  write(x: InputRows, from: number, to: number, [slab, ends, weights]: readonly NativeSlab[]): void {
    if (slab === undefined) return;
    if (!("ends" in x)) {
      const columns = extent(this.spec.shape);
      native.slabWrite(slab, 0, x.subarray(from * columns, to * columns));
      return;
    }
    if (x.weights !== undefined && this.#averaged) failWeights(this.spec.name);
    const begin = x.ends[from - 1] ?? 0;
    const end = x.ends[to - 1] ?? 0;
    native.slabWrite(slab, 0, x.ids.subarray(begin, end));
    const own = x.ends.subarray(from, to);
    if (ends !== undefined) native.slabWrite(ends, 0, begin === 0 ? own : own.map((one) => one - begin));
    if (weights === undefined) return;
    native.slabWrite(weights, 0, x.weights?.subarray(begin, end) ?? this.#onesFor(end - begin));
  }

  #onesFor(count: number): Float32Array {
    if (this.#ones.length < count) this.#ones = new Float32Array(2 * count).fill(1);
    return this.#ones.subarray(0, count);
  }
}

/** `ERR_OPTION`: weights of ids whose bags are means. */
export function failWeights(where: string): never {
  return fail("ERR_OPTION", `${where}.weights`, "none, as means take none,", "some");
}

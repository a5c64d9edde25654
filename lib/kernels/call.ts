import { type NativeArray, type NativeFault, native } from "../binding/native.js";
import type { NativeOperation } from "../binding/operations.js";
import { CarillonError } from "../errors.js";
import { HEAD } from "../ops/encode.js";
import { tableOf } from "../ops/native_table.js";
import { Template } from "../ops/template.js";
import type { ViewsOf } from "../tensor/value.js";
import { explainRefusal, type Operand } from "./arguments.js";

/** Names of the views of an operation. */
export type ViewName<N extends NativeOperation> = keyof ViewsOf<N, NativeArray> & string;

/** Seed and place of a draw, on which it depends besides its index; other kernels read none of it. */
export interface Draw {
  readonly seed: number;
  readonly step: number;
  /** Index of the first element. */
  readonly offset: number;
}

const NO_DRAW: Draw = { seed: 0, step: 1, offset: 0 };

/** What `make` gives, made when somebody first asks: the calls of all kernels take 10 ms of an import, and programs use few. */
export function atFirstUse<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** One instruction, made once and filled in by every call. */
export class Call<N extends NativeOperation> extends Template<N> {
  readonly #where: string;
  readonly #operands: Operand[];
  /** Words of the views, in the order in which the arrays come. */
  readonly #words: readonly number[];

  /**
   * @param views In the order in which the arrays of a call come; several of one name one after another.
   * @param names What messages call an array, where that is not the name of its view.
   */
  constructor(
    where: string,
    operation: N,
    views: readonly ViewName<N>[],
    names: { readonly [K in ViewName<N>]?: string } = {},
    lanes = 0,
  ) {
    super(operation, lanes);
    this.#where = where;
    let word = HEAD;
    const slots = new Map<string, readonly (Operand & { readonly word: number })[]>();
    for (const { name, room, written } of tableOf(operation).views) {
      const first = word;
      const own = (place: number): string => (room === 1 ? name : `${name}[${place}]`);
      const places = Array.from({ length: room }, (_, place) => ({ name: own(place), written, word: first + place }));
      slots.set(name, places);
      word += room;
    }
    this.words.fill(-1, HEAD, word);
    const operands = views.flatMap((view) =>
      (slots.get(view) ?? []).map((slot) => ({ ...slot, name: names[view] ?? slot.name })),
    );
    this.#operands = operands.map(({ name, written }) => ({ name, written }));
    this.#words = operands.map((operand) => operand.word);
  }

  /** Names array `index` in messages from now on. */
  name(index: number, name: string): void {
    this.#operands[index] = { name, written: this.#operands[index]?.written ?? false };
  }

  /**
   * Runs the instruction on `arrays`, `null` for one that is absent. Nothing is written where it throws: `ERR_LABEL` and
   * `ERR_DATA` for what the data make impossible, `ERR_DATA` for arrays that overlap or are shared with other threads.
   */
  run(threads: number, arrays: readonly (NativeArray | null)[], draw: Draw = NO_DRAW): void {
    for (let index = 0; index < arrays.length; index++) {
      this.words[this.#words[index] ?? HEAD] = arrays[index] === null ? -1 : index;
    }
    let fault: NativeFault | null;
    try {
      fault = native.kernel(this.words, draw.seed, draw.step, draw.offset, threads, ...arrays);
    } catch (error) {
      explainRefusal(this.#where, this.#operands, arrays);
      throw error;
    }
    if (fault !== null) this.#impossible(fault);
  }

  #impossible({ what, row, value, limit }: NativeFault): never {
    const list = what === "label" ? "labels" : "indices";
    const where = `${this.#where}.${list}[${row}]`;
    throw new CarillonError(
      what === "label" ? "ERR_LABEL" : "ERR_DATA",
      where,
      `expected an integer in [0, ${limit}) for '${where}' but received ${value}`,
    );
  }
}

import { type NativeArray, type NativeFault, native, nativeInfo } from "../binding/native.js";
import type { NativeOperation } from "../binding/operations.js";
import { CarillonError } from "../errors.js";
import { tableOf } from "../ops/native_table.js";
import { Template } from "../ops/template.js";
import type { ViewsOf } from "../tensor/value.js";
import { explainRefusal, type Operand } from "./arguments.js";

/** What a kernel calls its arrays in messages, where that is not the name of the view. */
export type Names<N extends NativeOperation> = { readonly [K in keyof ViewsOf<N, NativeArray>]?: string };

/** What a draw depends on besides its index; other kernels read none of it. */
export interface Draw {
  readonly seed: number;
  readonly step: number;
  /** Index of the first element. */
  readonly offset: number;
}

const NO_DRAW: Draw = { seed: 0, step: 1, offset: 0 };

type Given = NativeArray | readonly NativeArray[] | null | undefined;

const isList = (given: Given): given is readonly NativeArray[] => Array.isArray(given);

/** One instruction, made once and filled in by every call. */
export class Call<N extends NativeOperation> extends Template<N> {
  readonly #where: string;
  readonly #views: readonly string[];
  readonly #operands: Operand[];

  constructor(where: string, operation: N, names: Names<N> = {}, lanes = 0) {
    super(operation, lanes);
    this.#where = where;
    const known: Readonly<Record<string, string | undefined>> = names;
    const { views } = tableOf(operation);
    this.#views = views.map(({ name }) => name);
    this.#operands = views.flatMap(({ name, room, written }) =>
      Array.from({ length: room }, (_, index) => ({
        name: room === 1 ? (known[name] ?? name) : `${name}[${index}]`,
        written,
      })),
    );
  }

  /** Names array `index` of those under one name in messages from now on. */
  name(view: keyof ViewsOf<N, NativeArray> & string, index: number, name: string): void {
    const at = this.#views.indexOf(view) + index;
    this.#operands[at] = { name, written: this.#operands[at]?.written ?? false };
  }

  /**
   * Runs the instruction on arrays by the names of its views. Nothing is written where it throws: `ERR_LABEL` and `ERR_DATA` for
   * what the data make impossible, `ERR_DATA` for arrays that overlap or are shared with other threads.
   */
  run(threads: number, views: ViewsOf<N, NativeArray>, draw: Draw = NO_DRAW): void {
    const arrays = this.#inOrder(views);
    let fault: NativeFault | null;
    try {
      fault = native.kernel(this.words, draw.seed, draw.step, draw.offset, threads, ...arrays);
    } catch (error) {
      explainRefusal(this.#where, this.#operands, arrays);
      throw error;
    }
    if (fault !== null) this.#impossible(fault);
  }

  #inOrder(views: Readonly<Record<string, Given>>): readonly (NativeArray | null)[] {
    const arrays: (NativeArray | null)[] = [];
    const put = (array: NativeArray | null): void => {
      this.setView(arrays.length, array !== null);
      arrays.push(array);
    };
    for (let view = 0; view < this.#views.length; view++) {
      const given = views[this.#views[view] ?? ""];
      if (!isList(given)) put(given ?? null);
      else for (let index = 0; index < nativeInfo.maxStates; index++) put(given[index] ?? null);
    }
    return arrays;
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

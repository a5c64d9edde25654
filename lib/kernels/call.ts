import { type NativeArray, type NativeFault, native } from "../binding/native.js";
import { CarillonError } from "../errors.js";
import { encode } from "../ops/encode.js";
import { explainRefusal, type Operand } from "./arguments.js";

/** What an instruction has: its operation, its arrays in the order of the native signature, and how many numbers. */
export interface Description {
  /** Name in native/ops/operations.def. */
  readonly operation: string;
  /** Names of the arrays; one that the kernel writes ends with `!`. */
  readonly views: readonly string[];
  readonly ints: number;
  readonly doubles?: number | undefined;
  /** Numbers behind the instruction: a rate and the scalars of a rule. */
  readonly lanes?: number | undefined;
}

/** Words in front of the views: operation, number of views, of ints, of doubles. */
const HEAD = 4;

/** A double as two words, low half first on every machine that has a binary. */
const double = new Float64Array(1);
const halves = new Int32Array(double.buffer);

/** What a draw depends on besides its index; other kernels read none of it. */
export interface Draw {
  readonly seed: number;
  readonly step: number;
  /** Index of the first element. */
  readonly offset: number;
}

const NO_DRAW: Draw = { seed: 0, step: 1, offset: 0 };

/** One instruction, made once and filled in by every call: nothing is allocated between two calls. */
export class Call {
  readonly #where: string;
  readonly #operands: Operand[];
  readonly #words: Int32Array;
  readonly #ints: number;
  readonly #doubles: number;
  readonly #lanes: number;

  constructor(where: string, { operation, views, ints, doubles = 0, lanes = 0 }: Description) {
    this.#where = where;
    this.#operands = views.map((view) => ({ name: view.replace("!", ""), written: view.endsWith("!") }));
    const zeros = (count: number): readonly number[] => Array.from({ length: count }, () => 0);
    const words: number[] = [];
    encode({ operation, views: views.map(() => null), ints: zeros(ints), doubles: zeros(doubles) }, () => -1, words);
    this.#words = Int32Array.from([...words, ...zeros(2 * lanes)]);
    this.#ints = HEAD + views.length;
    this.#doubles = this.#ints + ints;
    this.#lanes = this.#doubles + 2 * doubles;
  }

  /** Names array `index` in messages from now on. */
  name(index: number, name: string): void {
    this.#operands[index] = { name, written: this.#operands[index]?.written ?? false };
  }

  /** Sets integer `index`, which has been checked to be below 2³¹. */
  int(index: number, value: number): void {
    this.#words[this.#ints + index] = value;
  }

  double(index: number, value: number): void {
    this.#write(this.#doubles + 2 * index, value);
  }

  lane(index: number, value: number): void {
    this.#write(this.#lanes + 2 * index, value);
  }

  #write(at: number, value: number): void {
    double[0] = value;
    this.#words[at] = halves[0] ?? 0;
    this.#words[at + 1] = halves[1] ?? 0;
  }

  /**
   * Runs the instruction on `arrays`, `null` for one that is absent. Nothing is written where it throws: `ERR_LABEL` and
   * `ERR_DATA` for what the data make impossible, `ERR_DATA` for arrays that overlap or are shared with other threads.
   */
  run(threads: number, arrays: readonly (NativeArray | null)[], draw: Draw = NO_DRAW): void {
    for (let index = 0; index < arrays.length; index++) {
      this.#words[HEAD + index] = arrays[index] === null ? -1 : index;
    }
    let fault: NativeFault | null;
    try {
      fault = native.kernel(this.#words, draw.seed, draw.step, draw.offset, threads, ...arrays);
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

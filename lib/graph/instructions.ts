import { encode } from "../ops/encode.js";
import type { Instruction, Value } from "../tensor/value.js";
import type { Place, Views } from "./views.js";

/** Words of an instruction before those of its views. */
const HEAD = 4;

/** The instructions of a program, written one after another. */
export class Instructions {
  readonly #views: Views;
  readonly #words: number[] = [];
  #count = 0;

  constructor(views: Views) {
    this.#views = views;
  }

  /** How many were written. */
  get count(): number {
    return this.#count;
  }

  get words(): Int32Array {
    return Int32Array.from(this.#words);
  }

  /** One over values. */
  emit(instruction: Instruction, placeOf: (value: Value) => Place): void {
    this.#count += 1;
    encode(instruction, (value) => this.#views.view(placeOf(value)), this.#words);
  }

  /** One over places that belong to no value; `null`: no such operand. */
  emitPlaced(
    operation: string,
    places: readonly (Place | null)[],
    ints: readonly number[],
    doubles: readonly number[],
  ): void {
    this.#count += 1;
    const indices = places.map((place) => (place === null ? -1 : this.#views.view(place)));
    const words: number[] = [];
    encode({ operation, views: places.map(() => null), ints, doubles }, () => -1, words);
    for (const [index, view] of indices.entries()) words[HEAD + index] = view;
    this.#words.push(...words);
  }
}

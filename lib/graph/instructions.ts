import type { NativeOperation } from "../binding/operations.js";
import { encode } from "../ops/encode.js";
import type { Instruction, NumbersOf, Value, ViewsOf } from "../tensor/value.js";
import type { Place, Views } from "./views.js";

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

  /** One over places that belong to no value. */
  emitPlaced<N extends NativeOperation>(operation: N, views: ViewsOf<N, Place>, numbers: NumbersOf<N>): void {
    this.#count += 1;
    encode<Place>({ operation, views, numbers }, (place) => this.#views.view(place), this.#words);
  }
}

import { type NativeSlab, native } from "../../binding/native.js";
import type { Effect, Emitter } from "../../graph/effect.js";
import { elements } from "../../tensor/shape.js";
import type { Value } from "../../tensor/value.js";

/** Keeps a value's rows of the last `steps` steps: [steps, batch, columns], step s at (s − 1) mod `steps`. */
export class Collected implements Effect {
  readonly reads: readonly [Value];
  readonly barrier = false;
  readonly #slab: NativeSlab;
  readonly #columns: number;
  readonly #batch: number;
  readonly #steps: number;
  readonly #buffer: Float32Array | Int32Array;

  /** @param batch Rows of a batch, at most. */
  constructor(value: Value, batch: number, steps: number) {
    this.reads = [value];
    this.#columns = elements(value.shape);
    this.#batch = batch;
    this.#steps = steps;
    const count = steps * batch * this.#columns;
    this.#slab = native.slabCreate(count, value.dtype);
    this.#buffer = value.dtype === "i32" ? new Int32Array(count) : new Float32Array(count);
  }

  emit(emitter: Emitter): void {
    this.#emit(emitter, this.reads[0]);
  }

  /** Keeps the rows of the value that stands for it in another program. */
  again(value: Value): Effect {
    return { reads: [value], barrier: false, emit: (emitter) => this.#emit(emitter, value) };
  }

  #emit(emitter: Emitter, value: Value): void {
    const count = this.#steps * this.#batch * this.#columns;
    const kept = emitter.memory(this.#slab, "write", { count, dtype: value.dtype });
    const sizes = { rows: -1, columns: this.#columns, batch: this.#batch, steps: this.#steps };
    emitter.emit("collect", { x: emitter.placeOf(value), kept }, sizes);
  }

  /** Brings the rows of steps [begin, end) of the memory over here. */
  read(begin: number, end: number): void {
    const width = this.#batch * this.#columns;
    native.slabRead(this.#slab, begin * width, this.#buffer.subarray(begin * width, end * width));
  }

  /** The first `rows` rows of a step of the memory, as they were read last. */
  rows(step: number, rows: number): Float32Array | Int32Array {
    const first = step * this.#batch * this.#columns;
    return this.#buffer.subarray(first, first + rows * this.#columns);
  }
}

// Arrays of the tests: each lies between guards, and what a kernel should not write is remembered.
import type { NativeArray } from "../../lib/binding/native.js";
import { numbers } from "../train/synthetic.js";

/** Elements in front of and behind an array, more than the widest vector. */
const GUARD = 20;

/** Written nowhere by a kernel on purpose. */
const PATTERN = 0x7a;

interface Held {
  readonly array: NativeArray;
  /** Its bytes when it was made. */
  readonly before: Uint8Array;
  readonly whole: Uint8Array;
}

/** Bytes of any typed array. */
export function bytes(array: NativeArray): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** The bits of several arrays as text. */
export function bits(arrays: readonly NativeArray[]): string {
  return arrays.map((array) => Buffer.from(bytes(array)).toString("hex")).join(" ");
}

/** Makes the arrays of one call, `shift` elements off an address that 64 divides. */
export class Memory {
  readonly #shift: number;
  readonly #next: () => number;
  readonly #held: Held[] = [];

  constructor(seed: number, shift = 0) {
    this.#next = numbers(seed);
    this.#shift = shift;
  }

  /** Floats in [low, high), the same for the same seed and order of calls. */
  floats(count: number, low = -2, high = 2): Float32Array {
    const values = Array.from({ length: count }, () => low + this.#next() * (high - low));
    return this.#hold(Float32Array, values);
  }

  /** Integers in [0, limit). */
  integers(count: number, limit: number): Int32Array {
    return this.#hold(
      Int32Array,
      Array.from({ length: count }, () => Math.floor(this.#next() * limit)),
    );
  }

  bytes(count: number): Uint8Array {
    return this.#hold(
      Uint8Array,
      Array.from({ length: count }, () => Math.floor(this.#next() * 256)),
    );
  }

  /** What is wrong with the memory around and outside of `written`. */
  faults(written: readonly NativeArray[]): readonly string[] {
    return this.#held.flatMap(({ array, before, whole }, index) => {
      const begin = array.byteOffset;
      const end = begin + array.byteLength;
      const outside = whole.findIndex((byte, at) => (at < begin || at >= end) && byte !== PATTERN);
      const changed = !written.includes(array) && Buffer.compare(bytes(array), before) !== 0;
      return [
        ...(outside < 0 ? [] : [`array ${index}: written at byte ${outside - begin} of ${array.byteLength}`]),
        ...(changed ? [`array ${index}: an input was written`] : []),
      ];
    });
  }

  #hold<A extends NativeArray>(
    type: { new (buffer: ArrayBuffer, offset: number, length: number): A; readonly BYTES_PER_ELEMENT: number },
    values: readonly number[],
  ): A {
    const size = type.BYTES_PER_ELEMENT;
    const buffer = new ArrayBuffer((values.length + 2 * GUARD + this.#shift) * size);
    const whole = new Uint8Array(buffer).fill(PATTERN);
    const array = new type(buffer, (GUARD + this.#shift) * size, values.length);
    array.set(values);
    this.#held.push({ array, before: bytes(array).slice(), whole });
    return array;
  }
}

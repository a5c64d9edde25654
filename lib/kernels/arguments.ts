import type { NativeArray } from "../binding/native.js";
import { THREADS, threadsFor } from "../binding/threads.js";
import { CarillonError, fail, tagOf } from "../errors.js";
import { checkNumber } from "../options.js";
import { isFloats, isInts, isUint8Array } from "../tensor/arrays.js";
import { isDetached } from "../tensor/detached.js";

/** Options that every kernel takes beside its arrays and numbers. */
export interface ThreadOptions {
  /**
   * Threads that may take part, the calling one included: 1 by default. More are helpers of the process-wide pool; a kernel
   * uses fewer where the work is small or the helpers are taken. The bits of the result are the same for any number.
   */
  readonly threads?: number | undefined;
}

/** Elements of an array at most: counts are 32-bit words of an instruction. */
const MOST_ELEMENTS = 2_147_483_647;

const SIZE = { min: 1, max: MOST_ELEMENTS, integer: true } as const;
const COUNT = { min: 0, max: MOST_ELEMENTS, integer: true } as const;

/** `threads` of a call, 1 where nothing is said. */
export function checkThreads(where: string, threads: number | undefined): number {
  return threads === undefined ? 1 : threadsFor(checkNumber(where, threads, THREADS));
}

/** An integer in [1, 2³¹). */
export function checkSize(where: string, size: number): number {
  return checkNumber(where, size, SIZE);
}

/** An integer in [0, 2³¹): rows may be none. */
export function checkCount(where: string, count: number): number {
  return checkNumber(where, count, COUNT);
}

/** `array` as a Float32Array of exactly `length` elements: else `ERR_DTYPE`, `ERR_SHAPE` or `ERR_DETACHED`. */
export function checkFloats(where: string, array: Float32Array, length: number): Float32Array {
  if (!isFloats(array)) fail("ERR_DTYPE", where, "a Float32Array", array);
  if (array.length !== length || length === 0) checkLength(where, array, length);
  return array;
}

/** As {@link checkFloats} of an Int32Array. */
export function checkIntegers(where: string, array: Int32Array, length: number): Int32Array {
  if (!isInts(array)) fail("ERR_DTYPE", where, "an Int32Array", array);
  if (array.length !== length || length === 0) checkLength(where, array, length);
  return array;
}

/** As {@link checkFloats} of a Uint8Array. */
export function checkBytes(where: string, array: Uint8Array, length: number): Uint8Array {
  if (!isUint8Array(array)) fail("ERR_DTYPE", where, "a Uint8Array", array);
  if (array.length !== length || length === 0) checkLength(where, array, length);
  return array;
}

/** Elements of a Float32Array that says how long the others are: fewer than 2³¹. */
export function lengthOf(where: string, array: Float32Array): number {
  if (!isFloats(array)) fail("ERR_DTYPE", where, "a Float32Array", array);
  return countOf(where, array);
}

/** As {@link lengthOf} of an Int32Array. */
export function lengthOfIntegers(where: string, array: Int32Array): number {
  if (!isInts(array)) fail("ERR_DTYPE", where, "an Int32Array", array);
  return countOf(where, array);
}

/** Elements of an array whose type has been checked. */
export function countOf(where: string, array: NativeArray): number {
  const { length } = array;
  if (length === 0 || length > MOST_ELEMENTS) checkLength(where, array, Math.min(length, MOST_ELEMENTS));
  return length;
}

function checkLength(where: string, array: NativeArray, length: number): void {
  if (isDetached(array)) detached(where);
  if (array.length === length) return;
  throw new CarillonError(
    "ERR_SHAPE",
    where,
    `expected ${length} elements for '${where}' but received ${array.length}`,
  );
}

function detached(where: string): never {
  throw new CarillonError("ERR_DETACHED", where, `expected an array for '${where}' but its buffer was detached`);
}

/** Whether two arrays share bytes. */
export function overlap(a: NativeArray, b: NativeArray): boolean {
  if (a.buffer !== b.buffer) return false;
  return a.byteOffset < b.byteOffset + b.byteLength && b.byteOffset < a.byteOffset + a.byteLength;
}

/** `ERR_DATA` that names two arrays which may not share bytes. */
export function refuseOverlap(where: string, written: string, other: string): never {
  throw new CarillonError(
    "ERR_DATA",
    `${where}.${written}`,
    `expected memory of its own for '${where}.${written}', which is written, but it overlaps '${where}.${other}'`,
  );
}

/** An array of a call: its name in messages, and whether the kernel writes it. */
export interface Operand {
  readonly name: string;
  readonly written: boolean;
}

/**
 * Throws the reason why native code refused arrays whose types and lengths hold: shared memory or bytes in common, both
 * `ERR_DATA`. Looked for only then, as a question to the engine for each buffer costs more than a small kernel.
 */
export function explainRefusal(
  where: string,
  operands: readonly Operand[],
  arrays: readonly (NativeArray | null)[],
): void {
  const given = operands.flatMap((operand, index) => {
    const array = arrays[index];
    return array === undefined || array === null ? [] : [{ ...operand, array }];
  });
  const shared = given.find(({ array }) => tagOf(array.buffer) === "SharedArrayBuffer");
  if (shared !== undefined) {
    throw new CarillonError(
      "ERR_DATA",
      `${where}.${shared.name}`,
      `expected memory of this thread alone for '${where}.${shared.name}' but received a SharedArrayBuffer`,
    );
  }
  const pairs = given
    .filter(({ written }) => written)
    .flatMap((one) =>
      given.filter((other) => other !== one && overlap(one.array, other.array)).map((other) => ({ one, other })),
    );
  // The very same elements are at fault only where the kernel does not work in place.
  const pair = pairs.find(({ one, other }) => !same(one.array, other.array)) ?? pairs[0];
  if (pair !== undefined) refuseOverlap(where, pair.one.name, pair.other.name);
}

function same(a: NativeArray, b: NativeArray): boolean {
  return a.byteOffset === b.byteOffset && a.byteLength === b.byteLength;
}

import { checkNumber } from "../options.js";

/** Four words of 32 bits: the place of a draw. */
export type Counter = readonly [number, number, number, number];

/** Two words of 32 bits: the seed of all draws. */
export type Key = readonly [low: number, high: number];

const TWO_32 = 4294967296;

/** Multipliers and key increments (golden ratio, √3 − 1) of the paper. */
const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;
const ROUNDS = 10;

/**
 * Philox4x32-10: four random words as a function of a counter and a key, nothing else. There is no state.
 *
 * All words are taken modulo 2³². Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011.
 *
 * @returns A new array of four words.
 */
export function philox(counter: Counter, key: Key): Uint32Array<ArrayBuffer> {
  let [x0, x1, x2, x3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < ROUNDS; round++) {
    const y0 = highWord(MULTIPLIER_1, x2) ^ x1 ^ k0;
    const y2 = highWord(MULTIPLIER_0, x0) ^ x3 ^ k1;
    x1 = Math.imul(MULTIPLIER_1, x2);
    x3 = Math.imul(MULTIPLIER_0, x0);
    x0 = y0;
    x2 = y2;
    k0 = (k0 + WEYL_0) | 0;
    k1 = (k1 + WEYL_1) | 0;
  }
  return Uint32Array.of(x0, x1, x2, x3);
}

/** The upper 32 bits of the product of two words, from products of 16 bits (a double holds only 53). */
function highWord(a: number, b: number): number {
  const aHigh = a >>> 16;
  const aLow = a & 0xffff;
  const bHigh = b >>> 16;
  const bLow = b & 0xffff;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carried = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + (middle >>> 16) + (carried >>> 16)) | 0;
}

/** The key of a seed: its lower and upper 32 bits. A seed is an integer in [0, 2⁵³), else `ERR_OPTION`. */
export function seedKey(where: string, seed: number): Key {
  checkNumber(where, seed, { min: 0, integer: true });
  return [seed % TWO_32, Math.floor(seed / TWO_32)];
}

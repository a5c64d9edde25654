import { drawBelow } from "../tensor/draw_below.js";
import type { Key } from "../tensor/philox.js";

/**
 * A random order of the numbers 0 … count − 1, the same on every machine (Fisher, Yates; Durstenfeld 1964).
 *
 * For i = count − 1 … 1 the places i and j swap, j uniform over 0 … i. j comes from the words of the blocks
 * Philox(counter = (i, block, series, purpose), key), block = 0, 1, …: the first word below the largest multiple of
 * i + 1 that is at most 2³², modulo i + 1. Larger words are rejected, so every order is equally likely.
 *
 * @param count At most 2³².
 * @param purpose Keeps draws of different uses of one seed apart.
 * @param series Keeps those of one use apart, 0 by default.
 */
export function permutation(count: number, purpose: number, key: Key, series = 0): Uint32Array<ArrayBuffer> {
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  for (let last = count - 1; last > 0; last--) {
    const other = drawBelow(last + 1, last, purpose, key, series);
    const moved = order[last] ?? 0;
    order[last] = order[other] ?? 0;
    order[other] = moved;
  }
  return order;
}

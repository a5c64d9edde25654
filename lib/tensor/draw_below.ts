import { type Key, philox } from "./philox.js";

const TWO_32 = 4294967296;

/** Words of one Philox block. */
const BLOCK = 4;

/** Purposes that there can be: the high bits of an index stand above them. */
const PURPOSES = 256;

/**
 * A number in [0, bound) without bias, bound at most 2³²; `index` < 2⁵³ is the place of the draw, `series` keeps draws at
 * the same places apart. It is the first word of the blocks Philox(counter = (index, block, series, purpose), key), block = 0, 1, …, below the largest multiple of
 * `bound` that is at most 2³², modulo `bound`.
 */
export function drawBelow(bound: number, index: number, purpose: number, key: Key, series = 0): number {
  const limit = TWO_32 - (TWO_32 % bound);
  const last = purpose + PURPOSES * Math.floor(index / TWO_32);
  for (let block = 0; ; block++) {
    const words = philox([index % TWO_32, block, series, last], key);
    for (let word = 0; word < BLOCK; word++) {
      const value = words[word] ?? 0;
      if (value < limit) return value % bound;
    }
  }
}

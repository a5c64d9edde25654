import { expect, test } from "vitest";
import { type Counter, type Key, philox, seedKey } from "../../lib/tensor/philox.js";

const hex = (words: Uint32Array): string => Array.from(words, (word) => word.toString(16).padStart(8, "0")).join(" ");

// Known answers of Random123 (tests/kat_vectors, philox4x32 with 10 rounds).
test.each<[Counter, Key, string]>([
  [[0, 0, 0, 0], [0, 0], "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
  [[0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], "408f276d 41c83b0e a20bc7c6 6d5451fd"],
  [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], "d16cfe09 94fdcceb 5001e420 24126ea1"],
])("known answer for %o %o", (counter, key, words) => {
  expect(hex(philox(counter, key))).toBe(words);
});

/** The same in whole numbers of any size: nothing is split, nothing can overflow. */
function reference(counter: Counter, key: Key): bigint[] {
  const mask = 0xffffffffn;
  let [a, b, c, d] = counter.map(BigInt) as [bigint, bigint, bigint, bigint];
  let [k0, k1] = key.map(BigInt) as [bigint, bigint];
  for (let round = 0; round < 10; round++) {
    const first = a * 0xd2511f53n;
    const second = c * 0xcd9e8d57n;
    [a, b, c, d] = [(second >> 32n) ^ b ^ k0, second & mask, (first >> 32n) ^ d ^ k1, first & mask];
    k0 = (k0 + 0x9e3779b9n) & mask;
    k1 = (k1 + 0xbb67ae85n) & mask;
  }
  return [a, b, c, d];
}

test("agrees with whole numbers of any size over 2,000 places", () => {
  let words: Counter = [1, 2, 3, 4];
  for (let round = 0; round < 2000; round++) {
    const key: Key = [words[0], words[3]];
    const drawn = philox(words, key);
    expect(Array.from(drawn, BigInt)).toEqual(reference(words, key));
    words = [...drawn] as unknown as Counter;
  }
});

test("a seed is cut into two words", () => {
  expect(seedKey("seed", 0)).toEqual([0, 0]);
  expect(seedKey("seed", 0xffffffff)).toEqual([0xffffffff, 0]);
  expect(seedKey("seed", 2 ** 53 - 1)).toEqual([0xffffffff, 0x1fffff]);
  expect(seedKey("seed", 2 ** 32 + 5)).toEqual([5, 1]);
  for (const seed of [-1, 0.5, 2 ** 53, Number.NaN, "1"]) {
    expect(() => seedKey("fit.seed", seed as number)).toThrow(
      expect.objectContaining({ code: "ERR_OPTION", where: "fit.seed" }),
    );
  }
});

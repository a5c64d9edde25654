import { expect, test } from "vitest";
import { permutation } from "../../lib/data/permutation.js";
import { drawBelow } from "../../lib/tensor/draw_below.js";
import { philox, seedKey } from "../../lib/tensor/philox.js";

test("every number once, for every length", () => {
  for (let count = 0; count < 70; count++) {
    const sorted = [...permutation(count, 5, [1, 0])].sort((a, b) => a - b);
    expect(sorted).toEqual(Array.from({ length: count }, (_, index) => index));
  }
});

test("the order is fixed for good", () => {
  // Derived here by the documented rule: at 3 elements the first word of a block is rejected with probability 2^-32.
  const [first = 0] = philox([2, 0, 0, 5], [9, 0]);
  const [second = 0] = philox([1, 0, 0, 5], [9, 0]);
  const expected = [0, 1, 2];
  const swap = (a: number, b: number) => {
    const [left = 0, right = 0] = [expected[a], expected[b]];
    expected[a] = right;
    expected[b] = left;
  };
  swap(2, first % 3);
  swap(1, second % 2);
  expect([...permutation(3, 5, [9, 0])]).toEqual(expected);
});

test("depends on every word of the key and on the purpose", () => {
  const orders = [
    permutation(50, 5, [0, 0]),
    permutation(50, 5, [1, 0]),
    permutation(50, 5, [0, 1]),
    permutation(50, 6, [0, 0]),
  ];
  expect(new Set(orders.map((order) => order.join())).size).toBe(4);
});

test("all orders of 4 come equally often", () => {
  const seeds = 12_000;
  const counts = new Map<string, number>();
  for (let seed = 0; seed < seeds; seed++) {
    const order = permutation(4, 5, seedKey("seed", seed)).join();
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  expect(counts.size).toBe(24);
  const expected = seeds / 24;
  const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  // 23 degrees of freedom: above 58.6 with probability 6e-5, and the seeds are fixed.
  expect(chiSquare).toBeLessThan(58.6);
});

test("words above the largest multiple of the bound are rejected, in the order of the blocks", () => {
  // A quarter of all words is rejected; with the modulo alone the lowest third would come twice as often.
  const bound = 3 * 2 ** 30;
  let rejected = 0;
  for (let index = 0; index < 2000; index++) {
    const words = [0, 1, 2, 3].flatMap((block) => [...philox([index, block, 0, 5], [7, 0])]);
    const accepted = words.findIndex((word) => word < bound);
    rejected += accepted;
    expect(drawBelow(bound, index, 5, [7, 0])).toBe(words[accepted]);
  }
  // So that the branch is known to have been taken, also across a block: 2,000 draws reject 667 words on average.
  expect(rejected).toBeGreaterThan(500);
});

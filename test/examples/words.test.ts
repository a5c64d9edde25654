// What examples/words is there to show.
import { describe, expect, test } from "vitest";
import { COLUMNS, hashed, learnReviews } from "../../examples/words/bag.js";
import { reviews } from "../../examples/words/reviews.js";

describe("hashing", () => {
  test("a word is FNV-1a of its bytes: values of the page that defines it", () => {
    // "a" e40c292c, "foobar" bf9cf968 (Fowler, Noll, Vo).
    const { offsets, ids } = hashed(["a foobar", "", "a"], false);
    expect([...ids]).toEqual([0xe40c292c % COLUMNS, 0xbf9cf968 % COLUMNS, 0xe40c292c % COLUMNS]);
    expect([...offsets]).toEqual([0, 2, 2, 3]);
  });

  test("neighbours stand behind the words", () => {
    const [words, both] = [hashed(["not good"], false), hashed(["not good"], true)];
    expect([...both.ids.subarray(0, 2)]).toEqual([...words.ids]);
    expect([...both.offsets]).toEqual([0, 3]);
  });
});

test("a bag of words cannot tell what 'not' turns round; with neighbours it can", async () => {
  const [known, held] = [reviews(4_000), reviews(1_000, 4_000)];
  // The deviation of a share of 1,000 that are half and half is 0.016.
  expect(await learnReviews(known, held, { epochs: 6, seed: 1, pairs: false })).toBeLessThan(0.58);
  expect(await learnReviews(known, held, { epochs: 6, seed: 1, pairs: true })).toBeGreaterThan(0.98);
}, 60_000);

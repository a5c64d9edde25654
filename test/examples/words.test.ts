// What examples/words is there to show.
import { describe, expect, test } from "vitest";
import { COLUMNS, hashed, learnReviews } from "../../examples/words/bag.js";
import { reviews } from "../../examples/words/reviews.js";

describe("hashing", () => {
  test("a word is FNV-1a of its bytes: values of the page that defines it", () => {
    // "a" e40c292c, "foobar" bf9cf968 (Fowler, Noll, Vo).
    const { data } = hashed(["a foobar"], false, 3);
    expect([...data]).toEqual([0xe40c292c % COLUMNS, 0xbf9cf968 % COLUMNS, -1]);
  });

  test("neighbours stand behind the words", () => {
    const [words, both] = [hashed(["not good"], false, 4), hashed(["not good"], true, 4)];
    expect([...both.data].slice(0, 2)).toEqual([...words.data].slice(0, 2));
    expect(both.data[2]).not.toBe(-1);
    expect(both.data[3]).toBe(-1);
  });
});

test("a bag of words cannot tell what 'not' turns round; with neighbours it can", async () => {
  const [known, held] = [reviews(4_000), reviews(1_000, 4_000)];
  // The deviation of a share of 1,000 that are half and half is 0.016.
  expect(await learnReviews(known, held, { epochs: 6, seed: 1, pairs: false })).toBeLessThan(0.58);
  expect(await learnReviews(known, held, { epochs: 6, seed: 1, pairs: true })).toBeGreaterThan(0.98);
}, 60_000);

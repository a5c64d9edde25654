import { readFile } from "node:fs/promises";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { split } from "../../lib/data/split.js";

const example = (name: string): Promise<Buffer> => readFile(new URL(`../../examples/${name}`, import.meta.url));

const digits = gunzipSync(await example("data/digits.csv.gz"))
  .toString()
  .trim()
  .split("\n")
  .slice(1)
  .map((line) => Number(line.split(",").at(-1)));

test("the committed split of the digits is the one that split draws", async () => {
  const committed: { seed: number; rows: number; test: number[] } = JSON.parse(
    String(await example("digits/split.json")),
  );
  const x = digits.map((_, row) => [row]);
  const { validation } = split({ x, y: digits }, { validation: 360, stratify: true, seed: committed.seed });
  expect(committed.rows).toBe(digits.length);
  expect(committed.test).toEqual(validation.x.flat());
});

test("every digit has its share of the test set, to the nearest image", async () => {
  const committed: { test: number[] } = JSON.parse(String(await example("digits/split.json")));
  expect(new Set(committed.test).size).toBe(360);
  for (let digit = 0; digit < 10; digit++) {
    const all = digits.filter((one) => one === digit).length;
    const held = committed.test.filter((row) => digits[row] === digit).length;
    expect(Math.abs(held - (all * 360) / 1797)).toBeLessThan(1);
  }
});

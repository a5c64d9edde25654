// What examples/characters is there to show.
import { expect, test } from "vitest";
import { learn, transformer, written, writtenAnew } from "../../examples/characters/models.js";
import { knownShare } from "../../examples/characters/text.js";

test("a transformer writes words of the sonnets, and a letter with a cache is the letter without", async () => {
  const model = transformer();
  const losses = await learn(model, { epochs: 6, stride: 9, seed: 1 });
  expect(losses.at(-1)).toBeLessThan(2);
  const text = await written(model, "When I ", 200);
  expect(knownShare(text)).toBeGreaterThan(0.5);
  expect(writtenAnew(model, "Love is", 30).slice(0, 7)).toBe("Love is");
}, 60_000);

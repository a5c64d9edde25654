// What examples/characters is there to show.
import { expect, test } from "vitest";
import { learn, recurrent, transformer, written } from "../../examples/characters/models.js";
import { knownShare, TEXT } from "../../examples/characters/text.js";

test("a transformer learns letters and writes on", async () => {
  const model = transformer();
  const losses = await learn(model, { epochs: 5, stride: 9, seed: 1 });
  // A letter by how often it occurs: 3.1 nats.
  expect(losses.at(-1)).toBeLessThan(2.5);
  const text = await written(model, "When I ", 150);
  expect(text).toHaveLength(157);
  expect(text.startsWith("When I ")).toBe(true);
}, 60_000);

test("a GRU writes on with its state, beyond the letters of a row", async () => {
  const text = await written(recurrent().initialize(1), "Love is", 150);
  expect(text).toHaveLength(157);
  expect(text.startsWith("Love is")).toBe(true);
});

test("words of the sonnets are known, others are not", () => {
  expect(knownShare(TEXT)).toBe(1);
  expect(knownShare("love is a carburettor indeed")).toBe(0.75);
});

// What examples/categories is there to show.
import { expect, test } from "vitest";
import { learnCodes, learnSales, type Progress } from "../../examples/categories/forecast.js";
import { NOISE, sales } from "../../examples/categories/sales.js";

test("embeddings come near to what is drawn beside the sales, codes as numbers do not", async () => {
  const [known, held] = [sales(12_000), sales(2_000, 12_000)];
  const told: Progress[] = [];
  await learnSales(known, held, { epochs: 10, seed: 1 }, (progress) => told.push(progress));
  expect(told).toHaveLength(10);
  const rmse = told.at(-1)?.rmse ?? Number.NaN;
  expect(rmse).toBeGreaterThan(NOISE);
  expect(rmse).toBeLessThan(2.5 * NOISE);
  expect(await learnCodes(known, held, { epochs: 10, seed: 1 })).toBeGreaterThan(6 * NOISE);
}, 60_000);

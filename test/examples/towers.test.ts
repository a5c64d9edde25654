// What examples/towers is there to show.
import { expect, test } from "vitest";
import { ratings } from "../../examples/towers/ratings.js";
import { learnRatings, type Progress } from "../../examples/towers/towers.js";

test("two towers learn ratings of pairs that they have not seen, far below the spread of these", async () => {
  const [known, held] = [ratings(30_000), ratings(2_000, 30_000)];
  const told: Progress[] = [];
  await learnRatings(known, held, { epochs: 10, seed: 1 }, (progress) => told.push(progress));
  const { rating } = held.y;
  const mean = rating.reduce((sum, one) => sum + one, 0) / rating.length;
  const spread = Math.sqrt(rating.reduce((sum, one) => sum + (one - mean) ** 2, 0) / rating.length);
  const last = told.at(-1);
  expect(last?.rmse).toBeLessThan(0.5 * spread);
  expect(last?.auc).toBeGreaterThan(0.9);
}, 60_000);

// What examples/optimizers is there to show, with fewer epochs and rates.
import { beforeAll, describe, expect, test } from "vitest";
import { type Digits, loadDigits } from "../../examples/digits/digits.js";
import { CONTESTANTS } from "../../examples/optimizers/contestants.js";
import { bestPath, SURFACES } from "../../examples/optimizers/paths.js";
import { trainContestant } from "../../examples/optimizers/train.js";

let digits: { readonly train: Digits; readonly test: Digits };

beforeAll(async () => {
  digits = await loadDigits();
});

describe("every optimizer learns digits", () => {
  test.for(CONTESTANTS)("$name", async (contestant) => {
    const race = { ...digits, epochs: 4, seeds: [0], rates: [0.003, 0.01, 0.1, 1, 10] };
    const { losses, accuracy } = await trainContestant(contestant, race);
    expect(losses).toHaveLength(race.epochs);
    expect(losses.at(-1)).toBeLessThan((losses[0] ?? 0) / 2);
    expect(accuracy).toBeGreaterThan(0.9);
  });
});

describe.for(SURFACES)("paths over $name", (surface) => {
  test.for(CONTESTANTS)("$name ends near the minimum", (contestant) => {
    const rates = [0.01, 0.03, 0.1, 1, 10, 30];
    const { points, distance } = bestPath(contestant, surface, rates);
    expect(points).toHaveLength(surface.steps + 1);
    expect(points[0]).toEqual(surface.start);
    expect(distance).toBeLessThan(0.02);
  });
});

// What examples/forecast is there to show.
import { expect, test } from "vitest";
import { forecast } from "../../examples/forecast/forecast.js";

test("temperatures of a week are told better than as a year ago, with intervals that hold what they say", async () => {
  const { network, lastYear, lastDay, covered, widths } = await forecast({ epochs: 15, seed: 1 });
  expect(network).toBeLessThan(0.8 * lastYear);
  expect(network).toBeLessThan(0.9 * lastDay);
  expect(covered).toBeGreaterThan(0.72);
  expect(covered).toBeLessThan(0.88);
  expect(widths[0]).toBeLessThan(widths[1]);
}, 60_000);

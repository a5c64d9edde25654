// What examples/series is there to show.
import { expect, test } from "vitest";
import { forecast } from "../../examples/series/forecast.js";

test("a GRU over a week foretells the next day better than who says that it is as it was", async () => {
  const { network, yesterday, lastWeek } = await forecast({ hours: 4_000, epochs: 8, seed: 1 });
  expect(network).toBeLessThan(0.75 * Math.min(yesterday, lastWeek));
}, 60_000);

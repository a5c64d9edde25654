// A small version of `npm run stream-test`.
import { expect, test } from "vitest";
import { type Meter, trainOnCsv } from "./csv.js";

test("a CSV is trained as it is generated", async () => {
  const meter: Meter = { bytes: 0, rows: 0 };
  let learned = 0;
  const epoch = await trainOnCsv({
    bytes: 4e6,
    shuffleBuffer: 1000,
    meter,
    progress(_step, loss) {
      learned = loss;
    },
  });
  expect(meter.bytes).toBeGreaterThanOrEqual(4e6);
  // Lines of 16 · 13 + 2 characters, behind the names.
  expect(meter.rows).toBe(Math.floor(meter.bytes / 210));
  expect(epoch.step).toBe(Math.ceil(meter.rows / 64));
  expect(epoch.metrics.accuracy).toBeGreaterThan(0.85);
  expect(learned).toBeLessThan(0.3);
});

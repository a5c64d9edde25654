// What examples/job is there to show: a file says what is learned, and a run says it back.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readJob, runJob, writeJob } from "../../examples/job/job.js";
import { moons } from "../../examples/job/moons.js";
import { bitsOf } from "../train/synthetic.js";

const text = readFileSync(new URL("../../examples/job/job.json", import.meta.url), "utf8");

test("the job of the file learns the two moons, and what is written of it is the same job", async () => {
  const job = readJob(text);
  const result = await runJob(job, moons(512), moons(256, 512));
  expect(result.best?.value).toBeLessThan(0.3);
  const { metrics } = await job.model.evaluate(moons(256, 512), { loss: job.loss, metrics: ["accuracy"] });
  expect(metrics.accuracy).toBeGreaterThan(0.95);
  const written = writeJob(job);
  expect(writeJob(readJob(written))).toBe(written);
  const again = readJob(written);
  await runJob(again, moons(512), moons(256, 512));
  expect(bitsOf(again.model)).toBe(bitsOf(job.model));
});

test("what the file cannot mean is told by its place", () => {
  const wrong = text.replace('"cosineDecay"', '"cosine"');
  expect(() => readJob(wrong)).toThrow("optimizer.options.lr.options.schedule.kind");
});

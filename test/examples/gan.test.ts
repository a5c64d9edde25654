// What examples/gan is there to show, with fewer steps.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeGan, type Progress, trainGan } from "../../examples/gan/gan.js";
import { energyDistance, picture, ring } from "../../examples/gan/ring.js";

const data = ring(8192);

test("the distance is 0 for the same points, small for others of the ring, and large for a blob", () => {
  const [first, second] = [data.subarray(0, 2048), data.subarray(8192, 10_240)];
  expect(energyDistance(first, first)).toBe(0);
  expect(energyDistance(first, second)).toBeLessThan(0.001);
  // A single point at the middle: 2·E‖x‖ − E‖x − x′‖, and on a circle the mean chord is 4/π; the ring's width changes little.
  expect(energyDistance(first, new Float32Array(2))).toBeCloseTo(2 - 4 / Math.PI, 2);
});

test("generated points come fifty times nearer to the data", async () => {
  const { generate } = makeGan(1).programs;
  const before = energyDistance(Float32Array.from((await generate.run({})).points.data), data.subarray(0, 2048));
  const told: Progress[] = [];
  const points = await trainGan(data, { steps: 1000, every: 500, seed: 1 }, (progress) => told.push(progress));
  expect(told.map(({ step }) => step)).toEqual([500, 1000]);
  expect(told.at(-1)?.distance).toBeLessThan(before / 50);
  // Every eighth of the circle has its share of the points, and the middle is empty.
  const eighths = new Array<number>(8).fill(0);
  let inside = 0;
  for (let at = 0; at < points.length; at += 2) {
    const [x = 0, y = 0] = points.subarray(at, at + 2);
    const eighth = Math.floor(((Math.atan2(y, x) + Math.PI) / (2 * Math.PI)) * 8) % 8;
    eighths[eighth] = (eighths[eighth] ?? 0) + 1;
    if (Math.hypot(x, y) < 0.5) inside += 1;
  }
  expect(points.length).toBe(2048);
  for (const count of eighths) expect(count).toBeGreaterThan(64); // half of an even share
  expect(inside).toBeLessThan(52); // a twentieth
  expect(picture(points).split("\n")).toHaveLength(24);
});

test("a training that was interrupted ends with the bits of one that was not", async () => {
  const dir = mkdtempSync(join(tmpdir(), "carillon-gan-"));
  try {
    const training = { steps: 60, every: 20, seed: 3 };
    const whole = await trainGan(data, training);
    const checkpoint = join(dir, "loop.safetensors");
    await trainGan(data, { ...training, steps: 40, checkpoint });
    const steps: number[] = [];
    const resumed = await trainGan(data, { ...training, checkpoint }, ({ step }) => steps.push(step));
    expect(steps).toEqual([60]);
    expect(resumed).toEqual(whole);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

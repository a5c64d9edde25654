// What examples/gradient-penalty is there to show, with fewer steps; and its penalty against PyTorch's.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { energyDistance, ring } from "../../examples/gan/ring.js";
import { gradientPenalty, makeWgan, type Progress, trainWgan } from "../../examples/gradient-penalty/wgan.js";
import { linear, minimizer, ops, program, sequential, sgd, spec, tanh } from "../../lib/index.js";

const data = ring(8192);

interface Step {
  readonly distance: number;
  readonly penalty: number;
  readonly weights: Readonly<Record<string, readonly number[]>>;
}

interface Batch {
  readonly real: readonly (readonly number[])[];
  readonly fake: readonly (readonly number[])[];
  readonly share: readonly (readonly number[])[];
}

/** Written by make_gradient_penalty_fixture.py. */
const fixture: {
  readonly lambda: number;
  readonly rate: number;
  readonly start: Readonly<Record<string, readonly number[]>>;
  readonly batches: readonly Batch[];
  readonly float64: readonly Step[];
  readonly float32: readonly Step[];
} = JSON.parse(readFileSync(new URL("fixtures/gradient-penalty.json", import.meta.url), "utf8"));

/** The critic of the fixture with a step of its training. */
function criticOfFixture() {
  const critic = sequential(linear(2, 8), tanh(), linear(8, 1));
  critic.setWeights(new Map(Object.entries(fixture.start).map(([name, data]) => [name, Float32Array.from(data)])));
  const trainer = minimizer(critic, sgd({ lr: fixture.rate }));
  const step = program({
    maxBatch: 16,
    inputs: { real: spec(["batch", 2]), fake: spec(["batch", 2]), share: spec(["batch", 1]) },
    body({ real, fake, share }) {
      const between = ops.add(ops.multiply(share, real), ops.multiply(ops.subtract(1, share), fake));
      const penalty = gradientPenalty(critic, between, fixture.lambda);
      const distance = ops.subtract(ops.mean(critic.forward(real)), ops.mean(critic.forward(fake)));
      trainer.minimize(ops.subtract(penalty, distance));
      return { distance, penalty };
    },
  });
  return { critic, step };
}

/** All numbers of a step. */
const flat = ({ distance, penalty, weights }: Step): number[] => [distance, penalty, ...Object.values(weights).flat()];

/** ‖a − b‖ */
const apart = (a: readonly number[], b: readonly number[]): number =>
  Math.hypot(...a.map((value, index) => value - (b[index] ?? Number.NaN)));

test("thirty steps are PyTorch's, but for the rounding to float32", async () => {
  const { critic, step } = criticOfFixture();
  const numbers = Object.keys(fixture.start);
  for (const [index, reference] of fixture.float64.entries()) {
    const batch = fixture.batches[index % fixture.batches.length];
    if (batch === undefined) throw new Error("expected batches");
    const { distance, penalty } = await step.run(batch);
    const weights = critic.weights();
    const ours = {
      distance: distance.item(),
      penalty: penalty.item(),
      weights: Object.fromEntries(numbers.map((name) => [name, [...(weights.get(name)?.data ?? [])]])),
    };
    // The yardstick is PyTorch's own float32: rounding alone separates it from float64. Where it was lucky, √n roundings of each
    // number count: half a unit in the last place each, some 30 on the way through two derivatives.
    const float32 = fixture.float32[index] ?? reference;
    const rounding = 2 ** -24 * Math.sqrt(30 * (index + 1)) * Math.hypot(...flat(reference));
    const bound = Math.max(4 * apart(flat(float32), flat(reference)), rounding);
    expect(apart(flat(ours), flat(reference)), `step ${index + 1}`).toBeLessThanOrEqual(bound);
  }
  // The bounds are some 1e-6 of the way that the trajectory goes.
  const last = fixture.float64.at(-1);
  const first = fixture.float64[0];
  if (first === undefined || last === undefined) throw new Error("expected steps");
  expect(apart(flat(last), flat(first))).toBeGreaterThan(1);
});

describe("on points of a ring", () => {
  /** Mean slope of the critic where it was trained, after 300 steps against a generator that does not learn. */
  async function slopeAfter(lambda: number): Promise<number> {
    const { critic, criticStep } = makeWgan(1, lambda);
    for (let step = 1; step <= 300; step++) await criticStep.run({ real: data.subarray(0, 256) });
    const STEP = 2 ** -7;
    const sides = [0, 1].map((axis) =>
      [STEP, -STEP].map((by) =>
        critic.predictSync([[axis === 0 ? 0.5 + by : 0.5, axis === 1 ? 0.5 + by : 0.5]]).item(),
      ),
    );
    return Math.hypot(...sides.map(([right = 0, left = 0]) => (right - left) / (2 * STEP)));
  }

  test("the penalty holds the slope at 1, without it there is no bound", async () => {
    expect(Math.abs((await slopeAfter(1)) - 1)).toBeLessThan(0.5);
    expect(await slopeAfter(0)).toBeGreaterThan(10);
  });

  test("generated points come thirty times nearer to the data", async () => {
    const { generate } = makeWgan(1);
    const before = energyDistance(Float32Array.from((await generate.run({})).points.data), data.subarray(0, 2048));
    const told: Progress[] = [];
    await trainWgan(data, { steps: 500, every: 250, seed: 1 }, (progress) => told.push(progress));
    expect(told.map(({ step }) => step)).toEqual([250, 500]);
    expect(told.at(-1)?.distance).toBeLessThan(before / 30);
    expect(told.at(-1)?.wasserstein).toBeLessThan((told[0]?.wasserstein ?? 0) / 2);
  });
});

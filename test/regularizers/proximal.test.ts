// The proximal step gives weights that are exactly 0 and keeps them there; the subgradient only oscillates around 0.
import { adam, fit, l1, linear, mse, type Optimizer, type Regularizers, sequential, sgd, sgdMomentum } from "carillon";
import { describe, expect, test } from "vitest";
import { numbers, weightsOf } from "../train/synthetic.js";
import { elementsOf, signed, startAt } from "./probe.js";

const INPUTS = 12;
/** Features that the target depends on; the others are noise. */
const RELEVANT = 3;

const next = numbers(8);
const X = Array.from({ length: 128 }, () => Array.from({ length: INPUTS }, () => 2 * next() - 1));
const Y = X.map((row) => row.slice(0, RELEVANT).reduce((sum, one) => sum + one, 0) + 0.02 * (next() - 0.5));

async function trained(optimizer: Optimizer, regularizer: Regularizers): Promise<readonly number[]> {
  const model = sequential(linear(INPUTS, 1));
  await fit(model, { data: { x: X, y: Y }, loss: mse(), optimizer, regularizer, epochs: 60, batchSize: 16, seed: 2 });
  return weightsOf(model, "linear1.weight");
}

const zeros = (weights: readonly number[]): number => weights.filter((one) => one === 0).length;

const OPTIMIZERS: readonly (readonly [string, Optimizer])[] = [
  ["sgd", sgd({ lr: 0.05 })],
  ["sgdMomentum", sgdMomentum({ lr: 0.05 })],
  ["sgd, accumulating momentum", sgd({ lr: 0.005, momentum: 0.9 })],
  ["adam", adam({ lr: 0.01 })],
];

describe.each(OPTIMIZERS)("%s", (_name, optimizer) => {
  test("exact zeros where a feature is of no use, and only by the proximal step", async () => {
    const selected = await trained(optimizer, l1(0.1, { proximal: true }));
    expect(zeros(selected.slice(RELEVANT))).toBe(INPUTS - RELEVANT);
    for (const weight of selected.slice(0, RELEVANT)) expect(weight).toBeGreaterThan(0.5);
    const oscillating = await trained(optimizer, l1(0.1));
    expect(zeros(oscillating)).toBe(0);
    // Near 0 all the same: the penalty is the same.
    for (const weight of oscillating.slice(RELEVANT)) expect(Math.abs(weight)).toBeLessThan(0.1);
    expect(zeros(await trained(optimizer, null))).toBe(0);
  });
});

test("under Adam the threshold is ηλ over the denominator, or ηλ if it is asked for", async () => {
  // Step 1 goes by η whatever the gradient: θ = 0.05 − 0.01. The denominator is |g| = 2⁻⁷: 0.01·0.25·2⁷ = 0.32.
  const after = async (regularizer: Regularizers): Promise<number | undefined> => {
    const probe = startAt([1, 1], Float32Array.of(0.05), adam({ lr: 0.01, epsilon: 1e-12 }), { regularizer });
    await probe.step(Float32Array.of(2 ** -7));
    return probe.weight[0];
  };
  expect(await after(l1(0.25, { proximal: true }))).toBe(0);
  expect(await after(l1(0.25, { proximal: true, metric: "adaptive" }))).toBe(0);
  expect(await after(l1(0.25, { proximal: true, metric: "euclidean" }))).toBeCloseTo(0.04 - 0.01 * 0.25, 7);
  expect(await after(l1(2 ** -7, { proximal: true }))).toBeCloseTo(0.04 - 0.01, 7);
});

test("for a rule without a denominator both metrics are the same bits", async () => {
  const shape = [5, 31];
  const count = elementsOf(shape);
  for (const optimizer of [sgd({ lr: 0.1 }), sgdMomentum({ lr: 0.1 }), sgd({ lr: 0.1, momentum: 0.9 })]) {
    const after = async (metric: "adaptive" | "euclidean"): Promise<Float32Array> => {
      const regularizer = l1(0.3, { proximal: true, metric });
      const probe = startAt(shape, signed(count, 1), optimizer, { regularizer });
      for (let step = 1; step <= 3; step++) await probe.step(signed(count, 1 + step, 0.2));
      return probe.weight;
    };
    const weights = await after("adaptive");
    expect(weights).toEqual(await after("euclidean"));
    expect(zeros(Array.from(weights))).toBeGreaterThan(10);
  }
});

test("a weight that is 0 stays 0 while its gradient is below λ, and leaves when it is above", async () => {
  const regularizer = l1(0.25, { proximal: true });
  const probe = startAt([1, 4], new Float32Array(4), sgd({ lr: 0.5 }), { regularizer });
  await probe.step(Float32Array.of(0.2, -0.25, 0.75, -0.75));
  expect(Array.from(probe.weight, (one) => one + 0)).toEqual([0, 0, -0.25, 0.25]);
});

// Whole trajectories against PyTorch in float64 (make_torch_fixture.py), within bounds that are carried along.
import { readFileSync } from "node:fs";
import { adam, type Clip, l2, maxNorm, type Optimizer, partition, type Regularizers, sgd, weightDecay } from "carillon";
import { describe, expect, test } from "vitest";
import { add, type Bounded, divide, exact, multiply, root, rounded, total } from "../train/bounded.js";
import { startAt } from "./probe.js";
import { adamRule, type Beside, outside, type Rule, SGD, updated } from "./reference.js";

interface Fixture {
  readonly shape: readonly [rows: number, columns: number];
  readonly start: readonly number[];
  readonly gradients: readonly (readonly number[])[];
  readonly cases: Readonly<Record<string, readonly (readonly number[])[]>>;
}

const fixture: Fixture = JSON.parse(readFileSync(new URL("fixtures/torch.json", import.meta.url), "utf8"));
const LR = 0.05;
const [, COLUMNS] = fixture.shape;

/** min(1, c/(‖g‖ + 1e-6))·g; the factor is never above 1, so that its bound stays one when it is cut. */
function clippedNorm(gradient: readonly number[]): readonly Bounded[] {
  const squares = gradient.map((one) => multiply(exact(one), exact(one)));
  const factor = divide(exact(2.5), add(root(total(squares)), rounded(1e-6)));
  const cut = factor.value > 1 ? { value: 1, error: 0 } : factor;
  return gradient.map((one) => multiply(exact(one), cut));
}

/** Rows whose norm is above c, times c/‖row‖. */
function bounded(weights: readonly Bounded[], bound: number): readonly Bounded[] {
  return weights.map((_, index) => {
    const first = index - (index % COLUMNS);
    const row = weights.slice(first, first + COLUMNS);
    const norm = root(total(row.map((one) => multiply(one, one))));
    const own = weights[index] ?? exact(Number.NaN);
    return norm.value > bound ? multiply(own, divide(rounded(bound), norm)) : own;
  });
}

interface Case {
  readonly optimizer: Optimizer;
  readonly rule: Rule;
  readonly regularizer?: Regularizers;
  readonly beside?: Beside;
  readonly clip?: Clip;
  readonly maxNorm?: number;
}

const ADAM = adam({ lr: LR, beta2: 0.99, epsilon: 1e-3 });
const RULE = adamRule(0.9, 0.99, 1e-3);
const L2 = { regularizer: l2(0.3), beside: { l2: 0.3 } };
const PLAIN = { optimizer: sgd({ lr: LR }), rule: SGD };

const CASES: Readonly<Record<string, Case>> = {
  sgd: PLAIN,
  "sgd, l2": { ...PLAIN, ...L2 },
  "adam, l2": { optimizer: ADAM, rule: RULE, ...L2 },
  "adam, weightDecay": { optimizer: ADAM, rule: RULE, regularizer: weightDecay(0.3), beside: { decay: 0.3 } },
  "sgd, maxNorm": { ...PLAIN, regularizer: maxNorm(1.5), maxNorm: 1.5 },
  "sgd, l2, clip norm": { ...PLAIN, ...L2, clip: { norm: 2.5 } },
  "sgd, l2, clip value": { ...PLAIN, ...L2, clip: { value: 0.4 } },
  "adam, clip norm": { optimizer: ADAM, rule: RULE, clip: { norm: 2.5 } },
};

test("every case of the fixture is one of these", () => {
  expect(Object.keys(CASES)).toEqual(Object.keys(fixture.cases));
});

describe("as PyTorch", () => {
  test.each(Object.entries(CASES))("%s", async (name, { optimizer, rule, regularizer, beside = {}, clip, ...rest }) => {
    // PyTorch's run has one parameter, over which the norm is taken: the bias is frozen here.
    const groups = partition([
      ["probe.weight", optimizer],
      ["*", null],
    ]);
    const probe = startAt(fixture.shape, Float32Array.from(fixture.start), groups, { regularizer, clip });
    let weights: readonly Bounded[] = fixture.start.map(exact);
    let states: readonly (readonly Bounded[])[] = weights.map(() => []);
    for (const [index, given] of fixture.gradients.entries()) {
      await probe.step(Float32Array.from(given));
      const limit = clip?.value ?? Number.POSITIVE_INFINITY;
      const cut = given.map((one) => (Math.abs(one) > limit ? rounded(Math.sign(one) * limit) : exact(one)));
      const gradient = clip?.norm === undefined ? cut : clippedNorm(given);
      const next = weights.map((theta, at) => {
        return updated(rule, LR, beside, theta, gradient[at] ?? exact(0), states[at] ?? [], index + 1);
      });
      states = next.map((one) => one.states);
      weights = next.map(({ theta }) => theta);
      if (rest.maxNorm !== undefined) weights = bounded(weights, rest.maxNorm);
      const torch = fixture.cases[name]?.[index] ?? [];
      // PyTorch and the formulas, both in float64: a few thousand roundings of 2⁻⁵³ of numbers below 10.
      expect(weights.filter(({ value }, at) => !(Math.abs(value - (torch[at] ?? Number.NaN)) < 1e-10))).toEqual([]);
      expect(outside(probe.weight, weights)).toEqual([]);
      // The bound carried along is still far below what a wrong term would make.
      expect(Math.max(...weights.map(({ error }) => error))).toBeLessThan(1e-4);
    }
    const bias = probe.model.weights().get("probe.bias")?.data ?? [];
    expect(Array.from(bias)).toEqual(Array.from(Float32Array.from(fixture.start)));
  });
});

// Every regularizer through every kind of rule, one element after another, against the formulas in double.
import {
  adam,
  elasticNet,
  l1,
  l2,
  type Optimizer,
  type Regularizer,
  type Regularizers,
  sgd,
  sgdMomentum,
  weightDecay,
} from "carillon";
import { describe, expect, test } from "vitest";
import { exact } from "../train/bounded.js";
import { elementsOf, signed, startAt } from "./probe.js";
import { adamRule, averagingMomentum, type Beside, outside, type Rule, SGD, updated } from "./reference.js";

const SHAPE = [7, 59];
const COUNT = elementsOf(SHAPE);
const STEPS = 4;
const LR = 0.0625 + 1 / 3000; // no float32

const RULES: readonly (readonly [name: string, optimizer: Optimizer, rule: Rule])[] = [
  ["sgd", sgd({ lr: LR }), SGD],
  ["sgdMomentum", sgdMomentum({ lr: LR, beta: 0.8 }), averagingMomentum(0.8)],
  [
    "adam",
    adam({ lr: LR, beta1: 0.8, beta2: 0.95, epsilon: { value: 1e-4, placement: "outside" } }),
    adamRule(0.8, 0.95, 1e-4),
  ],
];

const KINDS: readonly (readonly [name: string, regularizers: Regularizers, beside: Beside])[] = [
  ["none", null, {}],
  ["l2", l2(0.3), { l2: 0.3 }],
  ["l1", l1(0.3), { l1: 0.3 }],
  ["l1, proximal", l1(0.3, { proximal: true }), { shrink: 0.3 }],
  ["l1, proximal, euclidean", l1(0.3, { proximal: true, metric: "euclidean" }), { shrink: 0.3, euclidean: true }],
  ["elasticNet", elasticNet({ l1: 0.1, l2: 0.7 }), { l1: 0.1, l2: 0.7 }],
  ["elasticNet, proximal", elasticNet({ l1: 0.1, l2: 0.7, proximal: true }), { shrink: 0.1, l2: 0.7 }],
  ["weightDecay", weightDecay(0.9), { decay: 0.9 }],
  ["l2 and weightDecay", [l2(0.3), weightDecay(0.9)], { l2: 0.3, decay: 0.9 }],
  ["all, some twice", all(), { l2: 0.7, l1: 0.5, shrink: 0.75, decay: 0.5 }],
];

function all(): Regularizer[] {
  const twice = [l2(0.2), l1(0.25), l1(0.5, { proximal: true }), weightDecay(0.25)];
  return [...twice, l1(0.25), l2(0.5), weightDecay(0.25), l1(0.25, { proximal: true })];
}

describe.each(RULES)("%s", (_name, optimizer, rule) => {
  test.each(KINDS)("%s", async (_kind, regularizer, beside) => {
    for (const scale of [0, 1]) {
      const probe = startAt(SHAPE, signed(COUNT, 3), optimizer, { regularizer });
      for (let step = 1; step <= STEPS; step++) {
        const gradient = scale === 0 ? new Float32Array(COUNT) : signed(COUNT, 10 + step);
        const { weights, states } = probe.look();
        await probe.step(gradient);
        const after = probe.look().weights;
        for (const [parameter, before] of weights) {
          // Biases, of rank 1, know of no penalty.
          const own = parameter.endsWith("bias") ? {} : beside;
          const expected = Array.from(before, (theta, index) => {
            const of = (state: string): number => states.get(`${state}/${parameter}`)?.[index] ?? Number.NaN;
            const values = rule.states.map((state) => exact(of(state)));
            return updated(rule, LR, own, exact(theta), exact(gradient[index] ?? 0), values, step).theta;
          });
          expect(outside(after.get(parameter) ?? [], expected)).toEqual([]);
        }
      }
      // The bounds are not empty words: what a step changes is far larger.
      if (scale === 1) expect(Math.abs((probe.weight[100] ?? 0) - (signed(COUNT, 3)[100] ?? 0))).toBeGreaterThan(1e-3);
    }
  });
});

test("sign(0) = 0: the subgradient leaves zeros of either sign alone", async () => {
  const probe = startAt([2, 2], Float32Array.of(0, -0, 1, -1), sgd({ lr: 0.5 }), { regularizer: l1(0.25) });
  await probe.step(new Float32Array(4));
  expect(Array.from(probe.weight)).toEqual([0, -0, 0.875, -0.875]);
});

test("the proximal threshold under SGD is ηλ, to the bit", async () => {
  const weight = Float32Array.of(0.126, 0.125, -0.125, -0.126, 1, -1, 0.0625, -0.0625);
  for (const metric of ["adaptive", "euclidean"] as const) {
    const probe = startAt([2, 4], weight, sgd({ lr: 0.5 }), { regularizer: l1(0.25, { proximal: true, metric }) });
    await probe.step(new Float32Array(8));
    const rest = Math.fround(Math.fround(0.126) - 0.125);
    expect(Array.from(probe.weight, Math.abs)).toEqual([rest, 0, 0, rest, 0.875, 0.875, 0, 0]);
    expect(Array.from(probe.weight, Math.sign).map(Math.abs)).toEqual([1, 0, 0, 1, 1, 1, 0, 0]);
    expect(probe.weight[5]).toBe(-0.875);
  }
});

test("decoupled decay is L2 under plain SGD, and is not under Adam", async () => {
  const after = async (optimizer: Optimizer, regularizer: Regularizer): Promise<Float32Array> => {
    const probe = startAt(SHAPE, signed(COUNT, 3), optimizer, { regularizer });
    for (let step = 1; step <= 3; step++) await probe.step(signed(COUNT, 20 + step));
    return probe.weight;
  };
  const furthest = (a: Float32Array, b: Float32Array): number =>
    a.reduce((most, one, index) => Math.max(most, Math.abs(one - (b[index] ?? 0))), 0);
  // θ(1 − ηλ) − ηg and θ − η(g + λθ) are one number: |θ| ≤ 1.3, and each side rounds at most four times a step.
  const plain = [await after(sgd({ lr: LR }), l2(0.5)), await after(sgd({ lr: LR }), weightDecay(0.5))] as const;
  expect(furthest(...plain)).toBeLessThan(3 * 8 * 1.3 * 2 ** -24);
  expect(furthest(plain[0], await after(sgd({ lr: LR }), l2(0)))).toBeGreaterThan(0.05);
  const adaptive = [await after(adam({ lr: LR }), l2(0.5)), await after(adam({ lr: LR }), weightDecay(0.5))] as const;
  expect(furthest(...adaptive)).toBeGreaterThan(0.05);
});

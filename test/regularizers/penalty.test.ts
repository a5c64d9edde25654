// What is reported: penalty = (λ/2)·Σθ² + λ·Σ|θ| of the weights before the step, loss = dataLoss + penalty; and which
// parameters a penalty reaches.
import {
  adam,
  elasticNet,
  type FitEvent,
  fit,
  type Loss,
  l1,
  l2,
  linear,
  maxNorm,
  minimizer,
  mse,
  ops,
  program,
  type Regularizers,
  relu,
  sequential,
  sgd,
  sgdMomentum,
  spec,
  tensor,
  weightDecay,
} from "carillon";
import { describe, expect, test } from "vitest";
import { clusters, weightsOf } from "../train/synthetic.js";
import { elementsOf, Probe, probe, signed, startAt } from "./probe.js";

const U = 2 ** -24;

const sums = (data: ArrayLike<number>): { readonly squares: number; readonly absolutes: number } => {
  const values = Array.from(data);
  return {
    squares: values.reduce((sum, one) => sum + one * one, 0),
    absolutes: values.reduce((sum, one) => sum + Math.abs(one), 0),
  };
};

/**
 * Relative bound of a penalty: a lane of a block takes ≤ 4096/16 terms of one sign, the tree adds 4 levels, the block
 * sums are added in double; the factors are doubles, the result is rounded once.
 */
const RELATIVE = (256 + 4 + 3) * U;

const CASES: readonly (readonly [name: string, regularizers: Regularizers, squares: number, absolutes: number])[] = [
  ["l2", l2(0.3), 0.15, 0],
  ["l1", l1(0.7), 0, 0.7],
  ["l1, proximal", l1(0.7, { proximal: true }), 0, 0.7],
  ["elasticNet", elasticNet({ l1: 0.1, l2: 0.9 }), 0.45, 0.1],
  ["elasticNet, proximal", elasticNet({ l1: 0.1, l2: 0.9, proximal: true }), 0.45, 0.1],
  ["l2 twice and l1 both ways", [l2(0.2), l2(0.1), l1(0.25), l1(0.5, { proximal: true })], 0.15, 0.75],
  ["weightDecay", weightDecay(0.5), 0, 0],
  ["maxNorm", maxNorm(1), 0, 0],
  ["l2 and maxNorm", [l2(0.3), maxNorm(0.5)], 0.15, 0],
  ["l1, l2 and maxNorm of long rows", [l2(0.3), l1(0.7), maxNorm(0.5)], 0.15, 0.7],
];

describe("the penalty of the weights before the step", () => {
  test.each(CASES)("%s", async (_name, regularizer, squares, absolutes) => {
    for (const shape of [
      [3, 5],
      [3, 4099],
      [211, 61],
    ]) {
      const count = elementsOf(shape);
      const one = startAt(shape, signed(count, 7), sgdMomentum({ lr: 0.1 }), { regularizer });
      for (let step = 1; step <= 3; step++) {
        const before = sums(one.weight);
        const reported = await one.step(signed(count, step));
        const expected = squares * before.squares + absolutes * before.absolutes;
        expect(Math.abs(reported - expected)).toBeLessThanOrEqual(RELATIVE * expected);
        expect(expected > 0).toBe(squares + absolutes > 0);
      }
    }
  });

  test("over several models, of all groups", async () => {
    const models = [probe([2, 3], undefined, "a"), probe([4, 5], l1(0.25), "b")].map((model, index) => {
      model.initialize(0);
      const names = model.parameters.map(({ name, shape }) => [name, signed(elementsOf(shape), index)] as const);
      return model.setWeights(new Map(names));
    });
    const trainer = minimizer(models, adam({ lr: 0.01 }), { regularizer: l2(0.5) });
    const step = program({
      inputs: { a: spec(["batch", 6]), b: spec(["batch", 20]) },
      maxBatch: 1,
      body: ({ a, b }) => {
        const outputs = models.map((model, index) => ops.sum(model.forward(index === 0 ? a : b)));
        const loss = outputs.reduce((x, y) => ops.add(x, y));
        return { penalty: trainer.minimize(loss).penalty };
      },
    });
    const zero = (count: number) => tensor(new Float32Array(count), [1, count]);
    const { penalty } = await step.run({ a: zero(6), b: zero(20) });
    const expected = 0.25 * sums(signed(6, 0)).squares + 0.25 * sums(signed(20, 1)).absolutes;
    expect(Math.abs(penalty.item() - expected)).toBeLessThanOrEqual(RELATIVE * expected);
  });
});

test("the reported loss is dataLoss + penalty, in every step and over the epoch", async () => {
  const data = clusters(24, 5, 3);
  const y = Array.from(data.y, (label) => [label, -label]);
  const model = sequential(linear(5, 9), relu(), linear(9, 2)).initialize(3);
  const twin = model.clone();
  const penalties: number[] = [];
  const regularizer = elasticNet({ l1: 0.01, l2: 0.1 });
  const run = fit(model, {
    data: { x: data.x, y },
    loss: mse(),
    optimizer: sgd({ lr: 0.05 }),
    regularizer,
    batchSize: 8,
    epochs: 1,
    shuffle: false,
    reportEvery: 1,
    callbacks: [
      {
        name: "noting",
        every: { steps: 1 },
        decide() {
          twin.setWeights(model.weights());
          penalties.push(penaltyOf(twin));
        },
      },
    ],
  });
  const penaltyOf = (of: typeof twin): number => {
    const all = of.parameters.filter(({ shape }) => shape.length > 1).map(({ name }) => sums(weightsOf(of, name)));
    return all.reduce((sum, { squares, absolutes }) => sum + 0.05 * squares + 0.01 * absolutes, 0);
  };
  const before = [penaltyOf(twin)];
  const events: FitEvent[] = [];
  for await (const event of run) events.push(event);
  const steps = events.filter((event) => event.kind === "step");
  const told = events.filter((event) => event.kind === "epoch");
  const expected = [...before, ...penalties.slice(0, -1)];
  expect(steps).toHaveLength(3);
  for (const [index, { loss, dataLoss, penalty }] of steps.entries()) {
    expect(Math.abs(penalty - (expected[index] ?? 0))).toBeLessThanOrEqual(RELATIVE * (expected[index] ?? 0));
    expect(loss).toBe(dataLoss + penalty);
    expect(penalty).toBeGreaterThan(0.01);
  }
  // Every step has its own weights: the epoch's penalty is the mean over its steps.
  const mean = steps.reduce((sum, { penalty }) => sum + penalty, 0) / 3;
  expect(told[0]?.penalty).toBeCloseTo(mean, 12);
  expect(told[0]?.loss).toBe((told[0]?.dataLoss ?? 0) + (told[0]?.penalty ?? 0));
});

describe("where a penalty reaches", () => {
  const flat: Loss = (output, target) => ops.multiply(ops.sum(ops.add(output, target), { axis: "last" }), 0);

  /** Weights of ones after one step of rate ½ without a slope, and the penalty of that step. */
  async function after(first: Regularizers | undefined, second: Regularizers | undefined, wide: Regularizers) {
    const model = sequential(
      linear(2, 3, { init: 1, biasInit: 1, regularizer: first }),
      linear(3, 1, { init: 1, biasInit: 1, regularizer: second }),
    );
    const { history } = await fit(model, {
      data: { x: [[0, 0]], y: [0] },
      loss: flat,
      optimizer: sgd({ lr: 0.5 }),
      regularizer: wide,
      steps: 1,
    });
    const values = model.parameters.map(({ name }) => [...new Set(weightsOf(model, name))]);
    return [...values.map(([value]) => value), history[0]?.penalty];
  }

  test.each<readonly [string, Regularizers | undefined, Regularizers | undefined, Regularizers, readonly number[]]>([
    // weight 1, bias 1, weight 2, bias 2, penalty: 6 and 3 weights of 1
    ["the model-wide one everywhere", undefined, undefined, l1(0.5), [0.75, 1, 0.75, 1, 4.5]],
    ["null: none", null, undefined, l1(0.5), [1, 1, 0.75, 1, 1.5]],
    ["an empty array: none", [], undefined, l1(0.5), [1, 1, 0.75, 1, 1.5]],
    ["its own in its place, not beside it", l2(0.25), undefined, l1(0.5), [0.875, 1, 0.75, 1, 0.75 + 1.5]],
    ["every layer its own λ", l2(0.25), l2(0.5), null, [0.875, 1, 0.75, 1, 0.75 + 0.75]],
    ["no model-wide one", undefined, l1(0.5), null, [1, 1, 0.75, 1, 1.5]],
    ["λ = 0 of its own", l1(0), undefined, l1(0.5), [1, 1, 0.75, 1, 1.5]],
    ["decay", undefined, null, weightDecay(0.5), [0.75, 1, 1, 1, 0]],
    ["a proximal step", undefined, null, l1(0.5, { proximal: true }), [0.75, 1, 1, 1, 3]],
    [
      "bounded rows, of √2 and √3",
      undefined,
      undefined,
      maxNorm(Math.SQRT1_2),
      [0.5, 1, Math.SQRT1_2 / Math.sqrt(3), 1, 0],
    ],
  ])("%s", async (_name, first, second, wide, expected) => {
    const received = await after(first, second, wide);
    expect(received).toHaveLength(5);
    // All numbers are exact but the last row's, of one root, one division and one product.
    for (const [index, one] of expected.entries()) {
      expect(Math.abs((received[index] ?? Number.NaN) - one)).toBeLessThanOrEqual(4 * U * one);
    }
  });

  test("the gradient of a penalty depends on its own matrix alone", async () => {
    // The same weights under the same gradient, beside parameters of other values and penalties.
    const bits = async (others: Float32Array, own: Regularizers): Promise<Float32Array> => {
      const weight = signed(12, 5);
      const start = new Map([
        ["probe.weight", weight],
        ["probe.bias", others],
      ]);
      const one = new Probe(probe([3, 4], own), adam({ lr: 0.1 }), { regularizer: l1(9) }, start);
      for (let step = 1; step <= 3; step++) await one.step(signed(12, 30 + step));
      return one.weight;
    };
    const own = [l2(0.3), l1(0.2)];
    expect(await bits(signed(12, 99, 1000), own)).toEqual(await bits(new Float32Array(12), own));
    expect(await bits(new Float32Array(12), l2(0.3))).not.toEqual(await bits(new Float32Array(12), own));
  });
});

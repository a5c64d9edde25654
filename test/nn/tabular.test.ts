// Layers for tables: runs of pytabkit, and what they promise beside.
import {
  adam,
  adamw,
  defineOptimizer,
  fit,
  flatCosine,
  l2,
  logCosine,
  type Model,
  mish,
  mse,
  muon,
  normal,
  ntkLinear,
  ops,
  parameter,
  partition,
  type Schedule,
  scale,
  selu,
  sequential,
  sgd,
  tensor,
  uniform,
} from "carillon";
import { describe, expect, test } from "vitest";
import { distanceOf, fixture, sizeOf, trained } from "./tabular_runs.js";

const [INPUTS, HIDDEN, OUTPUTS] = [4, 16, 2];

const fast = (factors: { readonly scale?: object; readonly bias?: object } = {}): Model =>
  sequential(
    scale(INPUTS, factors.scale),
    ntkLinear(INPUTS, HIDDEN, factors.bias),
    selu(),
    ntkLinear(HIDDEN, HIDDEN, factors.bias),
    mish(),
    ntkLinear(HIDDEN, OUTPUTS, factors.bias),
  );

const networks: Readonly<Record<string, () => Model>> = { fast };

test("every network of the fixture is compared", () => {
  expect(Object.keys(networks)).toEqual(Object.keys(fixture.cases));
});

/*
 * 200 steps from the same weights: no further from the run in float64 than twice the furthest of eight runs of pytabkit in float32, which
 * differ in the order of the rows of a batch. A step rounds every
 * number some 40 times (sums of 16 and of 8, functions, the update): 2⁻²⁴·40 of numbers below 4.
 */
describe.each(Object.entries(networks))("%s", (name, make) => {
  const { first = {}, second = {}, last = {}, distance = 0 } = fixture.cases[name] ?? {};
  test("two steps", async () => {
    const bound = 2 * 2 ** -24 * 40 * 4 * Math.sqrt(sizeOf(second));
    expect(distanceOf(await trained(make(), first, 2), second)).toBeLessThan(bound);
  });
  test("200 steps", async () => {
    expect(distanceOf(await trained(make(), first, fixture.steps), last)).toBeLessThan(2 * distance);
  });
});

describe("rates and decay on schedules, by factors of parameters", () => {
  const factors = { scale: { rateFactor: 6, decayFactor: 6 }, bias: { biasRateFactor: 0.1 } };
  const { first, last, distance } = fixture.scheduled;
  const options = { lr: logCosine({ lr: 0.04 }), beta2: 0.95, weightDecay: flatCosine({ value: 0.02 }) };

  test("Adam of pytabkit", async () => {
    expect(distanceOf(await trained(fast(factors), first, 200, adamw(options)), last)).toBeLessThan(2 * distance);
  });

  test("groups of a partition say the same, to the bit", async () => {
    const times =
      (factor: number, schedule: Schedule): Schedule =>
      (at) =>
        factor * schedule(at);
    const groups = partition([
      ["scale1.*", adamw({ ...options, lr: times(6, options.lr), weightDecay: times(6, options.weightDecay) })],
      ["*.bias", adamw({ ...options, lr: times(0.1, options.lr), weightDecay: 0 })],
      ["*", adamw(options)],
    ]);
    const decays = { scale: { decayFactor: 1 } };
    expect(await trained(fast(decays), first, 50, groups)).toEqual(
      await trained(fast(factors), first, 50, adamw(options)),
    );
  });

  test("a rate factor of 0 lets a parameter stand still", async () => {
    const still = await trained(
      fast({ scale: { rateFactor: 0, decayFactor: 3 } }),
      first,
      5,
      adamw({ weightDecay: 0.5 }),
    );
    expect(still["scale1.scale"]).toEqual(first["scale1.scale"]);
  });

  /** One weight, w = 1, no gradient: steps of θ ← θ·(1 − η·λ). */
  const alone = (optimizer: Parameters<typeof trained>[3], factor?: number): Promise<readonly number[] | undefined> => {
    const model = sequential(scale(1, { decayFactor: factor }));
    const data = { x: tensor([[0]]), y: tensor([[0]]) };
    return fit(model, { data, steps: 4, loss: mse(), optimizer: optimizer ?? sgd({ lr: 0.1 }) }).then(() =>
      Array.from(model.weights().get("scale1.scale")?.data ?? []),
    );
  };
  const lambdas = [0.5, 0.25, 0, 0.125];
  const schedule: Schedule = ({ step }) => lambdas[step - 1] ?? 0;

  test("decay is λ of the step, times the factor, in native rules and in those of operations", async () => {
    const expected = [(1 - 0.5 * 0.25 * 3) * (1 - 0.25 * 0.25 * 3) * (1 - 0.125 * 0.25 * 3)];
    const own = defineOptimizer({
      kind: "own",
      lr: 0.25,
      weightDecay: schedule,
      update: ({ parameter, gradient, rate }) => ({ parameter: ops.subtract(parameter, ops.multiply(rate, gradient)) }),
    });
    expect(await alone(adamw({ lr: 0.25, weightDecay: schedule }), 3)).toEqual(expected.map(Math.fround));
    expect(await alone(own, 3)).toEqual(expected.map(Math.fround));
    expect(await alone(own, 0)).toEqual([1]);
    expect(await alone(adamw({ lr: 0.25, weightDecay: schedule }))).toEqual([1]); // a scale, which decay leaves alone
  });

  test("what no schedule may give is told by its step", async () => {
    const wrong = adamw({ weightDecay: ({ step }) => (step === 3 ? -1 : 0.1) });
    await expect(alone(wrong, 1)).rejects.toThrow(/at step 3 for 'adamw.weightDecay'/);
    expect(() => adam({ weightDecay: 0.1 })).toThrow(/adamw/);
    expect(() => muon({ weightDecay: -1 })).toThrow(/muon.weightDecay/);
    expect(() => parameter([2], { rateFactor: -1 })).toThrow(/parameter.rateFactor/);
    expect(() => parameter([2], { decayFactor: Number.NaN })).toThrow(/parameter.decayFactor/);
  });
});

describe("ntkLinear", () => {
  test("draws N(0, 1) and is the linear layer of W/√inputs", async () => {
    const model = sequential(ntkLinear(9, 400)).initialize(5);
    const { data: weight } = model.weights().get("ntkLinear1.weight") ?? { data: new Float32Array() };
    const squares = weight.reduce((sum, w) => sum + w * w, 0) / weight.length;
    // The mean of 3,600 squares of normals has a deviation of √(2/3600).
    expect(Math.abs(squares - 1)).toBeLessThan(5 * Math.sqrt(2 / 3600));
    const { data } = await model.predict(tensor([new Array<number>(9).fill(1)]));
    const { data: bias } = model.weights().get("ntkLinear1.bias") ?? { data: new Float32Array() };
    const exact = Array.from(bias, (b, j) => b + weight.subarray(9 * j, 9 * j + 9).reduce((sum, w) => sum + w / 3, 0));
    expect(Math.max(...exact.map((value, j) => Math.abs(value - (data[j] ?? 0))))).toBeLessThan(2 ** -24 * 10 * 8);
  });

  test("what cannot be is refused by its name", () => {
    expect(() => ntkLinear(0, 1)).toThrow(/ntkLinear.inputs/);
    expect(() => ntkLinear(1, 1.5)).toThrow(/ntkLinear.outputs/);
    expect(() => ntkLinear(1, 1, { bias: false, biasRateFactor: 0.1 })).toThrow(/ntkLinear.biasRateFactor/);
    expect(() => ntkLinear(1, 1, { rateFactor: -1 })).toThrow(/rateFactor/);
    expect(() => scale(0)).toThrow(/scale.inputs/);
  });
});

test("a front scale has no penalty but its own", async () => {
  const run = async (own: object): Promise<number | undefined> => {
    const model = sequential(scale(1, own));
    const data = { x: tensor([[0]]), y: tensor([[0]]) };
    await fit(model, { data, steps: 1, loss: mse(), optimizer: sgd({ lr: 0.5 }), regularizer: l2(0.5) });
    return model.weights().get("scale1.scale")?.data[0];
  };
  expect(await run({})).toBe(1);
  expect(await run({ regularizer: l2(0.5) })).toBe(0.75);
});

describe("schedules of pytabkit", () => {
  // Their cosines are libm's: a few ulp of double, and ours of the logarithm and of the cosine, whose argument is below 8π.
  test.each([
    ["coslog4", logCosine({ lr: 1, steps: 100 })],
    ["flat_cos", flatCosine({ value: 1, steps: 100 })],
  ] as const)("%s", (name, schedule) => {
    for (const [index, expected] of fixture.schedules[name].entries()) {
      const value = schedule({ step: index + 1, steps: 7, epoch: 1 });
      expect(Math.abs(value - expected)).toBeLessThan(2 ** -53 * 200);
    }
  });

  test("the rate is 0 where a cycle ends, and the end is kept", () => {
    const schedule = logCosine({ lr: 2, cycles: 4, steps: 150 });
    for (const done of [0, 10, 30, 70, 150, 1000]) {
      expect(schedule({ step: done + 1, steps: 1, epoch: 1 })).toBeLessThan(1e-25);
    }
    expect(flatCosine({ value: 3, end: 1, steps: 10 })({ step: 99, steps: 1, epoch: 1 })).toBe(1);
    expect(flatCosine({ value: 3, flat: 0, steps: 4 })({ step: 3, steps: 1, epoch: 1 })).toBeCloseTo(1.5, 12);
    expect(() => logCosine({ lr: 1, cycles: 0 })).toThrow(/logCosine.cycles/);
    expect(() => flatCosine({ value: 1, flat: 1 })).toThrow(/flatCosine.flat/);
  });
});

test("normal and uniform initializers draw what they say", () => {
  const model = sequential(
    ntkLinear(100, 100, { init: normal({ mean: 3, deviation: 0.5 }), biasInit: uniform({ low: 1, high: 2 }) }),
  ).initialize(2);
  const { data: weight } = model.weights().get("ntkLinear1.weight") ?? { data: new Float32Array() };
  const mean = weight.reduce((sum, w) => sum + w, 0) / weight.length;
  expect(Math.abs(mean - 3)).toBeLessThan((5 * 0.5) / 100);
  const { data: bias } = model.weights().get("ntkLinear1.bias") ?? { data: new Float32Array() };
  expect(bias.every((b) => b >= 1 && b <= 2)).toBe(true);
  expect(() => uniform({ low: 1, high: 1 })).toThrow(/uniform.high/);
  expect(() => normal({ deviation: 0 })).toThrow(/normal.deviation/);
});

// Layers for tables: runs of pytabkit, and what they promise beside.
import {
  adam,
  adamw,
  clampOutput,
  defineOptimizer,
  drawFromData,
  fit,
  flatCosine,
  l2,
  linear,
  loadModel,
  logCosine,
  type Model,
  mish,
  mse,
  muon,
  normal,
  ntkLinear,
  numericEmbedding,
  ops,
  parameter,
  parametricActivation,
  partition,
  robustScale,
  type Schedule,
  scale,
  selu,
  sequential,
  sgd,
  smoothClip,
  standardize,
  tensor,
  uniform,
  type Value,
} from "carillon";
import { describe, expect, test } from "vitest";
import { quantileOf, SampledRows } from "../../lib/data/quantiles.js";
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

const networks: Readonly<Record<string, () => Model>> = {
  fast,
  pbld: () =>
    sequential(
      numericEmbedding(INPUTS),
      ntkLinear(16, HIDDEN),
      parametricActivation(HIDDEN, selu()),
      ntkLinear(HIDDEN, OUTPUTS),
    ),
  plr: () =>
    sequential(
      numericEmbedding(INPUTS, { form: "plr", frequencies: 5, size: 3 }),
      ntkLinear(12, HIDDEN),
      parametricActivation(HIDDEN, mish()),
      ntkLinear(HIDDEN, OUTPUTS),
    ),
};

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

describe("robustScale and smoothClip", () => {
  const { table, scaled, clipped } = fixture.robust;
  const y = table.map(() => [0, 0, 0, 0, 0]);
  const fitted = async (model: Model, rows = table): Promise<readonly number[]> => {
    await fit(model, {
      data: { x: table, y },
      steps: 1,
      inputs: robustScale(),
      loss: mse(),
      optimizer: sgd({ lr: 0 }),
    });
    return Array.from((await model.predict(rows)).data);
  };
  /** Relative to numbers of pytabkit in double: three roundings of double, then of float32, and of a function. */
  const apart = (ours: readonly number[], theirs: readonly (readonly number[])[]): number =>
    Math.max(
      ...theirs.flat().map((value, i) => Math.abs((ours[i] ?? Number.NaN) - value) / Math.max(1, Math.abs(value))),
    );

  test("robustScale is pytabkit's, with equal quartiles and constant columns", async () => {
    const ours = await fitted(sequential(scale(5)));
    expect(apart(ours, scaled)).toBeLessThan(2 ** -24 * 1.1);
    expect(ours.filter((_, i) => i % 5 === 4)).toEqual(table.map(() => 0));
  });

  test("a constant column stays 0, whatever comes later", async () => {
    const ours = await fitted(sequential(scale(5)), [[0, 0, 0, 0, -1e30]]);
    expect(Math.abs(ours[4] ?? 1)).toBe(0);
  });

  test("smoothClip behind it", async () => {
    const model = sequential(scale(5), smoothClip());
    const ours = await fitted(model);
    // Six roundings, each of which counts once or less, before the input's own.
    expect(apart(ours, clipped)).toBeLessThan(2 ** -24 * 8);
    expect((await loadModel(model.bytes())).transforms).toEqual(model.transforms);
  });

  test("smoothClip never leaves its limit, and has a slope", async () => {
    const clip = sequential({ input: [7] }, smoothClip({ limit: 2 }));
    const far = tensor([[-3e38, -1e20, -(2 ** 30), 0, 2 ** 21, 1e19, 3e38]]);
    expect(Array.from((await clip.predict(far)).data)).toEqual([-2, -2, -2, 0, 2, 2, 2]);
    const layer = sequential({ input: [7] }, scale(7), smoothClip({ limit: 2 })).initialize(0);
    const points = [0, 2, 4, 8, 1, 3, 0];
    layer.setWeights({ "scale1.scale": Float32Array.from(points) });
    // Of the mean of 7 numbers by s, x = 1: dy/ds = dy/dx, and one step of rate −7 from s.
    const ones = tensor([new Array<number>(7).fill(1)]);
    const loss = (output: Value): Value => ops.mean(output, { axis: "last" });
    await fit(layer, { data: { x: ones, y: ones }, steps: 1, loss, optimizer: sgd({ lr: 7 }) });
    const after = layer.weights().get("scale1.scale")?.data ?? [];
    const data = points.map((point, i) => point - (after[i] ?? 0));
    // dy/dx = (1 + (x/c)²)^(−3/2)
    const slopes = points.map((v) => (1 + (v / 2) ** 2) ** -1.5);
    expect(Math.max(...slopes.map((slope, i) => Math.abs(slope - (data[i] ?? 0))))).toBeLessThan(2 ** -24 * (12 + 8)); // of numbers up to 8
  });

  test("targets have it too", async () => {
    const model = sequential(ntkLinear(1, 2, { init: 0, biasInit: 0 }));
    const data = {
      x: tensor([[0], [1], [2], [3]]),
      y: tensor([
        [1, 5],
        [2, 5],
        [3, 5],
        [100, 5],
      ]),
    };
    await fit(model, { data, steps: 1, targets: robustScale(), loss: mse(), optimizer: sgd({ lr: 0 }) });
    expect(Array.from((await model.predict(tensor([[0]]))).data)).toEqual([2.5, 5]);
  });
});

describe("quantiles", () => {
  test("between two values on a line, as NumPy's", () => {
    const values = new SampledRows(1);
    for (const value of [4, 1, 3, 2]) values.add([value], 0);
    expect([0, 0.25, 0.5, 0.75, 1].map((share) => quantileOf(values.sorted(0), share))).toEqual([
      1, 1.75, 2.5, 3.25, 4,
    ]);
    expect(quantileOf(Float64Array.of(7), 0.75)).toBe(7);
  });

  test("of more rows than are kept, each is kept with the same probability", () => {
    const [rows, most, rounds] = [200, 50, 40];
    let late = 0;
    for (let round = 0; round < rounds; round++) {
      const values = new SampledRows(2, most);
      for (let row = 0; row < rows + round; row++) values.add([row, -row], 0);
      const kept = values.sorted(0);
      expect(kept.length).toBe(most);
      expect(Array.from(values.sorted(1))).toEqual(Array.from(kept, (value) => -value).reverse());
      late += kept.filter((row) => row >= (rows + round) / 2).length;
    }
    // Half of 2,000 rows that were kept, with a deviation below √(2000/4); rounds share draws.
    expect(Math.abs(late / (rounds * most) - 0.5)).toBeLessThan(0.1);
  });
});

describe("clampOutput", () => {
  test("bounds answers and validation, and no gradient of the training", async () => {
    const make = (): Model =>
      sequential(ntkLinear(1, 2, { init: 3, biasInit: 0 }), clampOutput({ low: [-1, -100], high: 2 }));
    const data = {
      x: [[1], [-1]],
      y: [
        [9, 9],
        [-9, -9],
      ],
    };
    const model = make();
    const { history } = await fit(model, {
      data,
      validation: data,
      steps: 1,
      loss: mse(),
      optimizer: sgd({ lr: 0 }),
      batchSize: 2,
    });
    expect(Array.from((await model.predict(data.x)).data)).toEqual([2, 2, -1, -3]);
    // (9 − 2)²·2 + (9 − 1)² + (9 − 3)², of four numbers; in training (9 − 3)² of each.
    expect(history.at(-1)).toMatchObject({ loss: 36, validation: { loss: (2 * 49 + 64 + 36) / 4 } });
    const plain = sequential(ntkLinear(1, 2, { init: 3, biasInit: 0 }));
    for (const each of [model, plain]) await fit(each, { data, steps: 3, loss: mse(), optimizer: sgd({ lr: 0.01 }) });
    expect(model.weights()).toEqual(plain.weights());
    expect(Array.from((await (await loadModel(model.bytes())).predict([[99]])).data)).toEqual([2, 2]);
  });

  test("finds its bounds in the targets of the training, as pytabkit does, and keeps them in files", async () => {
    const { targets, answers, clamped } = fixture.clamped;
    const make = () => sequential(linear(3, 3), clampOutput(3));
    const model = make();
    const rows = targets.map((_, row) => answers[row] ?? []);
    await drawFromData(model, rows, { y: targets, targets: standardize() });
    const identity = [1, 0, 0, 0, 1, 0, 0, 0, 1];
    const through = (): Map<string, Float32Array> => {
      const all = new Map([...model.weights()].map(([name, { data }]) => [name, data] as const));
      all.set("linear1.weight", Float32Array.from(identity)).set("linear1.bias", new Float32Array(3));
      return all;
    };
    model.setWeights(through());
    // The units that fit finds for the same targets, at a rate of 0.
    await fit(model, {
      data: { x: rows, y: targets },
      targets: standardize(),
      steps: 1,
      loss: mse(),
      optimizer: sgd({ lr: 0 }),
    });
    const loaded = await loadModel(model.bytes());
    for (const each of [model, loaded as unknown as Model]) {
      const { data } = await each.predict(answers);
      for (const [row, theirs] of clamped.entries()) {
        for (const [column, value] of theirs.entries()) {
          const all = targets.map((target) => target[column] ?? 0);
          const size = Math.max(...all.map(Math.abs));
          // Bounds and answers are rounded in units of the deviation, a few of which are the range; the sum once more.
          expect(Math.abs((data[3 * row + column] ?? 0) - value)).toBeLessThanOrEqual(2 ** -24 * 3 * size);
        }
      }
    }
    const bounds = model.weights();
    expect(bounds.get("clampOutput1.low")?.data).not.toEqual(make().weights().get("clampOutput1.low")?.data);
    expect(model.clone().weights().get("clampOutput1.high")).toEqual(bounds.get("clampOutput1.high"));
  });

  test("without bounds clamps nothing, and asks drawFromData for targets", async () => {
    const model = sequential(ntkLinear(1, 2, { init: 3, biasInit: 0 }), clampOutput(2, { name: "ends" }));
    expect(Array.from((await model.predict([[2 ** 100]])).data)).toEqual([3 * 2 ** 100, 3 * 2 ** 100]);
    const x = [[1], [2], [3]];
    const y = [
      [0, -5],
      [1, 7],
      [0.5, 2],
    ];
    await expect(drawFromData(model, x)).rejects.toThrow(/ends.low.*drawFromData.y/);
    await expect(drawFromData(model, x, { y: y.slice(1) })).rejects.toThrow(/3 rows.*drawFromData.y.*2/);
    await expect(
      drawFromData(model, x, {
        y: [
          [0, 1],
          [1, Number.NaN],
          [0, 0],
        ],
      }),
    ).rejects.toThrow(/NaN/);
    await expect(drawFromData(sequential(linear(1, 2)), x, { y })).rejects.toThrow(/drawFromData.y/);
    await drawFromData(model, x, { y });
    expect(Array.from((await model.predict([[1e30], [-1e30]])).data)).toEqual([1, 7, 0, -5]);
    const wide = new Map([...model.weights()].map(([name, { data }]) => [name, data] as const));
    expect(() => model.setWeights(wide.set("ends.low", Float32Array.of(Number.NaN, 0)))).toThrow(/ends.low/);
    expect(() => clampOutput(0)).toThrow(/clampOutput.outputs/);
  });

  test("what cannot be is refused by its name", () => {
    expect(() => clampOutput({ low: 1, high: 0 })).toThrow(/clampOutput.high/);
    expect(() => clampOutput({ low: [0, 0], high: [1] })).toThrow(/clampOutput.high/);
    expect(() => clampOutput({ low: Number.NaN, high: 1 })).toThrow(/clampOutput.low/);
  });
});

describe("numericEmbedding and parametricActivation", () => {
  test("draw what pytabkit draws", async () => {
    const model = sequential(numericEmbedding(50, { frequencies: 64, deviation: 0.2 })).initialize(9);
    const of = (name: string): readonly number[] =>
      Array.from(model.weights().get(`numericEmbedding1.${name}`)?.data ?? []);
    const root = (list: readonly number[]): number => Math.sqrt(list.reduce((sum, v) => sum + v * v, 0) / list.length);
    // 3,200 draws: the deviation of a deviation is 1/√6400 of it.
    expect(Math.abs(root(of("frequency")) / 0.2 - 1)).toBeLessThan(5 / 80);
    expect(Math.abs(root(of("phase")) / (Math.PI / Math.sqrt(3)) - 1)).toBeLessThan(5 / 80);
    expect(Math.max(...of("weight").map(Math.abs))).toBeLessThan(1 / 8);
    expect(Math.max(...of("weight").map(Math.abs))).toBeGreaterThan(0.99 / 8);
    expect((await model.predict(tensor([new Array<number>(50).fill(0.5)]))).shape).toEqual([1, 200]);
  });

  test("what cannot be is refused by its name", () => {
    expect(() => numericEmbedding(0)).toThrow(/numericEmbedding.inputs/);
    expect(() => numericEmbedding(2, { size: 1 })).toThrow(/numericEmbedding.size/);
    expect(() => numericEmbedding(2, { deviation: 0 })).toThrow(/numericEmbedding.deviation/);
    expect(() => parametricActivation(2, linear(2, 2) as unknown as ReturnType<typeof selu>)).toThrow(
      /without parameters/,
    );
    expect(() => smoothClip({ limit: 0 })).toThrow(/smoothClip.limit/);
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

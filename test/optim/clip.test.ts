// Clipping: of the data gradient, before penalties, over all parameters of all models (clip_grad_norm_'s formula; its
// trajectories stand in ../regularizers/torch.test.ts).
import {
  adam,
  type Clip,
  fit,
  l1,
  l2,
  linear,
  type Model,
  minimizer,
  mse,
  type Optimizer,
  ops,
  partition,
  program,
  sequential,
  sgd,
  spec,
  tensor,
} from "carillon";
import { describe, expect, test } from "vitest";
import { Probe, probe, signed, startAt } from "../regularizers/probe.js";
import { outside } from "../regularizers/reference.js";
import { add, type Bounded, divide, exact, multiply, root, rounded, subtract, total } from "../train/bounded.js";
import { bitsOf, clusters, weightsOf } from "../train/synthetic.js";

const COUNT = 60;
const SHAPE = [5, 12];

/** min(1, c/(‖g‖ + 1e-6)) over all of `gradients`. */
function factorOf(gradients: readonly ArrayLike<number>[], norm: number): Bounded {
  const squares = gradients.flatMap((one) => Array.from(one, (value) => multiply(exact(value), exact(value))));
  const factor = divide(rounded(norm), add(root(total(squares)), rounded(1e-6)));
  return factor.value > 1 ? exact(1) : factor;
}

describe("by norm", () => {
  test.each([0.1, 1, 4.5, 100])("of %f, over weight and bias", async (norm) => {
    const start = signed(COUNT, 1);
    const clip: Clip = { norm };
    const one = startAt(SHAPE, start, sgd({ lr: 0.5 }), { clip });
    const gradient = signed(COUNT, 2);
    await one.step(gradient);
    const factor = factorOf([gradient, gradient], norm);
    // 60 elements of variance ⅓, twice: the norm is about 6.3.
    expect(factor.value < 1).toBe(norm < 6);
    for (const name of ["probe.weight", "probe.bias"]) {
      const expected = Array.from(start, (theta, index) =>
        subtract(exact(theta), multiply(exact(0.5), multiply(exact(gradient[index] ?? 0), factor))),
      );
      expect(outside(one.look().weights.get(name) ?? [], expected)).toEqual([]);
    }
  });

  test("over all parameters of all models, in whatever group they are", async () => {
    const models = [probe([2, 3], undefined, "a"), probe([4, 5], undefined, "b")].map((model) => model.initialize(0));
    const groups = partition([
      ["a.weight", sgd({ lr: 1 })],
      ["*.bias", sgd({ lr: 0.5 })],
      ["*", sgd({ lr: 0.25 })],
    ]);
    const trainer = minimizer(models, groups, { clip: { norm: 1 } });
    const step = program({
      inputs: { a: spec(["batch", 6]), b: spec(["batch", 20]) },
      maxBatch: 1,
      body({ a, b }) {
        const sums = models.map((model, index) => ops.sum(model.forward(index === 0 ? a : b)));
        return { penalty: trainer.minimize(sums.reduce((x, y) => ops.add(x, y))).penalty };
      },
    });
    const [ga, gb] = [signed(6, 3), signed(20, 4)];
    await step.run({ a: tensor(ga, [1, 6]), b: tensor(gb, [1, 20]) });
    const factor = factorOf([ga, ga, gb, gb], 1);
    for (const [index, name, rate, gradient] of [
      [0, "a.weight", 1, ga],
      [0, "a.bias", 0.5, ga],
      [1, "b.weight", 0.25, gb],
      [1, "b.bias", 0.5, gb],
    ] as const) {
      const expected = Array.from(gradient, (one) => multiply(exact(-rate), multiply(exact(one), factor)));
      const model = models[index];
      expect(model === undefined ? [] : outside(weightsOf(model, name), expected)).toEqual([]);
    }
  });

  test("frozen parameters are no part of the norm", async () => {
    const groups = partition([
      ["probe.weight", sgd({ lr: 1 })],
      ["*", null],
    ]);
    const one = startAt(SHAPE, new Float32Array(COUNT), groups, { clip: { norm: 1 } });
    const gradient = signed(COUNT, 2);
    await one.step(gradient);
    const factor = factorOf([gradient], 1);
    const expected = Array.from(gradient, (value) => multiply(exact(-value), factor));
    expect(outside(one.weight, expected)).toEqual([]);
  });

  test("1e-6 is added to the norm, as PyTorch does", async () => {
    // ‖(g, g)‖ = 2⁻²⁰ for the weight and the bias: c/(‖g‖ + 1e-6) is about half of c/‖g‖.
    const one = startAt([1, 1], Float32Array.of(0), sgd({ lr: 1 }), { clip: { norm: 2 ** -24 } });
    const gradient = Math.fround(2 ** -20 * Math.SQRT1_2);
    await one.step(Float32Array.of(gradient));
    const expected = multiply(exact(-gradient), factorOf([[gradient], [gradient]], 2 ** -24));
    expect(outside(one.weight, [expected])).toEqual([]);
  });

  test("a norm below the bound changes no bit", async () => {
    const weightsWith = async (clip: Clip | undefined): Promise<Float32Array> => {
      const one = startAt(SHAPE, signed(COUNT, 1), adam({ lr: 0.1 }), { clip });
      await one.step(signed(COUNT, 2));
      return one.weight;
    };
    expect(await weightsWith({ norm: 100 })).toEqual(await weightsWith(undefined));
  });
});

test.each<[string, Clip]>([
  ["norm", { norm: 0.5 }],
  ["value", { value: 0.5 }],
])("by %s: a gradient of 0 stays one, no NaN", async (_name, clip) => {
  for (const optimizer of [sgd({ lr: 1 }), adam({ lr: 1 })]) {
    const start = signed(COUNT, 1);
    const one = startAt(SHAPE, start, optimizer, { clip });
    await one.step(new Float32Array(COUNT));
    expect(Array.from(one.weight, (value) => value + 0)).toEqual(Array.from(start, (value) => value + 0));
  }
});

test("by value: every element to ±c, to the bit", async () => {
  const one = startAt([1, 6], new Float32Array(6), sgd({ lr: 1 }), { clip: { value: 0.25 } });
  await one.step(Float32Array.of(1, -1, 0.25, -0.25, 0.125, -0.3));
  expect(Array.from(one.weight)).toEqual([-0.25, 0.25, -0.25, 0.25, -0.125, 0.25]);
});

test("NaN is not hidden", async () => {
  for (const clip of [{ value: 0.25 }, { norm: 1 }] as const) {
    const one = startAt([1, 2], new Float32Array(2), sgd({ lr: 1 }), { clip });
    await one.step(Float32Array.of(Number.NaN, 1));
    expect(one.weight[0]).toBeNaN();
  }
});

test("penalties are added after it", async () => {
  // g = 1 is cut to ¼; then λθ = ½·2 and λ·sign θ = ½ are added whole.
  for (const clip of [{ value: 0.25 }, { norm: 0.25 * Math.SQRT2 }] as const) {
    const options = { clip, regularizer: [l2(0.5), l1(0.5)] };
    const one = startAt([1, 1], Float32Array.of(2), sgd({ lr: 1 }), options);
    await one.step(Float32Array.of(1));
    expect(one.weight[0]).toBeCloseTo(2 - 0.25 - 1 - 0.5, 5);
  }
});

describe("an optimizer whose clipping sees the sum (Keras)", () => {
  const summing = (optimizer: Optimizer): Optimizer => ({ ...optimizer, clipsSum: true });

  test("by value and by norm, c/max(‖g‖, c)", async () => {
    for (const [clip, expected] of [
      [{ value: 0.25 }, 2 - 0.25],
      // The weight's sum is 1 + ½·2 + ½, the bias' gradient 1.
      [{ norm: 0.5 }, 2 - (2.5 * 0.5) / Math.hypot(2.5, 1)],
      [{ norm: 50 }, 2 - 2.5],
    ] as const) {
      const options = { clip, regularizer: [l2(0.5), l1(0.5)] };
      const one = startAt([1, 1], Float32Array.of(2), summing(sgd({ lr: 1 })), options);
      const penalty = await one.step(Float32Array.of(1));
      expect(one.weight[0]).toBeCloseTo(expected, 5);
      expect(penalty).toBeCloseTo(0.25 * 4 + 0.5 * 2, 6);
    }
  });

  test.each<[string, Clip]>([
    ["norm", { norm: 0.05 }],
    ["value", { value: 0.01 }],
  ])("by %s, also in micro-batches: the penalties are not divided by the batch", async (_name, clip) => {
    const trained = async (accumulate: number): Promise<number[]> => {
      const model = sequential(linear(3, 2, { init: 0.5 }));
      await fit(model, { ...job(summing(sgd({ lr: 0.5 })), clip), regularizer: l2(0.25), accumulate });
      return weightsOf(model, "linear1.weight");
    };
    const [whole, divided] = [await trained(1), await trained(4)];
    for (const [index, one] of whole.entries()) expect(divided[index]).toBeCloseTo(one, 5);
  });
});

const { x, y: labels } = clusters(24, 3, 2);
const job = (optimizer: Optimizer | ReturnType<typeof partition>, clip: Clip | undefined) =>
  ({
    data: { x, y: Array.from(labels, (one) => [one, 1 - one]) },
    loss: mse(),
    optimizer,
    clip,
    batchSize: 8,
    shuffle: false,
    epochs: 2,
  }) as const;

describe("in fit", () => {
  const trained = async (clip: Clip | undefined, accumulate = 1): Promise<Model> => {
    const model = sequential(linear(3, 5, { init: 0.5 }), linear(5, 2)).initialize(1);
    await fit(model, { ...job(sgd({ lr: 0.25 }), clip), accumulate });
    return model;
  };

  test("with micro-batches it clips the gradient of the whole batch", async () => {
    for (const clip of [{ norm: 0.05 }, { value: 0.01 }] as const) {
      const [whole, divided, free] = [await trained(clip), await trained(clip, 3), await trained(undefined)];
      for (const { name } of whole.parameters) {
        // 6 steps of sums over 8 rows: some 100 roundings of numbers of order 1.
        for (const [index, one] of weightsOf(whole, name).entries()) {
          expect(Math.abs((weightsOf(divided, name)[index] ?? Number.NaN) - one)).toBeLessThan(200 * 2 ** -24);
        }
      }
      expect(bitsOf(whole)).not.toBe(bitsOf(free));
    }
  });

  test("the steps are no longer than the norm allows", async () => {
    const model = sequential(linear(3, 2, { init: 3 })).initialize(0);
    const before = model.parameters.flatMap(({ name }) => weightsOf(model, name));
    await fit(model, { ...job(sgd({ lr: 0.5 }), { norm: 0.125 }), epochs: 1, steps: 1 });
    const moved = model.parameters
      .flatMap(({ name }) => weightsOf(model, name))
      .map((one, at) => one - (before[at] ?? 0));
    expect(Math.hypot(...moved)).toBeCloseTo(0.0625, 5);
  });
});

describe("refusals", () => {
  const model = sequential(linear(2, 1));
  const clipping = (clip: unknown): void => {
    new Probe(probe([1, 1]), sgd({ lr: 1 }), { clip: clip as Clip });
  };

  test.each([
    [{}, "ERR_OPTION", "clip", "either norm or value"],
    [{ norm: 1, value: 1 }, "ERR_OPTION", "clip", "either norm or value"],
    [{ norm: 0 }, "ERR_OPTION", "clip.norm", "a number > 0"],
    [{ norm: -1 }, "ERR_OPTION", "clip.norm", "a number > 0"],
    [{ norm: Number.NaN }, "ERR_OPTION", "clip.norm", "a number > 0"],
    [{ value: 0 }, "ERR_OPTION", "clip.value", "a number > 0"],
    [{ value: Number.POSITIVE_INFINITY }, "ERR_OPTION", "clip.value", "a number > 0"],
    [{ norms: 1 }, "ERR_UNKNOWN_OPTION", "clip.norms", "'norm'"],
    [1, "ERR_OPTION", "clip", "an object of options"],
  ])("%o", async (clip, code, where, says) => {
    const message = expect.stringContaining(says);
    expect(() => clipping(clip)).toThrow(expect.objectContaining({ code, where: `minimizer.${where}`, message }));
    const run = fit(model, { ...job(sgd({ lr: 1 }), clip as Clip), data: { x: [[1, 2]], y: [0] } });
    await expect(run).rejects.toThrow(expect.objectContaining({ code, where: `fit.${where}`, message }));
  });
});

// A batch in parts: the same masks and forward bits, the same sums within their roundings, never a mean of means.
import {
  adam,
  alphaDropout,
  type Callback,
  crossEntropy,
  defineLayer,
  dropout,
  fit,
  gaussianDropout,
  type Layer,
  type Loss,
  l2,
  linear,
  type Model,
  mse,
  ops,
  relu,
  sequential,
  sgd,
  type Value,
} from "carillon";
import { describe, expect, test } from "vitest";
import { bitsOf, clusters, numbers, weightsOf } from "./synthetic.js";

const U = 2 ** -24;
const chain = sequential as (...layers: readonly unknown[]) => Model;

type FitOptions = Parameters<typeof fit>[1];

/** What each step told. */
async function told(
  model: Model,
  options: FitOptions,
): Promise<{ readonly dataLoss: number; readonly penalty: number }[]> {
  const steps: { dataLoss: number; penalty: number }[] = [];
  const run = fit(model, { ...options, reportEvery: 1, callbacks: [waiting] });
  for await (const event of run) {
    if (event.kind === "step") steps.push({ dataLoss: event.dataLoss, penalty: event.penalty });
  }
  return steps;
}
/** Steps told one at a time: none is lost to a slow reader. */
const waiting: Callback = {
  name: "waiting",
  every: { steps: 1 },
  decide: () => new Promise((next) => setImmediate(next)),
};

const ROWS = 14;
const PLACES = 3;
const CHANNELS = 5;
const WIDTH = PLACES * CHANNELS;

/** Spatial dropout over x: [batch, places·channels]. */
const spatial = (): Layer =>
  defineLayer({
    kind: "spatial",
    inputs: WIDTH,
    outputs: WIDTH,
    forward(x: Value, _parameters, { training, nextSite }) {
      const shaped = ops.reshape(x, ["batch", PLACES, CHANNELS]);
      return training ? ops.reshape(ops.spatialDropout(shaped, { rate: 0.5, site: nextSite() }), ["batch", WIDTH]) : x;
    },
  });

const KINDS: readonly (readonly [name: string, layers: () => readonly unknown[]])[] = [
  ["dropout", () => [linear(ROWS, WIDTH, { init: 1 }), dropout(0.5)]],
  ["classic", () => [linear(ROWS, WIDTH, { init: 1 }), dropout({ rate: 0.3, scaling: "classic" })]],
  ["spatialDropout", () => [linear(ROWS, WIDTH, { init: 1 }), spatial()]],
  ["alphaDropout", () => [linear(ROWS, WIDTH, { init: 1 }), alphaDropout(0.5)]],
  ["gaussianDropout", () => [linear(ROWS, WIDTH, { init: 1 }), gaussianDropout(0.5)]],
  ["dropConnect", () => [linear(ROWS, WIDTH, { init: 1, dropConnect: 0.5 })]],
  ["two sites", () => [linear(ROWS, WIDTH, { init: 1 }), dropout(0.5), dropout(0.5)]],
];

/** Sum of the outputs; the target has no part in it. */
const summed: Loss = (output, target) => ops.sum(ops.add(output, ops.multiply(0, target)), { axis: "last" });
/** Row r of the identity meets column r of the weight alone. */
const identity = Array.from({ length: ROWS }, (_, row) =>
  Array.from({ length: ROWS }, (_, at) => (at === row ? 1 : 0)),
);
const targets = identity.map(() => new Array<number>(WIDTH).fill(0));

describe.each(KINDS)("%s", (_name, layers) => {
  const base = { loss: summed, optimizer: sgd({ lr: 1 }), batchSize: ROWS, shuffle: false, seed: 3 } as const;

  test("the weights that move are those of the unsplit batch, whatever the parts", async () => {
    const moved = async (accumulate: number): Promise<number[]> => {
      const model = chain(...layers());
      await fit(model, { ...base, data: { x: identity, y: targets }, steps: 1, accumulate });
      return weightsOf(model, "linear1.weight").map((one) => 1 - one);
    };
    const whole = await moved(1);
    expect(new Set(whole.map((one) => one !== 0)).size + new Set(whole).size).toBeGreaterThan(2);
    for (const accumulate of [2, 3, 5, 13, 14, 100]) {
      const parts = await moved(accumulate);
      expect(parts.map((one) => one === 0)).toEqual(whole.map((one) => one === 0));
      // Each is one element's factor over 14; θ = 1 − that is rounded once more.
      for (const [index, one] of whole.entries()) expect(Math.abs((parts[index] ?? 9) - one)).toBeLessThan(4 * U);
    }
  });

  test("each row's loss is the same bits: a weight of 1 for it alone", async () => {
    const lossOf = async (row: number, accumulate: number): Promise<readonly number[]> => {
      const weight = identity.map((_, at) => (at === row ? 1 : 0));
      const data = { x: identity, y: targets, weight };
      const model = chain(...layers()).initialize(5);
      const steps = await told(model, { ...base, optimizer: sgd({ lr: 0 }), data, steps: 2, accumulate });
      return steps.map(({ dataLoss }) => dataLoss);
    };
    for (const row of [0, 4, 5, 9, 13]) {
      const whole = await lossOf(row, 1);
      expect(whole).toHaveLength(2);
      for (const accumulate of [2, 3, 5]) expect(await lossOf(row, accumulate)).toEqual(whole);
    }
  });
});

describe("sums", () => {
  const data = clusters(50, 6, 3);
  const network = (): Model => chain(linear(6, 16), relu(), dropout(0.3), linear(16, 3));
  const base = { data, loss: crossEntropy(), batchSize: 16, epochs: 2, seed: 4, metrics: ["accuracy"] } as const;

  // 16 rows, and 2 in the last batch of an epoch: with 8 parts of 2 rows seven of them are empty, with 16 fourteen.
  test.each([2, 3, 5, 7, 8, 16, 17, 1000])(
    "in %i parts: every step's loss and penalty, and the weights in the end",
    async (accumulate) => {
      const train = async (parts: number) => {
        const model = network();
        const options = {
          ...base,
          optimizer: sgd({ lr: 0.1, momentum: 0.9 }),
          regularizer: l2(0.01),
          accumulate: parts,
        };
        const steps = await told(model, options);
        return { steps, weights: model.parameters.map(({ name }) => weightsOf(model, name)) };
      };
      const [whole, parts] = [await train(1), await train(accumulate)];
      expect(parts.steps).toHaveLength(8);
      // A step's sums have ≤ 16 terms in another order, so do the gradients: 16·u of terms below 8 in size, over 16. A
      // step of rate 0.1/(1 − 0.9) moves weights by that much; 8 steps, and a slope of the loss below 10, stay below 2000·u.
      for (const [index, { dataLoss, penalty }] of whole.steps.entries()) {
        expect(Math.abs((parts.steps[index]?.dataLoss ?? 9) - dataLoss)).toBeLessThan(2000 * U);
        expect(Math.abs((parts.steps[index]?.penalty ?? 9) - penalty)).toBeLessThan(2000 * U);
      }
      for (const [index, values] of whole.weights.entries()) {
        const off = values.map((one, at) => Math.abs(one - (parts.weights[index]?.[at] ?? 9)));
        expect(Math.max(...off)).toBeLessThan(2000 * U);
      }
      // In the first step nothing has been carried on: 16 terms of one sign.
      const [first, second] = [whole.steps[0]?.dataLoss ?? 0, parts.steps[0]?.dataLoss ?? 9];
      expect(Math.abs(first - second)).toBeLessThan(32 * U * first);
    },
  );

  test("metrics and figures of the epoch count every row once", async () => {
    const figures = async (accumulate: number) => {
      const { history } = await fit(network(), { ...base, optimizer: sgd({ lr: 0 }), accumulate });
      return history.map(({ metrics }) => metrics);
    };
    const whole = await figures(1);
    for (const accumulate of [2, 5, 16]) expect(await figures(accumulate)).toEqual(whole);
  });

  test("of weighted examples Σwℓ/Σw, never a mean of means", async () => {
    // One weight θ = 0, ℓ = (θx − y)²: dℓ/dθ = −2xy. All numbers are exact in float32.
    const x = [[1], [2], [4], [1], [1], [2]];
    const y = [1, 2, 1, 8, 3, 1];
    const weight = [4, 0, 1, 0, 2, 1];
    const slope = x.reduce((sum, [one = 0], at) => sum - 2 * one * (y[at] ?? 0) * (weight[at] ?? 0), 0) / 8;
    const loss = y.reduce((sum, one, at) => sum + one * one * (weight[at] ?? 0), 0) / 8;
    for (const accumulate of [1, 2, 3, 4, 6]) {
      const model = chain(linear(1, 1, { init: 0, bias: false }));
      const options = {
        loss: mse(),
        optimizer: sgd({ lr: 0.125 }),
        batchSize: 6,
        shuffle: false,
        steps: 1,
        accumulate,
      };
      const [step] = await told(model, { ...options, data: { x, y, weight } });
      expect(step?.dataLoss).toBe(loss);
      expect(weightsOf(model, "linear1.weight")).toEqual([-0.125 * slope]);
    }
  });

  test("a part whose weights are all 0 adds nothing", async () => {
    const x = Array.from({ length: 8 }, (_, row) => [row]);
    const y = x.map(([one = 0]) => one);
    const weight = [0, 0, 1, 1, 1, 1, 0, 0];
    const trained = async (accumulate: number): Promise<number[]> => {
      const model = chain(linear(1, 1, { init: 0.5, bias: false }));
      const options = {
        loss: mse(),
        optimizer: sgd({ lr: 2 ** -6 }),
        batchSize: 8,
        shuffle: false,
        steps: 2,
        accumulate,
      };
      await fit(model, { ...options, data: { x, y, weight } });
      return weightsOf(model, "linear1.weight");
    };
    expect(await trained(4)).toEqual(await trained(1));
  });
});

describe("bits", () => {
  const data = clusters(300, 64, 4);
  const network = (): Model => chain(linear(64, 257, { dropConnect: 0.1 }), relu(), dropout(0.3), linear(257, 4));
  const base = {
    data,
    loss: crossEntropy(),
    optimizer: adam(),
    batchSize: 128,
    epochs: 3,
    seed: 8,
    accumulate: 3,
  } as const;

  test("are the same for any number of threads", async () => {
    const trained = async (threads: number): Promise<string> => {
      const model = network();
      await fit(model, { ...base, threads });
      return bitsOf(model);
    };
    const one = await trained(1);
    expect([await trained(2), await trained(3)]).toEqual([one, one]);
  });

  test("and after a resume in the middle of an epoch", async () => {
    const whole = network();
    await fit(whole, base);
    for (const cut of [1, 4, 8]) {
      const { checkpoint } = await fit(network(), { ...base, steps: cut });
      const resumed = network();
      await fit(resumed, { ...base, resume: checkpoint() });
      expect(bitsOf(resumed)).toBe(bitsOf(whole));
    }
  });

  test("one part, and more rows than there are, are the unsplit batch", async () => {
    const trained = async (accumulate: number | undefined, batchSize: number): Promise<string> => {
      const model = network();
      await fit(model, { ...base, epochs: 1, accumulate, batchSize });
      return bitsOf(model);
    };
    expect(await trained(1, 128)).toBe(await trained(undefined, 128));
    expect(await trained(7, 1)).toBe(await trained(1, 1));
  });
});

test.each([0, -1, 1.5, Number.NaN, "2", null])("accumulate %o is refused", async (accumulate) => {
  const next = numbers(1);
  const data = { x: [[next()], [next()]], y: [0, 1] };
  const run = fit(chain(linear(1, 1)), {
    data,
    loss: mse(),
    optimizer: sgd({ lr: 1 }),
    epochs: 1,
    accumulate,
  } as FitOptions);
  const error = { code: "ERR_OPTION", where: "fit.accumulate", message: expect.stringContaining("an integer >= 1") };
  await expect(run).rejects.toThrow(expect.objectContaining(error));
});

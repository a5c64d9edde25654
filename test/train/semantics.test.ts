// What fit means: epochs and steps, weights of examples, penalties, metrics, dropout.
import {
  adam,
  type Callback,
  crossEntropy,
  defineLayer,
  dropout,
  type FitEvent,
  fit,
  type Loss,
  l2,
  linear,
  mse,
  ops,
  parameter,
  relu,
  sequential,
  sgd,
  tensor,
} from "carillon";
import { describe, expect, test } from "vitest";
import { bitsOf, clusters, weightsOf } from "./synthetic.js";

const DATA = clusters(50, 6, 3);

function network() {
  return sequential(linear(6, 8), relu(), linear(8, 3));
}

describe("epochs and steps", () => {
  const options = { data: DATA, loss: crossEntropy(), optimizer: adam(), batchSize: 16 } as const;

  test.each([
    [{ epochs: 3 }, 12, 3],
    [{ steps: 6 }, 6, 2],
    [{ epochs: 1, steps: 100 }, 4, 1],
    [{ epochs: 100, steps: 5 }, 5, 2],
    [{ epochs: undefined, steps: 8 }, 8, 2],
    [{ epochs: 2, batchSize: 50 }, 2, 2],
    [{ epochs: 2, batchSize: 1000 }, 2, 2],
    [{ epochs: 1, batchSize: 1 }, 50, 1],
    [{ epochs: 1, batchSize: undefined }, 2, 1],
  ])("%o: %i steps, %i epochs told", async (wanted, steps, epochs) => {
    const { reason, step, history } = await fit(network(), { ...options, ...wanted });
    expect([reason, step, history.length]).toEqual(["finished", steps, epochs]);
    expect(history.map(({ epoch }) => epoch)).toEqual(Array.from({ length: epochs }, (_, index) => index + 1));
  });

  test("fit continues what was trained before", async () => {
    const twice = network();
    const plain = { ...options, optimizer: sgd({ lr: 0.1 }), shuffle: false } as const;
    await fit(twice, { ...plain, epochs: 1 });
    await fit(twice, { ...plain, epochs: 1 });
    const once = network();
    await fit(once, { ...plain, epochs: 2 });
    expect(bitsOf(twice)).toBe(bitsOf(once));
  });

  test("an untouched model is initialized from the seed of the run, any other continues", async () => {
    const frozen = { ...options, optimizer: sgd({ lr: 0 }), steps: 1, seed: 17 };
    const fresh = network();
    await fit(fresh, frozen);
    expect(bitsOf(fresh)).toBe(bitsOf(network().initialize(17)));
    const own = network().initialize(3);
    await fit(own, frozen);
    expect(bitsOf(own)).toBe(bitsOf(network().initialize(3)));
  });
});

describe("weights of examples", () => {
  test("a weight of 0 leaves an example out, a weight of 2 is two of them", async () => {
    // The sums are exact in float32: small integers and powers of two.
    const train = async (x: number[][], y: number[], weight?: number[]): Promise<readonly unknown[]> => {
      const model = sequential(linear(1, 1, { init: 0.5 }));
      const data = { x, y, ...(weight === undefined ? {} : { weight }) };
      const { history } = await fit(model, {
        data,
        loss: mse(),
        optimizer: sgd({ lr: 0.25 }),
        epochs: 1,
        batchSize: 8,
        shuffle: false,
      });
      return [bitsOf(model), history[0]?.dataLoss];
    };
    const weighted = await train([[1], [2], [9], [4]], [1, 2, 5, 8], [1, 2, 0, 1]);
    expect(await train([[1], [2], [2], [4]], [1, 2, 2, 8])).toEqual(weighted);
    expect(await train([[1], [2], [9], [4]], [1, 2, 5, 8], [0.5, 1, 0, 0.5])).toEqual(weighted);
    expect(await train([[1], [2], [9], [4]], [1, 2, 5, 8])).not.toEqual(weighted);
  });

  test.each([1, 2])("a batch that weighs nothing has no gradient, in %i parts", async (accumulate) => {
    const model = sequential(linear(1, 1, { init: 1, bias: false }));
    const data = { x: [[1], [2], [3], [4], [1], [1]], y: [0, 0, 9, 9, 0.5, 0.5], weight: [0, 0, 0, 0, 1, 1] };
    const options = { loss: mse(), optimizer: sgd({ lr: 0.25 }), epochs: 1, batchSize: 2, shuffle: false, accumulate };
    const { history } = await fit(model, { data, ...options });
    expect(weightsOf(model, "linear1.weight")).toEqual([1 - 0.25 * 2 * 0.5]);
    expect(history[0]?.dataLoss).toBe(0.25);
  });

  test("an epoch's loss is Σwℓ/Σw over all of it, not a mean of means", async () => {
    const model = sequential(linear(1, 1, { init: 1, bias: false }));
    const data = { x: [[1], [2], [3]], y: [0, 0, 0], weight: [1, 1, 2] };
    const options = { loss: mse(), optimizer: sgd({ lr: 0 }), epochs: 1, batchSize: 2, shuffle: false } as const;
    const { history } = await fit(model, { data, validation: data, ...options });
    expect(history[0]).toMatchObject({ dataLoss: (1 + 4 + 18) / 4, validation: { loss: (1 + 4 + 18) / 4 } });
    expect((await model.evaluate(data, { loss: mse() })).loss).toBe((1 + 4 + 18) / 4);
  });
});

test("the last short batch is trained", async () => {
  // One step of 2 rows, one of 1: without the second, θ would stay 0.5.
  const model = sequential(linear(1, 1, { init: 0, bias: false }));
  const data = { x: [[1], [1], [1]], y: [1, 1, 9] };
  await fit(model, { data, loss: mse(), optimizer: sgd({ lr: 0.25 }), epochs: 1, batchSize: 2, shuffle: false });
  expect(weightsOf(model, "linear1.weight")).toEqual([0.5 + 0.25 * 2 * 8.5]);
});

describe("penalties", () => {
  /** One step of rate ½ where the data has no gradient: θ ← θ − ½λθ. */
  async function shrunk(model: ReturnType<typeof network>, regularizer: ReturnType<typeof l2> | null) {
    const before = model.initialize(1).weights();
    const data = { x: new Float32Array(6), y: [0] };
    const { history } = await fit(model, {
      data,
      loss: flat,
      optimizer: sgd({ lr: 0.5 }),
      regularizer,
      steps: 1,
    });
    return { before, after: model.weights(), event: history[0] };
  }
  /** A loss without slope: 0·Σ output. */
  const flat: Loss = Object.assign(
    (output: Parameters<Loss>[0]) => ops.multiply(ops.sum(output, { axis: "last" }), 0),
    { target: "classes" as const },
  );

  test("reach every matrix and no bias", async () => {
    const model = sequential(linear(6, 8, { biasInit: 0.5 }), relu(), linear(8, 3, { biasInit: -0.25 }));
    const { before, after, event } = await shrunk(model, l2(0.25));
    let squares = 0;
    for (const [name, { data }] of before) {
      const factor = name.endsWith("bias") ? 1 : 1 - 0.5 * 0.25;
      expect(Array.from(after.get(name)?.data ?? [])).toEqual(Array.from(data, (one) => Math.fround(one * factor)));
      if (!name.endsWith("bias")) squares += data.reduce((sum, one) => sum + one * one, 0);
    }
    // Σ of 72 squares in float32: at most 72 roundings, and one of the result.
    expect(Math.abs((event?.penalty ?? 0) / (0.125 * squares) - 1)).toBeLessThan(73 * 2 ** -24);
    expect(event?.dataLoss).toBe(0);
    expect(event?.loss).toBe(event?.penalty);
  });

  test("null on a layer switches the model-wide one off, undefined inherits it, its own replaces it", async () => {
    const model = sequential(linear(6, 8, { regularizer: null }), relu(), linear(8, 3, { regularizer: undefined }));
    const { before, after } = await shrunk(model, l2(0.25));
    expect(after.get("linear1.weight")?.data).toEqual(before.get("linear1.weight")?.data);
    expect(after.get("linear2.weight")?.data).toEqual(before.get("linear2.weight")?.data.map((one) => one * 0.875));
    const own = sequential(linear(6, 8, { regularizer: l2(0.5) }), relu(), linear(8, 3));
    const second = await shrunk(own, null);
    expect(second.after.get("linear1.weight")?.data).toEqual(
      second.before.get("linear1.weight")?.data.map((one) => one * 0.75),
    );
    expect(second.after.get("linear2.weight")?.data).toEqual(second.before.get("linear2.weight")?.data);
  });

  test("a parameter of rank 1 has a penalty where it asks for one", async () => {
    const gain = (regularizer: ReturnType<typeof l2> | undefined) =>
      defineLayer({
        kind: "gain",
        inputs: 3,
        outputs: "same",
        parameters: { factor: parameter([3], { init: 2, regularizer }) },
        forward: (x, { factor }) => ops.multiply(x, factor),
      });
    const train = async (own: ReturnType<typeof l2> | undefined): Promise<number[]> => {
      const model = sequential(gain(own));
      const data = { x: new Float32Array(3), y: [0] };
      await fit(model, { data, loss: flat, optimizer: sgd({ lr: 0.5 }), regularizer: l2(0.25), steps: 1 });
      return weightsOf(model, "gain1.factor");
    };
    expect(await train(undefined)).toEqual([2, 2, 2]);
    expect(await train(l2(0.25))).toEqual([1.75, 1.75, 1.75]);
  });

  test("a penalty's gradient depends on its own matrix only", async () => {
    // Whatever stands before or behind it, a matrix of one value shrinks by the same factor.
    for (const place of [0, 1, 2]) {
      const layers = [0, 1, 2].map((index) => {
        const init = index === place ? 2 : 3;
        return linear(4, 4, { init, bias: false, regularizer: index === place ? l2(0.25) : l2(1) });
      });
      const model = sequential(...layers);
      const data = { x: new Float32Array(4), y: [0] };
      await fit(model, { data, loss: flat, optimizer: sgd({ lr: 0.5 }), steps: 1 });
      expect(weightsOf(model, `linear${place + 1}.weight`)).toEqual(new Array(16).fill(1.75));
    }
  });

  test("a penalty of 0 and none are the same bits", async () => {
    const train = async (regularizer: ReturnType<typeof l2> | null | undefined): Promise<string> => {
      const model = network();
      await fit(model, { data: DATA, loss: crossEntropy(), optimizer: adam(), regularizer, epochs: 2 });
      return bitsOf(model);
    };
    const none = await train(undefined);
    expect(await train(null)).toBe(none);
    expect(await train(l2(0))).toBe(none);
    expect(await train(l2(1e-3))).not.toBe(none);
  });
});

describe("metrics", () => {
  test("accuracy is exact over the whole set, in training, validation and evaluate", async () => {
    const model = network().initialize(2);
    const large = clusters(1000, 6, 3, 4);
    const predicted = ops.argmax(await model.predict(large.x)).data;
    const right = predicted.reduce((count, label, row) => count + (label === large.y[row] ? 1 : 0), 0);
    expect(right).toBeGreaterThan(0);
    const { metrics } = await model.evaluate(large, { loss: crossEntropy(), metrics: ["accuracy"] });
    expect(metrics.accuracy).toBe(right / 1000);
    const { history } = await fit(model, {
      data: large,
      validation: large,
      loss: crossEntropy(),
      optimizer: sgd({ lr: 0 }),
      metrics: ["accuracy"],
      epochs: 1,
      batchSize: 33,
    });
    expect(history[0]?.metrics.accuracy).toBe(right / 1000);
    expect(history[0]?.validation?.metrics.accuracy).toBe(right / 1000);
  });

  test("validation is measured on the weights after the epoch, training while they changed", async () => {
    const model = network();
    const losses: number[] = [];
    const run = fit(model, {
      data: DATA,
      validation: DATA,
      loss: crossEntropy(),
      optimizer: sgd({ lr: 0.5 }),
      epochs: 2,
      callbacks: [
        {
          name: "measuring",
          async decide() {
            losses.push((await model.evaluate(DATA, { loss: crossEntropy() })).loss);
          },
        },
      ],
    });
    const events: FitEvent[] = [];
    for await (const event of run) events.push(event);
    const epochs = events.filter((event) => event.kind === "epoch");
    expect(epochs.map(({ validation }) => validation?.loss)).toEqual(losses);
    expect(epochs[0]?.dataLoss).toBeGreaterThan(epochs[0]?.validation?.loss ?? Number.NaN);
  });
});

describe("dropout", () => {
  const WIDTH = 4096;
  /** One unit of weight 1 an input, then dropout: the mean output is the share that was kept, times the scale. */
  const dropped = (options: Parameters<typeof dropout>[0]) =>
    sequential(
      defineLayer({ kind: "pass", inputs: WIDTH, outputs: "same", forward: (x) => x }),
      dropout(options),
      sum(),
    );
  const sum = () =>
    defineLayer({
      kind: "sum",
      inputs: WIDTH,
      outputs: 1,
      parameters: { shift: parameter([1]) },
      forward: (x, { shift }) => ops.add(ops.reshape(ops.sum(x, { axis: "last" }), ["batch", 1]), shift),
    });
  const identity: Loss = (output, target) => ops.reshape(ops.add(output, ops.multiply(target, 0)), ["batch"]);
  const data = { x: new Float32Array(WIDTH).fill(1), y: [0] };

  async function sums(options: Parameters<typeof dropout>[0], seed: number): Promise<number[]> {
    const told: number[] = [];
    const model = dropped(options);
    const noting: Callback = {
      name: "noting",
      every: { steps: 1 },
      decide({ dataLoss }) {
        told.push(dataLoss);
      },
    };
    await fit(model, { data, loss: identity, optimizer: sgd({ lr: 0 }), steps: 40, seed, callbacks: [noting] });
    return told;
  }

  test("keeps the share that it says, scaled in training if inverted, with a new mask every step", async () => {
    for (const [options, keep, scale] of [
      [0.25, 0.75, 1 / 0.75],
      [{ keep: 0.5 }, 0.5, 2],
      [{ rate: 0.5, scaling: "classic" }, 0.5, 1],
    ] as const) {
      const counts = (await sums(options, 3)).map((told) => told / scale);
      // Binomial: six standard deviations, one run in 10⁹.
      const slack = 6 * Math.sqrt(WIDTH * keep * (1 - keep));
      for (const count of counts) expect(Math.abs(count - WIDTH * keep)).toBeLessThan(slack);
      expect(new Set(counts.map(Math.round)).size).toBeGreaterThan(20);
    }
  });

  test("the masks are the seed's", async () => {
    expect(await sums(0.5, 1)).toEqual(await sums(0.5, 1));
    expect(await sums(0.5, 1)).not.toEqual(await sums(0.5, 2));
  });

  test("a rate of 0 drops nothing, and is not there at all", async () => {
    expect(new Set(await sums(0, 1))).toEqual(new Set([WIDTH]));
    const train = async (layers: "with" | "without"): Promise<string> => {
      const model =
        layers === "with" ? sequential(linear(6, 8), dropout(0), linear(8, 3)) : sequential(linear(6, 8), linear(8, 3));
      await fit(model, { data: DATA, loss: crossEntropy(), optimizer: adam(), epochs: 2 });
      return bitsOf(model);
    };
    expect(await train("with")).toBe(await train("without"));
  });

  test("at inference inverted is the identity, classic multiplies by what is kept", async () => {
    expect((await dropped({ rate: 0.25 }).predict(data.x)).data[0]).toBe(WIDTH);
    expect((await dropped({ keep: 0.25, scaling: "classic" }).predict(data.x)).data[0]).toBe(WIDTH / 4);
    expect(dropped({ keep: 0.25, scaling: "classic" }).predictSync(data.x).data[0]).toBe(WIDTH / 4);
  });

  test("evaluate and validation are inference", async () => {
    const layers = () =>
      sequential(linear(6, 8), dropout({ keep: 0.5, scaling: "classic" }), linear(8, 3)).initialize(1);
    const model = layers();
    const { data: rows } = await model.predictProbabilities(DATA.x);
    const loss = DATA.y.reduce((sum, label, row) => sum - Math.log(rows[row * 3 + label] ?? 0), 0) / 50;
    const evaluated = await model.evaluate(DATA, { loss: crossEntropy() });
    // A probability is known to 4u, its logarithm to the same absolutely; one sum of 50 terms of order 1.
    expect(Math.abs(evaluated.loss - loss)).toBeLessThan(64 * 2 ** -24 * Math.max(1, loss));
    const options = { data: DATA, validation: DATA, loss: crossEntropy(), optimizer: sgd({ lr: 0 }), epochs: 1 };
    const { history } = await fit(model, options);
    expect(history[0]?.validation?.loss).toBe(evaluated.loss);
    expect(Math.abs((history[0]?.dataLoss ?? loss) - loss)).toBeGreaterThan(1e-3);
  });

  test("backward uses the mask of forward: a dropped unit's weight does not move, a kept one does", async () => {
    const width = 64;
    const model = sequential(
      linear(1, width, { init: 1, bias: false }),
      dropout(0.5),
      linear(width, 1, { init: 1, bias: false }),
    );
    const before = weightsOf(model.initialize(0), "linear1.weight");
    await fit(model, { data: { x: [[1]], y: [0] }, loss: mse(), optimizer: sgd({ lr: 2 ** -12 }), steps: 1, seed: 5 });
    const first = weightsOf(model, "linear1.weight").map((one, index) => one !== before[index]);
    const second = weightsOf(model, "linear2.weight").map((one) => one !== 1);
    expect(first).toEqual(second);
    const kept = first.filter(Boolean).length;
    expect(kept).toBeGreaterThan(10);
    expect(kept).toBeLessThan(54);
  });

  test("two layers and two places of one layer draw masks of their own", async () => {
    const shared = dropout(0.5);
    for (const layers of [
      [shared, shared],
      [dropout(0.5), dropout(0.5)],
    ] as const) {
      const model = sequential(
        defineLayer({ kind: "pass", inputs: WIDTH, outputs: "same", forward: (x) => x }),
        layers[0],
        layers[1],
        sum(),
      );
      const { history } = await fit(model, { data, loss: identity, optimizer: sgd({ lr: 0 }), steps: 1 });
      // Twice the same mask would keep a half, two masks a quarter; each unit then counts 4.
      const kept = (history[0]?.dataLoss ?? 0) / 4 / WIDTH;
      expect(Math.abs(kept - 0.25)).toBeLessThan(6 * Math.sqrt((0.25 * 0.75) / WIDTH));
    }
  });
});

test("u8 data, tensors, rows and typed arrays are the same data", async () => {
  const x = Uint8Array.from({ length: 40 * 6 }, (_, index) => (index * 37) % 256);
  const y = Array.from({ length: 40 }, (_, row) => row % 3);
  const rows = Array.from({ length: 40 }, (_, row) => Array.from(x.subarray(row * 6, row * 6 + 6)));
  const train = async (data: Parameters<typeof fit>[1]["data"]): Promise<string> => {
    const model = network();
    await fit(model, { data, loss: crossEntropy(), optimizer: sgd({ lr: 1e-4 }), epochs: 2 });
    return bitsOf(model);
  };
  const bits = await train({ x, y });
  expect(await train({ x: Float32Array.from(x), y: Int32Array.from(y) })).toBe(bits);
  expect(await train({ x: rows, y: Uint8Array.from(y) })).toBe(bits);
  expect(await train({ x: tensor(x, [40, 6]), y: tensor(Int32Array.from(y)) })).toBe(bits);
});

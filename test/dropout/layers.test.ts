// Dropout as layers: training and inference, new masks, sites, backward, DropConnect.
import {
  alphaDropout,
  type Callback,
  defineLayer,
  dropout,
  fit,
  gaussianDropout,
  grad,
  type Layer,
  type Loss,
  linear,
  type Model,
  ops,
  program,
  sequential,
  sgd,
  spatialDropout,
  spec,
  type Tensor,
  tensor,
} from "carillon";
import { describe, expect, test } from "vitest";
import { bitsOf, numbers, weightsOf } from "../train/synthetic.js";
import { agreements, deviations, mask, ones, total } from "./masks.js";

const WIDTH = 1024;
const ROWS = 3;

const pass = (size: number): Layer<number, number> =>
  defineLayer({ kind: "pass", inputs: size, outputs: size, forward: (x) => x });

/** A network of ones through `layers`, and ∂Σ/∂x, in training or not: one tensor a step. */
function tracer(layers: readonly Layer[], { training = true, seed = 6 } = {}) {
  const model: Model = (sequential as (...all: readonly unknown[]) => Model)(pass(WIDTH), ...layers);
  const compiled = program({
    seed,
    training,
    inputs: { x: spec(["batch", WIDTH]) },
    maxBatch: ROWS,
    body({ x }) {
      const [slope] = grad((value) => ops.sum(model.forward(value)))(x);
      return { y: model.forward(x), ...(slope === undefined ? {} : { slope }) };
    },
  });
  return (x: Tensor<"f32"> = ones([ROWS, WIDTH])) => compiled.runSync({ x });
}

const KINDS: readonly (readonly [name: string, make: (rate: number) => Layer])[] = [
  ["dropout", (rate) => dropout(rate)],
  ["classic", (rate) => dropout({ rate, scaling: "classic" })],
  ["spatialDropout", (rate) => spatialDropout(rate)],
  ["alphaDropout", (rate) => alphaDropout(rate)],
  ["gaussianDropout", (rate) => gaussianDropout(rate)],
];

describe.each(KINDS)("%s", (name, make) => {
  test("draws anew every step, and the same again from the same seed", () => {
    const [first, again] = [tracer([make(0.5)]), tracer([make(0.5)])];
    const steps = [1, 2, 3, 4].map(() => first().y.data);
    expect([1, 2, 3, 4].map(() => again().y.data)).toEqual(steps);
    for (const [index, a] of steps.entries()) {
      for (const b of steps.slice(index + 1)) expect(agreements(a, b)).toBeLessThan(0.6 * a.length);
    }
    expect(tracer([make(0.5)], { seed: 7 })().y.data).not.toEqual(steps[0]);
  });

  test("two of them are two sites, the same one twice too, and two calls of one model", () => {
    // Each draws for itself: what one keeps says nothing about the other.
    const layer = make(0.5);
    const twice = tracer([layer, layer])().y.data;
    const once = tracer([layer])().y.data;
    const squared = once.map((one) => one * one);
    expect(agreements(twice, squared)).toBeLessThan(0.7 * twice.length);
    expect(tracer([layer, make(0.5)])().y.data).toEqual(twice);
    const model: Model = sequential(pass(WIDTH), layer as Layer<number, "same">);
    const both = program({
      training: true,
      inputs: { x: spec(["batch", WIDTH]) },
      maxBatch: 1,
      body: ({ x }) => ({ a: model.forward(x), b: model.forward(x) }),
    });
    const { a, b } = both.runSync({ x: ones([1, WIDTH]) });
    expect(agreements(a.data, b.data)).toBeLessThan(0.6 * WIDTH);
  });

  test("is at inference the identity, or keep·x if classic", () => {
    const x = tensor(Float32Array.from({ length: WIDTH }, numbers(3)), [1, WIDTH]);
    const { y } = tracer([make(0.3)], { training: false })(x);
    const factor = name === "classic" ? Math.fround(0.7) : 1;
    expect(y.data).toEqual(x.data.map((one) => one * factor));
    const model: Model = sequential(pass(WIDTH), make(0.3) as Layer<number, "same">);
    expect(model.predictSync(x.data).data).toEqual(y.data);
  });

  test("with a rate of 0 is not there at all", () => {
    const x = tensor(Float32Array.from({ length: WIDTH }, numbers(3)), [1, WIDTH]);
    expect(tracer([make(0)])(x).y.data).toEqual(x.data);
    // It counts no site: what comes after it draws what it would draw without it.
    expect(tracer([make(0), dropout(0.5)])().y.data).toEqual(tracer([dropout(0.5)])().y.data);
  });
});

test("the mask of a layer is that of (seed, step, site, element)", () => {
  const run = tracer([dropout({ rate: 0.5, scaling: "classic" }), dropout({ rate: 0.25, scaling: "classic" })]);
  for (const step of [1, 2, 3]) {
    // Sites 0 and 1 are those of the gradient's forward pass.
    const [a, b] = [2, 3].map((site) => mask([ROWS, WIDTH], site === 2 ? 0.5 : 0.75, { seed: 6, step, site }));
    const both = (a ?? ones([0]).data).map((one, index) => one * (b?.[index] ?? 0));
    const [c, d] = [0, 1].map((site) => mask([ROWS, WIDTH], site === 0 ? 0.5 : 0.75, { seed: 6, step, site }));
    const slope = (c ?? ones([0]).data).map((one, index) => one * (d?.[index] ?? 0));
    const received = run();
    expect(received.y.data).toEqual(both);
    // Backward uses the masks of its own forward pass: 0 exactly where dropped.
    expect(received.slope?.data.map((one) => one + 0)).toEqual(slope);
  }
});

test("fewer rows are the beginning of the same mask", () => {
  const run = (rows: number): number[] => Array.from(tracer([dropout(0.5)])(ones([rows, WIDTH])).y.data);
  expect(run(3).slice(0, WIDTH)).toEqual(run(1));
  expect(run(3).slice(0, 2 * WIDTH)).toEqual(run(2));
});

describe("inverted and classic", () => {
  test("expect in training what they give at inference", () => {
    for (const rate of [0.2, 0.5, 1 / 3]) {
      for (const [scaling, scale, expected] of [
        ["inverted", 1 / (1 - rate), 1],
        ["classic", 1, 1 - rate],
      ] as const) {
        const layer = dropout({ rate, scaling });
        const run = tracer([layer]);
        const kept = [1, 2, 3, 4, 5, 6, 7, 8].map(() => total(run().y.data) / scale);
        const draws = 8 * ROWS * WIDTH;
        expect(deviations(total(kept.map(Math.round)), draws, 1 - rate)).toBeLessThan(5);
        const { y } = tracer([layer], { training: false })();
        expect(new Set(y.data)).toEqual(new Set([Math.fround(expected)]));
        // 5 standard errors of the mean over all draws.
        const mean = (total(kept) * scale) / draws;
        expect(Math.abs(mean - expected)).toBeLessThan(5 * scale * Math.sqrt((rate * (1 - rate)) / draws));
      }
    }
  });
});

describe("DropConnect", () => {
  const RATE = 0.25;
  const SHAPE = [12, 8] as const;
  const scale = Math.fround(1 / (1 - RATE));

  /** Rows of the identity show the weight itself. */
  const identity = Array.from({ length: 8 }, (_, row) => Array.from({ length: 8 }, (_, at) => (at === row ? 1 : 0)));
  const summed: Loss = (output, target) => ops.sum(ops.add(output, ops.multiply(0, target)), { axis: "last" });

  test("masks the weight, one mask a step for all examples; backward too; inference is plain", async () => {
    const model = sequential(linear(8, 12, { init: 1, biasInit: 0.5, dropConnect: RATE })).initialize(0);
    const before = [...model.predictSync(identity).data];
    expect(new Set(before)).toEqual(new Set([1.5]));
    const compiled = program({
      seed: 9,
      training: true,
      inputs: { x: spec(["batch", 8]) },
      maxBatch: 8,
      body: ({ x }) => ({ y: model.forward(x) }),
    });
    for (const step of [1, 2, 3]) {
      const kept = mask(SHAPE, 1 - RATE, { seed: 9, step, site: 0 });
      const { y } = compiled.runSync({ x: tensor(identity) });
      const expected = identity.flatMap((_, row) =>
        Array.from({ length: 12 }, (_, output) => 0.5 + (kept[output * 8 + row] === 1 ? scale : 0)),
      );
      expect(Array.from(y.data)).toEqual(expected.map(Math.fround));
    }
    const targets = identity.map(() => new Array<number>(12).fill(0));
    const data = { x: identity, y: targets };
    await fit(model, {
      data,
      loss: summed,
      optimizer: sgd({ lr: 1 }),
      steps: 1,
      batchSize: 8,
      seed: 9,
      shuffle: false,
    });
    // ∂/∂W of the mean over 8 rows of the identity: 1/8 for each kept weight, times the scale.
    const kept = mask(SHAPE, 1 - RATE, { seed: 9, step: 1, site: 0 });
    const moved = weightsOf(model, "linear1.weight").map((one) => 1 - one);
    expect(moved.map((one) => one !== 0)).toEqual([...kept].map((one) => one === 1));
    for (const one of moved) expect([0, Math.fround(1 - Math.fround(1 - scale / 8))]).toContain(one);
    expect(new Set(weightsOf(model, "linear1.bias"))).toEqual(new Set([-0.5]));
  });

  test("a rate of 0 is no DropConnect", async () => {
    const weightsWith = async (dropConnect: number | undefined): Promise<string> => {
      const model = sequential(linear(8, 12, { dropConnect }), dropout(0.5));
      const data = { x: identity, y: identity.map(() => new Array<number>(12).fill(0)) };
      await fit(model, { data, loss: summed, optimizer: sgd({ lr: 0.1 }), epochs: 3, batchSize: 3 });
      return bitsOf(model);
    };
    expect(await weightsWith(0)).toBe(await weightsWith(undefined));
    expect(await weightsWith(0.1)).not.toBe(await weightsWith(undefined));
  });
});

test("a run's masks are those of its seed, whatever is looked at meanwhile", async () => {
  const trained = async (callbacks: readonly Callback[]): Promise<string> => {
    const layers = [dropout(0.5), gaussianDropout(0.2), alphaDropout(0.1), spatialDropout(0.1)] as const;
    const model = sequential(linear(8, 16, { dropConnect: 0.1 }), ...layers, linear(16, 2));
    const next = numbers(5);
    const x = Array.from({ length: 20 }, () => Array.from({ length: 8 }, next));
    const data = { x, y: x.map(([a = 0, b = 0]) => [a, b]) };
    const loss: Loss = (output, target) => ops.mean(ops.square(ops.subtract(output, target)), { axis: "last" });
    const validation = { x, y: data.y };
    await fit(model, {
      data,
      validation,
      loss,
      optimizer: sgd({ lr: 0.1 }),
      epochs: 4,
      batchSize: 8,
      seed: 2,
      callbacks,
    });
    return bitsOf(model);
  };
  const looking: Callback = {
    name: "looking",
    every: { steps: 1 },
    decide(at) {
      at.checkpoint();
    },
  };
  expect(await trained([looking])).toBe(await trained([]));
});

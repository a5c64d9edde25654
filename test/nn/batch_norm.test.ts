// Batch normalization: runs of PyTorch and Keras with their running values, lone rows, micro-batches, resume, averages, threads.
import {
  adam,
  batchNorm,
  dataset,
  type FitEvent,
  fit,
  l2,
  linear,
  loadModel,
  type Model,
  mse,
  ops,
  program,
  relu,
  sequential,
  sgd,
  spec,
  type Tensor,
  tensor,
  type Value,
} from "carillon";
import { describe, expect, test } from "vitest";
import { bitsOf, numbers } from "../train/synthetic.js";
import { type Case, distanceOf, fixture, HIDDEN, type Numbers, trained } from "./norm_runs.js";

const cases: readonly (readonly ["pytorch" | "keras", Case])[] = [
  ["pytorch", fixture.cases.pytorch.batchNorm],
  ["keras", fixture.cases.keras.batchNorm],
];

/* As in norms.test.ts: the bound of one step, and twice the framework's own distance, running values among what is compared. */
describe.each(cases)("batchNorm of %s", (preset, { first, last, distance: theirs }) => {
  test("one step", async () => {
    const run = await trained(batchNorm(HIDDEN, { name: "norm", preset }), 1);
    expect(distanceOf(run, first)).toBeLessThan(2 ** -24 * 40 * 4 * Math.sqrt(187));
  });
  // A running value is rounded once a step, by half an ulp of a number below 8, and what is left of that after a step is `keep` of it.
  test("200 steps", async () => {
    const run = await trained(batchNorm(HIDDEN, { name: "norm", preset }), fixture.steps);
    const isRunning = (key: string): boolean => key === "norm.mean" || key === "norm.variance";
    const part = (all: Numbers, wanted: boolean): Numbers =>
      Object.fromEntries(Object.entries(all).filter(([key]) => isRunning(key) === wanted));
    expect(distanceOf(part(run, false), part(last, false))).toBeLessThan(2 * theirs);
    const rounding = 2 ** -22 / (1 - (preset === "keras" ? 0.99 : 0.9));
    expect(distanceOf(part(run, true), part(last, true))).toBeLessThan(2 * theirs + rounding * Math.sqrt(2 * HIDDEN));
  });
});

const FEATURES = 3;

function rowsOf(count: number, seed: number): Tensor {
  const next = numbers(seed);
  return tensor(
    Array.from({ length: count }, () => Array.from({ length: FEATURES }, () => Math.fround(4 * next() - 1))),
  );
}

/** Only the running values move. */
const still = { optimizer: sgd({ lr: 0 }), loss: mse(), shuffle: false, epochs: 1 } as const;

const valuesOf = (model: Model, role: string): readonly number[] =>
  Array.from(model.weights().get(`batchNorm1.${role}`)?.data ?? []);

/** Running mean and variance after batches, in double. */
function running(batches: readonly (readonly (readonly number[])[])[], keep: number): readonly (readonly number[])[] {
  return Array.from({ length: FEATURES }, (_, column) => {
    let [mean, variance] = [0, 1];
    for (const batch of batches) {
      const values = batch.map((row) => row[column] ?? Number.NaN);
      const m = values.reduce((sum, value) => sum + value, 0) / values.length;
      const v = values.reduce((sum, value) => sum + (value - m) ** 2, 0) / values.length;
      [mean, variance] = [keep * mean + (1 - keep) * m, keep * variance + (1 - keep) * v];
    }
    return [mean, variance];
  });
}

const matrix = (x: Tensor): readonly (readonly number[])[] =>
  Array.from({ length: x.shape[0] ?? 0 }, (_, row) => Array.from(x.data.slice(row * FEATURES, (row + 1) * FEATURES)));

/* Six roundings of numbers of at most 9 a step, and sums of at most 7 of them. */
const NEAR = 2 ** -24 * 9 * 16;

function expectRunning(model: Model, batches: readonly (readonly (readonly number[])[])[], keep: number): void {
  for (const [column, [mean = 0, variance = 0]] of running(batches, keep).entries()) {
    expect(Math.abs((valuesOf(model, "mean")[column] ?? Number.NaN) - mean)).toBeLessThan(NEAR);
    expect(Math.abs((valuesOf(model, "variance")[column] ?? Number.NaN) - variance)).toBeLessThan(NEAR);
  }
}

describe("running values", () => {
  test("follow the batches, the last short one too", async () => {
    const x = rowsOf(10, 1);
    const model = sequential(batchNorm(FEATURES, { keep: 0.75 }));
    await fit(model, { ...still, data: { x, y: x }, batchSize: 4 });
    const rows = matrix(x);
    expectRunning(model, [rows.slice(0, 4), rows.slice(4, 8), rows.slice(8)], 0.75);
  });

  test("parts of a batch have statistics of their own, one after the other", async () => {
    const x = rowsOf(8, 2);
    const model = sequential(batchNorm(FEATURES, { keep: 0.5 }));
    await fit(model, { ...still, data: { x, y: x }, batchSize: 8, accumulate: 2 });
    const rows = matrix(x);
    expectRunning(model, [rows.slice(0, 4), rows.slice(4)], 0.5);
  });

  test("serve at inference, by one fused multiply-add a feature", async () => {
    const x = rowsOf(6, 3);
    const model = sequential(batchNorm(FEATURES, { epsilon: 0.5 }));
    model.setWeights({
      "batchNorm1.scale": Float32Array.of(1, 2, 3),
      "batchNorm1.shift": Float32Array.of(0.5, 0, -1),
      "batchNorm1.mean": Float32Array.of(1, -2, 0),
      "batchNorm1.variance": Float32Array.of(3.5, 0.5, 1.75),
    });
    // Roots that are exact: 2, 1 and 1.5.
    const factors = [0.5, 2, 2].map(Math.fround);
    const shifts = [0, 4, -1];
    const expected = matrix(x).flatMap((row) =>
      row.map((value, i) => Math.fround(value * (factors[i] ?? 0) + (shifts[i] ?? 0))),
    );
    expect(Array.from((await model.predict(x)).data)).toEqual(expected);
    expect(Array.from(model.predictSync(x).data)).toEqual(expected);
    expect(Array.from(model.predictor().run(x).data)).toEqual(expected);
  });

  test("belong to files", async () => {
    const x = rowsOf(8, 4);
    const model = sequential(linear(FEATURES, 5), batchNorm(5, { preset: "pytorch" }));
    await fit(model, {
      data: { x, y: tensor(Array.from({ length: 8 }, () => [1, 0, 0, 0, 1])) },
      loss: mse(),
      optimizer: adam(),
      epochs: 3,
    });
    const loaded = await loadModel(model.bytes());
    expect((await loaded.predict(x)).data).toEqual((await model.predict(x)).data);
    expect(bitsOf(loaded)).toBe(bitsOf(model));
  });
});

describe("one value a feature", () => {
  const y = (x: Tensor): { readonly x: Tensor; readonly y: Tensor } => ({ x, y: x });

  test.each([
    ["a last batch of 1: 9 rows in batches of 4", { rows: 9, batchSize: 4, accumulate: 1 }],
    ["batches of 1", { rows: 8, batchSize: 1, accumulate: 1 }],
    ["batches of 4 in 4 parts", { rows: 8, batchSize: 4, accumulate: 4 }],
    ["batches of 7 in 3 parts", { rows: 14, batchSize: 7, accumulate: 3 }], // 3, 3 and 1
    ["a last batch of 5 in 3 parts: 17 rows in batches of 12", { rows: 17, batchSize: 12, accumulate: 3 }], // 4 and 1
  ])("is refused before the first step: %s", async (text, { rows, ...options }) => {
    const model = sequential(batchNorm(FEATURES)).initialize(0);
    const before = bitsOf(model);
    const problem = `expected 2 rows or more in a batch for the layer 'batchNorm1' but received ${text}`;
    const failing = fit(model, { ...still, ...options, data: y(rowsOf(rows, 5)) });
    await expect(failing).rejects.toMatchObject({ code: "ERR_OPTION", where: "fit.batchSize", message: problem });
    expect(bitsOf(model)).toBe(before);
  });

  test("is taken with the preset of Keras, and gives the shift", async () => {
    const model = sequential(batchNorm(FEATURES, { preset: "keras" }));
    const { history } = await fit(model, { ...still, batchSize: 1, data: y(rowsOf(3, 6)) });
    const squares = matrix(rowsOf(3, 6))
      .flat()
      .map((value) => value ** 2);
    expect(history.at(-1)?.loss).toBeCloseTo(squares.reduce((sum, value) => sum + value, 0) / squares.length, 5);
  });

  test("at the end of a stream is normalized by the running values, which stay as they are", async () => {
    const x = rowsOf(5, 7);
    const rows = matrix(x);
    const data = dataset(() => rows.map((row) => ({ x: row, y: row })), { shuffleBuffer: 1 });
    const model = sequential(batchNorm(FEATURES, { keep: 0.5 }));
    const run = fit(model, { ...still, data, batchSize: 4 });
    const told: FitEvent[] = [];
    for await (const event of run) if (event.kind === "fewRows") told.push(event);
    expect(told).toEqual([{ kind: "fewRows", step: 2, epoch: 1, layer: "batchNorm1", rows: 1, needed: 2 }]);
    expectRunning(model, [rows.slice(0, 4)], 0.5);
  });

  test.each([
    ["a last part of one row", 7, { batchSize: 6, accumulate: 2 }, {}, [2]],
    ["no such part", 8, { batchSize: 6, accumulate: 2 }, {}, []],
    ["Keras' preset", 5, { batchSize: 4 }, { preset: "keras" }, []],
  ] as const)("of a stream with %s is told of after the step", async (_, count, options, own, steps) => {
    const rows = matrix(rowsOf(count, 7));
    const data = dataset(() => rows.map((row) => ({ x: row, y: row })));
    const told: number[] = [];
    for await (const event of fit(sequential(batchNorm(FEATURES, own)), { ...still, ...options, data })) {
      if (event.kind === "fewRows") told.push(event.step);
    }
    expect(told).toEqual(steps);
  });
});

test("equal values of a feature give the shift exactly", async () => {
  const x = tensor(Array.from({ length: 37 }, (_, row) => [0.1, row / 3]));
  const model = sequential(batchNorm(2));
  model.setWeights({
    "batchNorm1.scale": Float32Array.of(3, 1),
    "batchNorm1.shift": Float32Array.of(0.7, 0),
    "batchNorm1.mean": new Float32Array(2),
    "batchNorm1.variance": new Float32Array(2),
  });
  const target = tensor(Array.from({ length: 37 }, () => [0.7, 0]));
  // With a loss of the first feature alone, whose target is the shift.
  const loss = (output: Value, targets: Value): Value =>
    ops.mean(ops.slice(ops.square(ops.subtract(output, targets)), 0, 1), { axis: "last" });
  const { history } = await fit(model, { ...still, data: { x, y: target }, loss, batchSize: 37 });
  expect(history.at(-1)?.loss).toBe(0);
  expect(model.weights().get("batchNorm1.mean")?.data[0]).toBe(Math.fround(Math.fround(1 - 0.99) * Math.fround(0.1)));
});

const network = (): Model =>
  sequential(linear(FEATURES, 24), batchNorm(24), relu(), linear(24, 17), batchNorm(17), relu(), linear(17, 1));

const set = (): { readonly x: Tensor; readonly y: Tensor } => {
  const x = rowsOf(203, 8);
  return { x, y: tensor(matrix(x).map(([a = 0, b = 0]) => [a * b])) };
};

const options = { loss: mse(), batchSize: 32, seed: 3, regularizer: l2(1e-3) } as const;

test("1 to 4 threads and parts of a run compute the same bits", async () => {
  const hashes = new Set<string>();
  for (const threads of [1, 2, 3, 4]) {
    const model = network();
    await fit(model, { ...options, data: set(), optimizer: adam(), steps: 20, threads });
    hashes.add(bitsOf(model));
  }
  expect(hashes.size).toBe(1);
});

test("a resume in the middle of an epoch goes on with the running values", async () => {
  const whole = network();
  await fit(whole, { ...options, data: set(), optimizer: adam(), steps: 18 });
  for (const cut of [3, 7, 10]) {
    const first = network();
    const run = await fit(first, { ...options, data: set(), optimizer: adam(), steps: cut });
    const resumed = network();
    await fit(resumed, { ...options, data: set(), optimizer: adam(), steps: 18, resume: run.checkpoint() });
    expect(bitsOf(resumed)).toBe(bitsOf(whole));
  }
});

test("averaged weights are measured with the running values of the plain ones", async () => {
  const data = set();
  const model = network();
  const { averaged, history } = await fit(model, {
    ...options,
    ...{ data, optimizer: adam({ lr: 1e-2 }), steps: 21, averageWeights: { decay: 0.5 }, validation: data },
  });
  const states = [...model.weights()].flatMap(([name, { data: values }]): [string, Float32Array][] =>
    /mean|variance/.test(name) ? [[name, values]] : [],
  );
  expect(states.length).toBe(4);
  const measured = model.clone().setWeights(new Map([...(averaged() ?? []), ...states]));
  expect(bitsOf(measured)).not.toBe(bitsOf(model));
  const { loss } = await measured.evaluate(data, { loss: mse() });
  expect(history.at(-1)?.validation?.loss).toBe(loss);
});

test("a predictor answers a row alone as in its batch, with the bits of the model", async () => {
  const data = set();
  const model = network();
  await fit(model, { ...options, data, optimizer: adam(), steps: 14 });
  const all = model.predictSync(data.x);
  // As a program it is a product, a fused multiply-add and a relu of their own.
  const plain = program({
    inputs: { x: spec(["batch", FEATURES]) },
    maxBatch: 203,
    body: ({ x }) => ({ y: model.forward(x) }),
  });
  expect((await plain.run({ x: data.x })).y.data).toEqual(all.data);
  const frozen = model.predictor({ maxBatch: 203 });
  expect(frozen.run(data.x).data).toEqual(all.data);
  for (const row of [0, 100, 202]) {
    const alone = tensor([matrix(data.x)[row] ?? []]);
    expect(frozen.run(alone).data[0]).toBe(all.data[row]);
  }
});

describe("a running variance below 0, or none at all,", () => {
  const make = () => sequential(batchNorm(FEATURES), linear(FEATURES, 1)).initialize(1);
  const wrong = (value: number): Float32Array => Float32Array.of(1, value, 1);

  /** The file of a model with another variance. */
  function fileWith(model: Model, variance: Float32Array): Uint8Array {
    const bytes = model.bytes();
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    const header: unknown = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
    const begin = Number(Reflect.get(Object(Reflect.get(Object(header), "batchNorm1.variance")), "data_offsets")[0]);
    bytes.set(new Uint8Array(variance.buffer), 8 + length + begin);
    return bytes;
  }

  test.each([-1, Number.NaN, Number.POSITIVE_INFINITY])("is refused: %s", async (value) => {
    const model = make();
    const before = model.bytes();
    const weights = new Map(model.weights()).set("batchNorm1.variance", tensor(wrong(value), [FEATURES]));
    expect(() => model.setWeights(weights)).toThrow(
      expect.objectContaining({
        code: "ERR_STATE",
        where: "setWeights.batchNorm1.variance",
        message: expect.stringMatching(/expected numbers >= 0 .* in element 1$/),
      }),
    );
    const file = fileWith(model, wrong(value));
    const refused = { code: "ERR_FILE", message: expect.stringContaining("batchNorm1.variance[1]") };
    await expect(model.load(file)).rejects.toThrow(expect.objectContaining(refused));
    await expect(loadModel(file)).rejects.toThrow(expect.objectContaining(refused));
    expect(model.bytes()).toEqual(before);
    await model.load(fileWith(model, wrong(0)));
    expect(model.weights().get("batchNorm1.variance")?.data).toEqual(wrong(0));
  });
});

// Networks with several inputs and outputs by name: trained, measured, asked, kept and taken up again.
import { readFileSync } from "node:fs";
import {
  adam,
  binaryCrossEntropy,
  type Callback,
  crossEntropy,
  dataset,
  defineLayer,
  earlyStopping,
  fit,
  type Layer,
  linear,
  type Model,
  minMax,
  mse,
  network,
  ops,
  parameter,
  sequential,
  sgd,
  spec,
  standardize,
  tanh,
} from "carillon";
import { describe, expect, test } from "vitest";

interface Trajectory {
  readonly losses: readonly number[];
  readonly parameters: Readonly<Record<string, readonly number[]>>;
}

interface Fixture {
  readonly data: {
    readonly user: readonly number[];
    readonly age: readonly (readonly number[])[];
    readonly rating: readonly (readonly number[])[];
    readonly click: readonly number[];
    readonly weights: { readonly rating: readonly number[]; readonly click: readonly number[] };
  };
  readonly initial: Readonly<Record<string, readonly number[]>>;
  readonly plain: Trajectory;
  readonly weighted: Trajectory;
}

const fixture: Fixture = JSON.parse(readFileSync(new URL("fixtures/records.json", import.meta.url), "utf8"));

/** Rows of a table by their numbers. */
function lookUp(count: number, size: number): Layer<number, { append: number }, "i32"> {
  return defineLayer({
    kind: "lookUp",
    takes: "i32",
    outputs: { append: size },
    parameters: { table: parameter([count, size]) },
    forward: (x, { table }) => ops.take(table, x),
  });
}

function towers() {
  return network({
    inputs: { user: spec(["batch"], "i32"), age: spec(["batch", 2]) },
    layers: { users: lookUp(5, 3), hidden: linear(5, 6), rate: linear(6, 1), press: linear(6, 1) },
    forward({ user, age }, { users, hidden, rate, press }) {
      const top = ops.tanh(hidden(ops.concat([users(user), age])));
      return { rating: rate(top), click: press(top) };
    },
  });
}

function withInitial() {
  const model = towers();
  const shapes = new Map(model.parameters.map(({ name, shape }) => [name, shape]));
  return model.setWeights(
    Object.fromEntries(
      Object.entries(fixture.initial).map(([name, values]) => [
        name,
        { data: Float32Array.from(values), shape: shapes.get(name) ?? [], dtype: "f32" as const },
      ]),
    ) as never,
  );
}

const { user, age, rating, click, weights } = fixture.data;
const X = { user: Int32Array.from(user), age };
const Y = { rating, click };
const LOSSES = {
  loss: { rating: mse(), click: binaryCrossEntropy() },
  lossWeights: { rating: 3, click: 0.5 },
} as const;
const ORDERED = { ...LOSSES, optimizer: sgd({ lr: 0.05 }), steps: 12, batchSize: 8, shuffle: false } as const;

function bitsOf(model: Pick<Model, "weights">): string {
  return [...model.weights()]
    .map(([name, { data }]) => `${name} ${new Uint32Array(data.buffer.slice(0)).join()}`)
    .join("\n");
}

describe("beside PyTorch in float64, which make_records_fixture.py has asked", () => {
  test.each([
    ["plain", undefined, 1],
    ["plain", undefined, 3],
    ["weighted", weights, 1],
    ["weighted", weights, 3],
  ] as const)("%s, in %3$i parts", async (name, weight, accumulate) => {
    const model = withInitial();
    const data = { x: X, y: Y, weight };
    const { losses } = await fit(model, { ...ORDERED, data, accumulate, log: "steps" });
    const expected = fixture[name];
    for (const [step, loss] of expected.losses.entries()) {
      expect(Math.abs((losses?.loss[step] ?? 0) - loss)).toBeLessThan(2e-5 * loss);
    }
    for (const [parameterName, values] of Object.entries(expected.parameters)) {
      const { data: trained } = model.weights().get(parameterName) ?? { data: new Float32Array() };
      for (const [at, value] of values.entries()) expect(Math.abs((trained[at] ?? 9) - value)).toBeLessThan(2e-5);
    }
  });
});

test("data of every form trains the same bits: in memory, in blocks, one by one, and shuffled fully", async () => {
  const data = { x: X, y: Y, weight: weights };
  const one = withInitial();
  await fit(one, { ...ORDERED, data });
  const single = user.map((_, row) => ({
    x: { user: user[row] ?? 0, age: age[row] ?? [] },
    y: { rating: rating[row] ?? [], click: click[row] ?? 0 },
    weight: { rating: weights.rating[row] ?? 0, click: weights.click[row] ?? 0 },
  }));
  for (const stream of [dataset(() => [data]), dataset(() => single)]) {
    const model = withInitial();
    await fit(model, { ...ORDERED, data: stream });
    expect(bitsOf(model)).toBe(bitsOf(one));
  }
});

describe("figures", () => {
  test("have names by output, in events, for monitors and for callbacks", async () => {
    const model = withInitial();
    const seen: (number | undefined)[] = [];
    const watch: Callback = {
      name: "watch",
      decide: ({ validation }) => {
        seen.push(validation?.metrics["click.auc"]);
        return undefined;
      },
    };
    const data = { x: X, y: Y };
    const { history, best } = await fit(model, {
      ...LOSSES,
      optimizer: adam(),
      data,
      validation: data,
      epochs: 3,
      metrics: { rating: ["mae"], click: ["auc", "confusionMatrix"] },
      callbacks: [watch, earlyStopping({ monitor: "validation.rating.mae", patience: 5 })],
    });
    const last = history.at(-1);
    expect(Object.keys(last?.metrics ?? {})).toEqual(["rating.mae", "click.auc", "click.confusionMatrix"]);
    expect(last?.validation.metrics["click.confusionMatrix"]).toHaveLength(2);
    expect(seen).toHaveLength(3);
    expect(best?.value).toBe(Math.min(...history.map(({ validation }) => validation.metrics["rating.mae"])));
    const evaluation = await model.evaluate(data, { ...LOSSES, metrics: { rating: ["mae"] } });
    expect(evaluation.loss).toBe(last?.validation.loss);
    expect(evaluation.metrics).toEqual({ "rating.mae": last?.validation.metrics["rating.mae"] });
  });

  test("the loss of a set is the sum over outputs of weight·Σwℓ/Σw over all of its rows", async () => {
    const model = withInitial();
    const of = async (loss: "rating" | "click") => {
      const lossWeights = { rating: 0, click: 0, [loss]: 1 };
      return (await model.evaluate({ x: X, y: Y, weight: weights }, { ...LOSSES, lossWeights })).loss;
    };
    const { loss } = await model.evaluate({ x: X, y: Y, weight: weights }, LOSSES);
    expect(loss).toBeCloseTo(3 * (await of("rating")) + 0.5 * (await of("click")), 12);
    const { data } = model.predictSync(X).rating;
    const sum = rating.reduce(
      (total, [value = 0], row) => total + (weights.rating[row] ?? 0) * (value - (data[row] ?? 0)) ** 2,
      0,
    );
    expect(await of("rating")).toBeCloseTo(sum / weights.rating.reduce((total, weight) => total + weight, 0), 5);
  });
});

describe("answers", () => {
  const trained = async () => {
    const model = withInitial();
    const labels = click.map((value) => (value === 1 ? "yes" : "no"));
    await fit(model, {
      ...LOSSES,
      data: { x: X, y: { rating, click: labels } },
      inputs: { age: standardize() },
      targets: { rating: minMax() },
      classes: { click: ["no", "yes"] },
      optimizer: adam(),
      epochs: 2,
    });
    return model;
  };

  test("are records of the outputs, in the units of the data; probabilities and labels of those that have some", async () => {
    const model = await trained();
    expect(model.transforms.named?.inputs.age?.kind).toBe("standardize");
    expect(model.transforms.named?.targets.rating?.kind).toBe("minMax");
    const outputs = await model.predict(X);
    expect([outputs.rating.shape, outputs.click.shape]).toEqual([
      [24, 1],
      [24, 1],
    ]);
    expect(model.predictSync(X)).toEqual(outputs);
    const probabilities = await model.predictProbabilities(X);
    expect(Object.keys(probabilities)).toEqual(["click"]);
    for (const [row, value] of outputs.click.data.entries()) {
      expect(probabilities.click?.data[row]).toBeCloseTo(1 / (1 + Math.exp(-value)), 5);
    }
    const labels = await model.predict(X, { as: "labels" });
    expect(labels).toEqual({ click: [...outputs.click.data].map((value) => (value > 0 ? "yes" : "no")) });
    expect(model.predictSync(X, { as: "labels" })).toEqual(labels);
    // The same by a frozen copy, alone and gathered, one row and all.
    await using predictor = model.predictor();
    expect(predictor.run(X)).toEqual(outputs);
    const first = { user: 0, age: [...(age[0] ?? [])] };
    expect(predictor.run(first)).toEqual({
      rating: expect.objectContaining({ data: outputs.rating.data.slice(0, 1) }),
      click: expect.objectContaining({ data: outputs.click.data.slice(0, 1) }),
    });
    const calls = user.map((id, row) => predictor.submit({ user: id, age: [...(age[row] ?? [])] }));
    const answers = await Promise.all(calls);
    expect(answers.map((answer) => Reflect.get(answer, "rating").data[0])).toEqual([...outputs.rating.data]);
    await using labeller = model.predictor({ as: "labels" });
    expect(labeller.run(X)).toEqual(labels);
    const { rows, maxAbsolute, labelAgreement } = await predictor.error(X);
    expect([rows, maxAbsolute, labelAgreement]).toEqual([24, 0, 1]);
  });

  test("of many rows come batch by batch", async () => {
    const model = await trained();
    const many = 1000;
    const x = {
      user: Int32Array.from({ length: many }, (_, row) => row % 5),
      age: Float32Array.from({ length: 2 * many }, (_, at) => (at % 13) / 7),
    };
    const all = await model.predict(x);
    const part = model.predictSync({ user: x.user.slice(600, 603), age: x.age.slice(1200, 1206) });
    expect([...all.rating.data.slice(600, 603)]).toEqual([...part.rating.data]);
    expect([...all.click.data.slice(600, 603)]).toEqual([...part.click.data]);
  });

  test.each<[string, unknown, string, string]>([
    ["no record", Float32Array.of(1, 2), "ERR_DATA", "expected { user, age } for 'predict.x'"],
    ["a missing input", { user: [1] }, "ERR_DATA", "'predict.x.age'"],
    ["a misspelt input", { user: [1], aeg: [[1, 2]] }, "ERR_UNKNOWN_OPTION", "Did you mean 'age'?"],
    [
      "other rows",
      { user: [1, 2], age: [[1, 2]] },
      "ERR_DATA",
      "expected 2 rows, as user has, for 'predict.x.age' but received 1",
    ],
    [
      "a fraction",
      { user: [1.5], age: [[1, 2]] },
      "ERR_DATA",
      "a 32-bit integer in row 0, column 0 for 'predict.x.user'",
    ],
    [
      "NaN",
      { user: [1], age: [[1, Number.NaN]] },
      "ERR_DATA",
      "a finite float32 in row 0, column 1 for 'predict.x.age'",
    ],
  ])("%s is refused by its name", async (_, x, code, text) => {
    const model = withInitial();
    const predict: (given: unknown) => Promise<unknown> = (given) => Reflect.apply(model.predict, model, [given]);
    await expect(predict(x)).rejects.toMatchObject({ code, message: expect.stringContaining(text) });
  });
});

describe("options by name", () => {
  const model = towers();
  const data = { x: X, y: Y };
  const base = { ...LOSSES, data, optimizer: adam(), epochs: 1 };
  test.each<[string, object, string, string]>([
    ["one loss for two outputs", { loss: mse() }, "ERR_OPTION", "a loss by output, { rating, click }, for 'fit.loss'"],
    ["a loss that is missing", { loss: { rating: mse() } }, "ERR_OPTION", "a loss such as mse() for 'fit.loss.click'"],
    [
      "a loss of another output",
      { loss: { ...LOSSES.loss, clicks: mse() } },
      "ERR_UNKNOWN_OPTION",
      "Did you mean 'click'?",
    ],
    [
      "a loss of classes for one number",
      { loss: { rating: mse(), click: crossEntropy() } },
      "ERR_SHAPE",
      "at least two outputs for 'fit.loss.click'",
    ],
    ["a weight below 0", { lossWeights: { click: -1 } }, "ERR_OPTION", "fit.lossWeights.click"],
    [
      "metrics in one list",
      { metrics: ["mae"] },
      "ERR_OPTION",
      "metrics by output, { rating, click }, for 'fit.metrics'",
    ],
    ["a metric that makes no sense", { metrics: { rating: ["auc"] } }, "ERR_OPTION", "fit.metrics"],
    [
      "units of integers",
      { inputs: { user: standardize() } },
      "ERR_OPTION",
      "none, as the input is integers, for 'fit.inputs.user'",
    ],
    [
      "units of all inputs at once",
      { inputs: standardize() },
      "ERR_OPTION",
      "a transform by input, { user, age }, for 'fit.inputs'",
    ],
    [
      "units of labels",
      { targets: { click: minMax() } },
      "ERR_OPTION",
      "a loss of values, as targets are transformed, for 'fit.targets.click'",
    ],
    ["class weights of values", { classWeights: { rating: "balanced" } }, "ERR_OPTION", "fit.classWeights.rating"],
    [
      "a monitor without its output",
      { callbacks: [earlyStopping({ monitor: "auc", patience: 1 })], metrics: { click: ["auc"] } },
      "ERR_OPTION",
      "Did you mean 'click.auc'?",
    ],
  ])("%s", async (_, change, code, text) => {
    const run: (options: object) => Promise<unknown> = (options) => Reflect.apply(fit, undefined, [model, options]);
    await expect(run({ ...base, ...change })).rejects.toMatchObject({ code, message: expect.stringContaining(text) });
    expect(model.initialized).toBe(false);
  });

  test("balanced classes of one output leave the other as it is", async () => {
    const trained = withInitial();
    const count = click.reduce((sum, value) => sum + value, 0);
    const factors = [24 / (2 * (24 - count)), 24 / (2 * count)];
    const explicit = withInitial();
    const same = { ...ORDERED, data };
    await fit(trained, { ...same, classWeights: { click: "balanced" } });
    await fit(explicit, { ...same, classWeights: { click: factors } });
    expect(bitsOf(trained)).toBe(bitsOf(explicit));
  });
});

describe("a run that was cut", () => {
  const run = {
    ...LOSSES,
    inputs: { age: standardize() },
    targets: { rating: standardize() },
    metrics: { click: ["accuracy"], rating: ["mae"] },
    optimizer: adam({ lr: 0.01 }),
    batchSize: 5,
    seed: 3,
  } as const;
  const labels = click.map((value) => (value === 1 ? "yes" : "no"));
  const memory = { x: X, y: { rating, click: labels }, weight: weights };

  test.each([
    ["in memory", memory],
    ["in a stream", dataset(() => [memory], { shuffleBuffer: 7 })],
  ] as const)("goes on with the same bits, %s", async (_, data) => {
    const options = { ...run, data, validation: memory, classes: { click: ["no", "yes"] } } as const;
    const whole = towers();
    const { history } = await fit(whole, { ...options, epochs: 4 });
    const first = await fit(towers(), { ...options, epochs: 4, steps: 7 });
    const resumed = towers();
    const second = await fit(resumed, { ...options, epochs: 4, resume: first.checkpoint() });
    expect(second.bitEqual).toBe(true);
    expect(bitsOf(resumed)).toBe(bitsOf(whole));
    expect(second.history.map(({ metrics }) => metrics)).toEqual(history.map(({ metrics }) => metrics));
    expect(second.history.at(-1)?.validation).toEqual(history.at(-1)?.validation);
    expect(resumed.predictSync(X, { as: "labels" })).toEqual(whole.predictSync(X, { as: "labels" }));
  });

  test.each<[string, object, string]>([
    ["another loss weight", { lossWeights: { rating: 2, click: 0.5 } }, "expected loss.rating.weight 3"],
    ["another loss", { loss: { rating: mse(), click: mse() }, metrics: { rating: ["mae"] } }, "expected loss.click"],
    ["other units", { inputs: { age: minMax() } }, "expected inputs.age standardize"],
    ["other names", { classes: { click: ["yes", "no"] } }, "expected classes.click"],
  ])("is refused with %s, by its path", async (_, change, text) => {
    const options = { ...run, data: memory, epochs: 4 } as const;
    const { checkpoint } = await fit(towers(), { ...options, steps: 7 });
    const again: (options: object) => Promise<unknown> = (given) => Reflect.apply(fit, undefined, [towers(), given]);
    await expect(again({ ...options, ...change, resume: checkpoint() })).rejects.toMatchObject({
      code: "ERR_STATE",
      message: expect.stringContaining(text),
    });
  });
});

test("a file has the meaning of every output, and a network built anew takes it over", async () => {
  const model = withInitial();
  const data = { x: X, y: { rating, click: click.map((value) => (value === 1 ? "yes" : "no")) } };
  await fit(model, {
    ...LOSSES,
    data,
    inputs: { age: standardize() },
    optimizer: adam(),
    epochs: 1,
    classes: { click: ["no", "yes"] },
  });
  const other = await towers().load(model.bytes());
  expect(other.predictSync(X)).toEqual(model.predictSync(X));
  expect(other.predictSync(X, { as: "labels" })).toEqual(model.predictSync(X, { as: "labels" }));
  expect(other.transforms).toEqual(model.transforms);
});

test("an input of integers without a name trains and answers as one with one", async () => {
  const plain = sequential({ input: spec(["batch"], "i32") }, lookUp(5, 3), tanh(), linear(3, 1)).initialize(1);
  await fit(plain, { data: { x: X.user, y: rating }, loss: mse(), optimizer: adam(), epochs: 2 });
  const all = plain.predictSync(X.user);
  expect(await plain.predict(X.user)).toEqual(all);
  await using predictor = plain.predictor();
  expect(predictor.run(X.user)).toEqual(all);
  expect(predictor.run(3 as never)).toEqual(
    expect.objectContaining({ data: all.data.slice(user.indexOf(3), user.indexOf(3) + 1) }),
  );
  const out = new Float32Array(24);
  expect(predictor.run(X.user, out)).toBe(out);
  expect([...out]).toEqual([...all.data]);
  expect(() => plain.predictSync(Int32Array.of(7))).toThrow(expect.objectContaining({ code: "ERR_DATA" }));
});

test("a loss that is not finite is told with its output", async () => {
  const model = withInitial();
  const data = { x: X, y: { rating: rating.map(() => [3e38]), click } };
  await expect(fit(model, { ...ORDERED, data })).rejects.toMatchObject({
    code: "ERR_NON_FINITE",
    message: expect.stringContaining("first in the loss of 'rating' itself for example 0"),
  });
});

test("a network whose one input is called x is given { x }, as its type says", async () => {
  const model = network({
    inputs: { x: spec(["batch", 2]) },
    layers: { out: linear(2, 1) },
    forward: ({ x }, { out }) => out(x),
  });
  const x = Float32Array.from(age.flat());
  await fit(model, { data: { x: { x }, y: rating }, loss: mse(), optimizer: adam(), epochs: 1 });
  const answer = model.predictSync({ x });
  expect(answer.shape).toEqual([24, 1]);
  expect(await model.predict({ x })).toEqual(answer);
  await using predictor = model.predictor();
  expect(predictor.run({ x })).toEqual(answer);
  expect(await predictor.submit({ x })).toEqual(answer);
});

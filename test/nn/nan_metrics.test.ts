// Figures that must not look perfect while something is wrong: targets far from 0, outputs that are NaN, networks that end in
// probabilities.
import {
  bestThreshold,
  binaryCrossEntropy,
  calibrationError,
  constant,
  crossEntropy,
  dataset,
  defineLayer,
  defineMetric,
  f1,
  fit,
  identity,
  type Loss,
  linear,
  type Model,
  mse,
  ops,
  recall,
  sequential,
  sgd,
  sigmoid,
  softmax,
  standardize,
  topK,
  type Value,
} from "carillon";
import { describe, expect, test } from "vitest";

/** A network that gives out what it is given, but NaN for 99. */
function mirror(columns: number): Model {
  const holes = defineLayer({
    kind: "holes",
    outputs: "same",
    // √(98 − x) + x − √(98 − x) is x, and NaN above 98.
    forward: (x) => ops.add(x, ops.multiply(0, ops.sqrt(ops.subtract(98, x)))),
  });
  return sequential(linear(columns, columns, { init: identity(), bias: false }), holes);
}

const NONE = 99;

describe("regression with units far from 0", () => {
  const x = [[1], [2], [3], [4]];
  const y = [0, 9, 20, 28].map((value) => 1.7e9 + value);
  const seen: (readonly number[])[] = [];
  const looking = defineMetric({
    name: "looking",
    start: () => 0,
    add(state, { outputs, targets }) {
      expect(outputs).toBeInstanceOf(Float64Array);
      seen.push([...targets]);
      return state;
    },
    result: (state) => state,
  });
  const metrics = ["mae", "rmse", "r2", looking] as const;
  // mean 14.25, σ² = 113.1875: the network gives 0, which is the mean.
  const scale = Math.sqrt(113.1875);
  const still = { loss: mse(), optimizer: sgd({ lr: 0 }), metrics, epochs: 1, batchSize: 2, shuffle: false };
  const make = (): Model => sequential(linear(1, 1, { init: constant(0) }));

  function expectFigures(
    loss: number,
    found: { readonly mae: number; readonly rmse: number; readonly r2: number },
  ): void {
    expect(loss).toBeCloseTo(1, 6);
    // The network's targets are float32: relative errors of 2⁻²⁴.
    expect(found.rmse).toBeCloseTo(scale, 5);
    expect(Math.abs(found.rmse - scale * Math.sqrt(loss))).toBeLessThan(scale * 2 ** -22);
    expect(found.mae).toBeCloseTo((14.25 + 5.25 + 5.75 + 13.75) / 4, 5);
    expect(found.r2).toBeCloseTo(0, 6);
  }

  test.each([
    ["arrays", y],
    ["rows", y.map((value) => [value])],
    ["a Float64Array", Float64Array.from(y)],
  ])("in training, validation and evaluate, of %s", async (_, targets) => {
    const model = make();
    const data = { x, y: targets as number[] };
    const { history } = await fit(model, { ...still, data, validation: data, targets: standardize() });
    const last = history.at(-1);
    if (last === undefined) throw new Error("no epoch");
    expectFigures(last.loss, last.metrics);
    expectFigures(last.validation.loss, last.validation.metrics);
    const evaluated = await model.evaluate(data, { loss: mse(), metrics });
    expectFigures(evaluated.loss, evaluated.metrics);
    for (const values of seen)
      for (const value of values) {
        expect(Math.min(...y.map((target) => Math.abs(target - value)))).toBeLessThan(1e-5);
      }
    expect(seen.length).toBeGreaterThan(0);
  });

  test("over a stream", async () => {
    const items = function* () {
      for (const [row, target] of y.entries()) yield { x: x[row] ?? [], y: target };
    };
    const model = make();
    const data = dataset(items);
    const { history } = await fit(model, { ...still, data, validation: dataset(items), targets: standardize() });
    const last = history.at(-1);
    if (last === undefined) throw new Error("no epoch");
    expectFigures(last.loss, last.metrics);
    expectFigures(last.validation.loss, last.validation.metrics);
  });
});

describe("an output that is NaN", () => {
  const loss = crossEntropy();
  const x = [
    [2, 0, 1],
    [NONE, 0, 1],
    [0, 3, 1],
    [0, 1, NONE],
  ];
  const y = [0, 0, 1, 1];

  test("has missed: accuracy, top-k, and no column of the confusion matrix", async () => {
    const metrics = ["accuracy", topK(3), "confusionMatrix"] as const;
    const found = (await mirror(3).evaluate({ x, y }, { loss, metrics })).metrics;
    expect(found).toEqual({
      accuracy: 0.5,
      top3: 0.5,
      confusionMatrix: [
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 0],
      ],
    });
  });

  test("leaves no other figure", async () => {
    const metrics = [
      "precision",
      "recall",
      f1({ average: "micro" }),
      "auc",
      "averagePrecision",
      "logLoss",
      "brier",
    ] as const;
    const all = { loss, metrics: [...metrics, calibrationError()] };
    const found = (await mirror(3).evaluate({ x, y }, all)).metrics;
    for (const [name, value] of Object.entries(found)) expect(value, name).toBeNaN();
  });

  test("of one output neither", async () => {
    const data = { x: [[1], [NONE], [-1]], y: [1, 0, 0] };
    const metrics = ["accuracy", "recall", "auc", "logLoss", bestThreshold()] as const;
    const found = (await mirror(1).evaluate(data, { loss: binaryCrossEntropy(), metrics })).metrics;
    expect(found.accuracy).toBe(2 / 3);
    expect([found.recall, found.auc, found.logLoss, found.bestThreshold]).toEqual([
      Number.NaN,
      Number.NaN,
      Number.NaN,
      Number.NaN,
    ]);
    const values = { x: [[1], [NONE]], y: [1, 0] };
    const regression = await mirror(1).evaluate(values, { loss: mse(), metrics: ["mae", "rmse", "r2"] });
    expect(regression.metrics).toEqual({ mae: Number.NaN, rmse: Number.NaN, r2: Number.NaN });
  });

  test("counts for nothing where the example weighs nothing", async () => {
    const metrics = ["accuracy", "recall", "auc", "logLoss", "brier"] as const;
    const data = { x: [[1], [NONE], [-1]], y: [1, 0, 0], weight: [1, 0, 1] };
    const found = (await mirror(1).evaluate(data, { loss: binaryCrossEntropy(), metrics })).metrics;
    expect([found.accuracy, found.recall, found.auc]).toEqual([1, 1, 1]);
    expect(found.logLoss).toBeCloseTo(Math.log1p(Math.exp(-1)), 14);
    const values = { x: [[1], [NONE], [2]], y: [1, 0, 2], weight: [1, 0, 1] };
    const regression = await mirror(1).evaluate(values, { loss: mse(), metrics: ["mae", "rmse", "r2"] });
    expect(regression.metrics).toEqual({ mae: 0, rmse: 0, r2: 1 });
  });
});

describe("networks that end in probabilities, under losses of one's own", () => {
  const own = (compute: (output: Value, target: Value) => Value): Loss =>
    Object.assign((output: Value, target: Value) => compute(output, target), { target: "probabilities" as const });
  const squared = own((output, target) => ops.mean(ops.square(ops.subtract(output, target)), { axis: "last" }));
  const metrics = ["accuracy", recall({ threshold: 0.9 }), "logLoss", "brier"] as const;
  const ends = (columns: number, last: ReturnType<typeof sigmoid>): Model =>
    sequential(linear(columns, columns, { init: identity(), bias: false }), last);

  test("one sigmoid is cut at ½, and no second one is applied", async () => {
    const data = { x: [[1], [-1], [3], [-2]], y: [[1], [0], [1], [1]] };
    const before = (
      await sequential(linear(1, 1, { init: identity(), bias: false })).evaluate(data, {
        loss: binaryCrossEntropy(),
        metrics,
      })
    ).metrics;
    const found = (await ends(1, sigmoid()).evaluate(data, { loss: squared, metrics })).metrics;
    expect(found.accuracy).toBe(0.75);
    expect(found.recall).toBe(before.recall);
    expect(found.logLoss).toBeCloseTo(before.logLoss, 6);
    expect(found.brier).toBeCloseTo(before.brier, 6);
  });

  test("several sigmoids are several labels", async () => {
    const data = {
      x: [
        [1, 2],
        [-1, 2],
      ],
      y: [
        [1, 1],
        [0, 1],
      ],
    };
    const found = (await ends(2, sigmoid()).evaluate(data, { loss: squared, metrics: ["accuracy", "logLoss"] }))
      .metrics;
    expect(found.accuracy).toBe(1);
    expect(found.logLoss).toBeCloseTo((2 * Math.log1p(Math.exp(-1)) + 2 * Math.log1p(Math.exp(-2))) / 4, 6);
  });

  test("a softmax is one of several classes", async () => {
    const data = {
      x: [
        [1, 0, 0],
        [0, 2, 1],
      ],
      y: [
        [1, 0, 0],
        [0, 1, 0],
      ],
    };
    const logits = { loss: crossEntropy({ target: "probabilities" }), metrics: ["logLoss", "brier", "auc"] } as const;
    const before = (await sequential(linear(3, 3, { init: identity(), bias: false })).evaluate(data, logits)).metrics;
    const found = (await ends(3, softmax()).evaluate(data, { ...logits, loss: squared })).metrics;
    expect(found.logLoss).toBeCloseTo(before.logLoss, 6);
    expect(found.brier).toBeCloseTo(before.brier, 6);
    expect(found.auc).toBe(before.auc);
  });
});

test("a multi-class AUC tells probabilities apart that float32 rounds to one", async () => {
  // Of class 0: 1 − 3e-9 for the example of the class, 1 − 7e-9 for the next one: in float32 both are 1.
  const x = [
    [20.3, 0, 0.2],
    [19.6, 0, 0.2],
    [0, 5, 1],
    [0, 1, 6],
  ];
  const { metrics } = await mirror(3).evaluate({ x, y: [0, 1, 1, 2] }, { loss: crossEntropy(), metrics: ["auc"] });
  // Classes 0 and 2: 1. Class 1: three of four pairs, as the second example has less of it than the last one.
  expect(metrics.auc).toBe((1 + 3 / 4 + 1) / 3);
});

// Metrics against scikit-learn (make_metrics_fixture.py), over sets of several batches, at evaluation and in training.
import { readFileSync } from "node:fs";
import {
  type AverageOptions,
  bestThreshold,
  binaryCrossEntropy,
  constant,
  crossEntropy,
  defineMetric,
  f1,
  fit,
  hinge,
  identity,
  type Loss,
  linear,
  type Metric,
  type MetricName,
  type Metrics,
  type Model,
  mse,
  precision,
  recall,
  relu,
  sequential,
  sgd,
  sigmoid,
  softplus,
  tanh,
  topK,
} from "carillon";
import { describe, expect, test } from "vitest";
import { numbers } from "../train/synthetic.js";

interface Case {
  readonly loss: "binaryCrossEntropy" | "crossEntropy" | "mse";
  readonly columns: number;
  readonly outputs: readonly number[];
  readonly targets: readonly number[];
  readonly weights: readonly number[];
  readonly plain: Readonly<Record<string, number | number[][]>>;
  readonly weighted: Readonly<Record<string, number | number[][]>>;
}

const CASES = Object.entries(
  JSON.parse(readFileSync(new URL("fixtures/metrics.json", import.meta.url), "utf8")) as Record<string, Case>,
);
const LOSSES = { binaryCrossEntropy, crossEntropy, mse } as const;

/**
 * Sums of products of numbers with few bits are exact in double, so a quotient is off by some units of the last place. Areas
 * and r² add rounded terms: at most a unit each, a term a row, in both libraries. Deviations from a mean that is far from 0
 * have the relative error of the mean, which is κ = |mean|/σ times as large (Chan, Golub, LeVeque 1983).
 */
function toleranceOf({ targets }: Case): number {
  const mean = targets.reduce((sum, target) => sum + target, 0) / targets.length;
  const variance = targets.reduce((sum, target) => sum + (target - mean) ** 2, 0) / targets.length;
  const condition = variance === 0 ? 0 : Math.abs(mean) / Math.sqrt(variance);
  return 2 * targets.length * 2 ** -52 * (1 + condition);
}

/** A network that gives out what it is given. */
function mirror(columns: number): Model {
  return sequential(linear(columns, columns, { init: identity(), bias: false }));
}

const COSTS = { wrong: 1, missed: 3 };

/** The metric that a fixture calls `f1 macro`, `f1 macro 20` (a threshold in percent), `threshold f1` or `top3`. */
function metricOf(name: string): MetricName | Metric {
  const by = /^threshold (.*)$/.exec(name)?.[1];
  if (by !== undefined) return bestThreshold({ by: by === "cost" ? COSTS : (by as "f1"), name });
  const [kind = "", average, above] = name.split(" ") as [string, AverageOptions["average"], string | undefined];
  if (/^top\d$/.test(name)) return topK(Number(name.slice(3)));
  if (average === undefined) return kind as MetricName;
  return { precision, recall, f1 }[kind as "f1"]({
    average,
    name,
    threshold: above === undefined ? undefined : Number(above) / 100,
  });
}

function dataOf({ outputs, targets, columns, loss }: Case) {
  const x = Float32Array.from(outputs);
  return { x, y: loss === "crossEntropy" ? Int32Array.from(targets) : Float32Array.from(targets), columns };
}

function expectFigures(given: Case, kind: "plain" | "weighted", found: Readonly<Record<string, unknown>>): void {
  const expected = given[kind];
  const tolerance = toleranceOf(given);
  expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
  for (const [name, value] of Object.entries(expected)) {
    if (typeof value !== "number") expect(found[name], name).toEqual(value);
    else
      expect(Math.abs(Number(found[name]) - value), `${name} ${found[name]} ${value}`).toBeLessThanOrEqual(tolerance);
  }
}

describe.each(CASES)("%s", (_, given) => {
  const { x, y, columns } = dataOf(given);
  const loss = LOSSES[given.loss]();
  const metrics = Object.keys(given.plain).map(metricOf);

  test("evaluate gives scikit-learn's figures", async () => {
    expectFigures(given, "plain", (await mirror(columns).evaluate({ x, y }, { loss, metrics })).metrics);
  });

  test("with the weights of the examples as well", async () => {
    const data = { x, y, weight: given.weights };
    expectFigures(given, "weighted", (await mirror(columns).evaluate(data, { loss, metrics })).metrics);
  });

  test.each([1, 3])("a shuffled epoch of training too, in %i parts a batch", async (accumulate) => {
    const data = { x, y, weight: given.weights };
    const still = { optimizer: sgd({ lr: 0 }), batchSize: 23, epochs: 2, accumulate };
    const { history } = await fit(mirror(columns), { data, validation: { x, y }, loss, metrics, ...still });
    for (const event of history) {
      expectFigures(given, "weighted", event.metrics);
      expectFigures(given, "plain", event.validation.metrics);
    }
    expect(history).toHaveLength(2);
  });
});

describe("precision, recall and f1 without an average", () => {
  const by = (name: string): Case => CASES.find(([key]) => key === name)?.[1] ?? expect.fail(name);
  test.each([
    ["one output", "binary"],
    ["two classes", "binary"],
    ["five classes", "macro"],
    ["several labels", "macro"],
  ])("of %s are %s", async (name, average) => {
    const given = by(name);
    const { x, y, columns } = dataOf(given);
    const options = { loss: LOSSES[given.loss](), metrics: ["precision", recall(), "f1"] } as const;
    const { metrics } = await mirror(columns).evaluate({ x, y }, options);
    const expected = ["precision", "recall", "f1"].map((kind) => given.plain[`${kind} ${average}`]);
    expect([metrics.precision, metrics.recall, metrics.f1]).toEqual(expected);
  });
});

describe("AUC", () => {
  const measure = async (scores: readonly number[], labels: readonly number[], weight?: readonly number[]) => {
    const data = { x: Float32Array.from(scores), y: labels, ...(weight === undefined ? {} : { weight }) };
    const options = { loss: binaryCrossEntropy(), metrics: ["auc"] } as const;
    return (await mirror(1).evaluate(data, options)).metrics.auc;
  };

  test("is the share of pairs in the right order, equal ones counted half", async () => {
    expect(await measure([1, 2, 3, 4], [0, 0, 1, 1])).toBe(1);
    expect(await measure([4, 3, 2, 1], [0, 0, 1, 1])).toBe(0);
    expect(await measure([7, 7, 7, 7], [0, 1, 0, 1])).toBe(0.5);
    expect(await measure([-0, 0], [0, 1])).toBe(0.5); // zeros are equal
    expect(await measure([1, 2, 2, 3], [0, 0, 1, 1])).toBe(3.5 / 4);
    expect(await measure([1, 2, 2, 3], [0, 0, 1, 1], [1, 3, 2, 1])).toBe((2 * (1 + 3 / 2) + 4) / 12);
  });

  test("of one class only is no number", async () => {
    expect(await measure([1, 2, 3], [1, 1, 1])).toBeNaN();
    expect(await measure([1, 2, 3], [0, 1, 1], [0, 1, 1])).toBeNaN();
  });

  test("leaves out classes of several that do not occur", async () => {
    // Classes 0 and 1 are told apart perfectly; class 2 has no example.
    const x = Float32Array.of(2, 1, 0, 2, 0, 0, 0, 2, 0, 0, 1, 0);
    const data = { x, y: [0, 0, 1, 1] };
    const { metrics } = await mirror(3).evaluate(data, { loss: crossEntropy(), metrics: ["auc"] });
    expect(metrics.auc).toBe(1);
  });

  test("of 70,000 examples is that of the pairs, and the event loop has its turns", async () => {
    const rows = 70_000;
    // Scores in a scrambled order (7919 is prime to 70,000): label 1 for the upper half, but every tenth is turned round.
    const places = Array.from({ length: rows }, (_, index) => (index * 7919) % rows);
    const labels = places.map((place) => (place >= rows / 2 ? 1 : 0) ^ (place % 10 === 0 ? 1 : 0));
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
    }, 0);
    const found = await measure(
      places.map((place) => place - rows / 2),
      labels,
    );
    clearInterval(timer);
    let [pairs, below] = [0, 0];
    for (let place = 0; place < rows; place++) {
      const label = (place >= rows / 2 ? 1 : 0) ^ (place % 10 === 0 ? 1 : 0);
      if (label === 0) below += 1;
      else pairs += below;
    }
    expect(Math.abs(found - pairs / (rows / 2) ** 2)).toBeLessThanOrEqual(rows * 2 ** -52);
    expect(turns).toBeGreaterThan(0);
  });
});

describe("targets of other losses", () => {
  test("probabilities of classes: the largest is the class", async () => {
    const x = Float32Array.of(1, 0, 0, 0, 1, 0);
    const y = [
      [0.6, 0.2, 0.2],
      [0.5, 0.1, 0.4],
    ];
    const options = { loss: crossEntropy({ target: "probabilities" }), metrics: ["accuracy", topK(2)] } as const;
    expect((await mirror(3).evaluate({ x, y }, options)).metrics).toEqual({ accuracy: 0.5, top2: 0.5 });
  });

  test("signs of hinge", async () => {
    const data = { x: Float32Array.of(0.5, -0.5, 2, -3), y: [1, 1, -1, -1] };
    const options = { loss: hinge(), metrics: ["accuracy", "recall", "auc"] } as const;
    expect((await mirror(1).evaluate(data, options)).metrics).toEqual({ accuracy: 0.5, recall: 0.5, auc: 0.5 });
  });
});

test.each([relu(), tanh(), sigmoid(), softplus()])(
  "outputs behind an activation ($kind) are what predict gives",
  async (last) => {
    const next = numbers(8);
    const x = Float32Array.from({ length: 300 * 3 }, () => 4 * next() - 2);
    const y = Float32Array.from({ length: 300 * 2 }, () => next());
    const model = sequential(linear(3, 5), tanh(), linear(5, 2), last).initialize(6);
    const { data } = await model.predict(x);
    const squares = [0, 1].map((column) =>
      y.reduce((sum, target, place) => sum + (place % 2 === column ? ((data[place] ?? 0) - target) ** 2 : 0), 0),
    );
    const rmse = squares.reduce((sum, square) => sum + Math.sqrt(square / 300), 0) / 2;
    const evaluated = await model.evaluate({ x, y }, { loss: mse(), metrics: ["rmse"] });
    const still = { loss: mse(), optimizer: sgd({ lr: 0 }), epochs: 1, batchSize: 40, metrics: ["rmse"] } as const;
    const { history } = await fit(model, { data: { x, y }, ...still });
    // Sums of 300 squares in another order, in double.
    for (const found of [evaluated.metrics.rmse, history[0]?.metrics.rmse ?? Number.NaN]) {
      expect(Math.abs(found - rmse)).toBeLessThanOrEqual(300 * 2 ** -52);
    }
  },
);

describe("defineMetric", () => {
  const most = defineMetric({
    name: "most",
    start: () => [0, 0],
    add: ([worst = 0, rows = 0], part) => {
      const errors = Array.from(part.outputs, (output, index) => Math.abs(output - (part.targets[index] ?? 0)));
      return [Math.max(worst, ...errors), rows + part.rows];
    },
    result: ([worst = 0, rows = 0]) => worst + rows,
  });

  test("takes in a set part by part", async () => {
    const x = Float32Array.from({ length: 1200 }, (_, index) => index % 7);
    const y = Float32Array.from(x, (value, index) => (index === 700 ? value + 0.5 : value));
    const { metrics } = await mirror(2).evaluate({ x, y }, { loss: mse(), metrics: [most, "mae"] });
    expect(metrics).toEqual({ most: 600.5, mae: 0.5 / 1200 });
  });

  test("sees the figures of the network, and 1 as weights where there are none", async () => {
    const seen: number[][] = [];
    const looking = defineMetric({
      name: "looking",
      start: () => 0,
      add(state, { rows, columns, outputs, targets, weights }) {
        seen.push([rows, columns, ...outputs, ...targets, ...weights]);
        return state;
      },
      result: (state) => state,
    });
    const model = sequential(linear(1, 2, { init: constant(2), biasInit: 1 }));
    await model.evaluate({ x: Float32Array.of(1, 3), y: [1, 0] }, { loss: crossEntropy(), metrics: [looking] });
    await model.evaluate(
      { x: Float32Array.of(1, 3), y: [1, 0], weight: [2, 0.5] },
      { loss: crossEntropy(), metrics: [looking] },
    );
    expect(seen).toEqual([
      [2, 2, 3, 3, 7, 7, 1, 0, 1, 1],
      [2, 2, 3, 3, 7, 7, 1, 0, 2, 0.5],
    ]);
  });

  test("begins anew with every epoch", async () => {
    const data = { x: Float32Array.of(1, 2, 3), y: [1, 2, 3] };
    const still = { loss: mse(), optimizer: sgd({ lr: 0 }), batchSize: 2, epochs: 3 };
    const { history } = await fit(mirror(1), { data, ...still, metrics: [most] });
    expect(history.map(({ metrics }) => metrics.most)).toEqual([3, 3, 3]);
  });

  const parts = { start: () => 0, add: (state: number) => state, result: () => 0 };
  test.each<[unknown, string]>([
    [{ ...parts, name: "loss" }, "ERR_OPTION"],
    [{ ...parts, name: "validation.x" }, "ERR_OPTION"],
    [{ ...parts, name: "" }, "ERR_OPTION"],
    [{ ...parts, name: "a", start: 0 }, "ERR_OPTION"],
    [{ ...parts, name: "a", ad: () => 0 }, "ERR_UNKNOWN_OPTION"],
  ])("refuses %o", (definition, code) => {
    expect(() => defineMetric(definition as typeof parts & { name: "a" })).toThrow(
      expect.objectContaining({ name: "CarillonError", code }),
    );
  });
});

test.each<[string, Loss, number, readonly (readonly number[])[] | readonly number[]]>([
  ["classes", crossEntropy(), 3, [0, 1, 2, 2, 1]],
  ["yes or no", binaryCrossEntropy(), 1, [[0], [1], [1], [0], [1]]],
  [
    "several labels",
    binaryCrossEntropy(),
    2,
    [
      [0, 1],
      [1, 1],
      [1, 0],
      [0, 0],
      [1, 1],
    ],
  ],
])("the error of %s is what is missing of the accuracy", async (_, loss, outputs, y) => {
  const model = sequential(linear(2, outputs)).initialize(3) as unknown as Model;
  const x = [
    [1, 2],
    [-1, 0.5],
    [0.3, -2],
    [2, 2],
    [-3, 1],
  ];
  const run = { data: { x, y } as never, loss: loss as never, optimizer: sgd({ lr: 0 }), batchSize: 2, steps: 3 };
  const { history } = await fit(model, { ...run, metrics: ["accuracy", "classError"] });
  const { accuracy = 0, classError = 0 } = history.at(-1)?.metrics ?? {};
  expect(accuracy).toBeGreaterThan(0);
  expect(classError).toBeCloseTo(1 - accuracy, 12);
});

describe("what makes no sense is ERR_OPTION", () => {
  test.each<[string, Loss, number, Metrics]>([
    ["accuracy of a regression", mse(), 2, ["accuracy"]],
    ["AUC of a regression", mse(), 2, ["auc"]],
    ["errors of classes", crossEntropy(), 2, ["mae"]],
    ["R² of hinge", hinge(), 2, ["r2"]],
    ["one class's precision of three", crossEntropy(), 3, [precision({ average: "binary" })]],
    ["a threshold of three classes", crossEntropy(), 3, [f1({ threshold: 0.3 })]],
    ["a threshold of hinge", hinge(), 1, [recall({ threshold: 0.3 })]],
    ["the first five of three classes", crossEntropy(), 3, [topK(5)]],
    ["the first of a single output", binaryCrossEntropy(), 1, [topK(1)]],
    ["a matrix of several labels", binaryCrossEntropy(), 3, ["confusionMatrix"]],
    ["the same name twice", crossEntropy(), 3, ["precision", precision({ average: "micro" })]],
    ["an unknown name", crossEntropy(), 3, ["acuracy" as "accuracy"]],
    ["a function that makes one", crossEntropy(), 3, [topK as unknown as Metric]],
  ])("%s", async (_, loss, columns, metrics) => {
    const y = loss.target === "classes" ? [0, 1] : new Float32Array(2 * columns).fill(loss.target === "signs" ? 1 : 0);
    const data = { x: new Float32Array(2 * columns), y };
    const refused = expect.objectContaining({ name: "CarillonError", code: "ERR_OPTION" });
    await expect(mirror(columns).evaluate(data, { loss, metrics })).rejects.toEqual(refused);
    const run = fit(mirror(columns), { data, loss, metrics, optimizer: sgd({ lr: 1 }), epochs: 1 });
    await expect(run).rejects.toEqual(refused);
  });

  test.each([0, 1.5, -1, Number.NaN])("topK(%d)", (k) => {
    expect(() => topK(k)).toThrow(expect.objectContaining({ code: "ERR_OPTION", where: "topK.k" }));
  });

  test("an unknown average", () => {
    const samples = { average: "samples" } as unknown as { average: "macro" };
    expect(() => f1(samples)).toThrow(expect.objectContaining({ code: "ERR_OPTION", where: "f1.average" }));
  });

  test.each([-0.1, 1.1, Number.NaN, "0.5"])("a threshold of %j", (threshold) => {
    const wrong = { threshold: threshold as number };
    expect(() => precision(wrong)).toThrow(
      expect.objectContaining({ code: "ERR_OPTION", where: "precision.threshold" }),
    );
  });
});

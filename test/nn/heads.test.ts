// Losses whose targets are not as wide as the outputs, and those of rare classes: quantiles, rankings, places in a space.
import { readFileSync } from "node:fs";
import {
  adam,
  binaryFocal,
  bpr,
  contrastive,
  coverage,
  crossEntropy,
  defineMetric,
  fit,
  focal,
  type Loss,
  linear,
  loadModel,
  type MetricRows,
  mae,
  monotoneQuantiles,
  ops,
  pinball,
  relu,
  sequential,
  sgd,
  standardize,
  type Tensor,
  tensor,
  triplet,
  valueAndGrad,
} from "carillon";
import { describe, expect, test } from "vitest";
import { computed, type LossCase } from "./loss_cases.js";

interface Figures {
  readonly outputs: readonly number[];
  readonly targets: readonly number[];
  readonly weights: readonly number[];
  readonly shift: readonly number[];
  readonly scale: readonly number[];
  readonly plain: { readonly pinball: number; readonly coverage80: number };
  readonly weighted: { readonly pinball: number; readonly coverage80: number };
}

// Made by make_heads_fixture.py.
const { cases, figures } = JSON.parse(readFileSync(new URL("fixtures/heads.json", import.meta.url), "utf8")) as {
  readonly cases: Readonly<Record<string, LossCase>>;
  readonly figures: Figures;
};

const LOSSES: Readonly<Record<string, Loss>> = {
  focal: focal(),
  "focal gamma": focal({ gamma: 0.5, alpha: 0.25 }),
  "focal alpha": focal({ alpha: [0.5, 1, 2, 0.25, 1.5] }),
  "focal probabilities": focal({ target: "probabilities" }),
  binaryFocal: binaryFocal(),
  "binaryFocal alpha": binaryFocal({ gamma: 1.5, alpha: 0.25 }),
  pinball: pinball({ quantiles: [0.1, 0.5, 0.9] }),
  "pinball several": pinball({ quantiles: [0.25, 0.75] }),
  bpr: bpr(),
  "bpr several": bpr(),
  triplet: triplet(),
  "triplet squared": triplet({ margin: 0.5, squared: true }),
  contrastive: contrastive(),
  "contrastive margin": contrastive({ margin: 4 }),
};

const U = 2 ** -24;

describe("PyTorch, Keras and scikit-learn in float64", () => {
  test("have every case", () => expect(Object.keys(cases).sort()).toEqual(Object.keys(LOSSES).sort()));

  /*
   * Terms are of at most m = max(1, |x|)², x the numbers of the row, and are rounded at most 40 times; a power e^(γ·ln p) rounds its exponent, of at most
   * 8·|x| here, once more: 40 + 16·|x| roundings of 2⁻²⁴ of m. Gradients have the factor of their row.
   */
  test.each(Object.entries(LOSSES))("%s", (name, loss) => {
    const one = cases[name];
    if (one === undefined) throw new Error(`no case ${name}`);
    const { losses, gradient } = computed(loss, one);
    const rows = one.losses.length;
    const columns = one.output.length / rows;
    for (const [row, expected] of one.losses.entries()) {
      const largest = Math.max(1, ...one.output.slice(row * columns, (row + 1) * columns).map(Math.abs));
      const bound = (40 + 16 * largest) * U * largest ** 2;
      expect(Math.abs((losses[row] ?? Number.NaN) - expected), `row ${row}`).toBeLessThanOrEqual(bound);
      for (let column = 0; column < columns; column++) {
        const index = row * columns + column;
        const distance = Math.abs((gradient[index] ?? Number.NaN) - (one.gradient[index] ?? Number.NaN));
        expect(distance, `row ${row}, column ${column}`).toBeLessThanOrEqual(bound * (row + 1));
      }
    }
  });

  test.each([false, true])("metrics of quantiles in the units of the data, weighted: %s", async (weighted) => {
    const { shift, scale, weights } = figures;
    const [Q, N] = [3, 2];
    // The outputs as they are, through a network whose targets have units of another run.
    const columns = Q * N;
    const units = (values: readonly number[], by: (value: number, column: number) => number): number[] =>
      values.map(by);
    const own = units(figures.targets, (value, at) => (value - (shift[at % N] ?? 0)) / (scale[at % N] ?? 1));
    const data = {
      x: tensor(Float32Array.from(figures.outputs), [64, columns]),
      y: tensor(Float32Array.from(own), [64, N]),
      ...(weighted ? { weight: Float32Array.from(weights) } : {}),
    };
    const model = sequential(linear(columns, columns, { bias: false }));
    const identity = Float32Array.from({ length: columns ** 2 }, (_, at) => (at % (columns + 1) === 0 ? 1 : 0));
    model.initialize(1).setWeights(new Map([["linear1.weight", tensor(identity, [columns, columns])]]));
    const loss = pinball({ quantiles: [0.1, 0.5, 0.9] });
    const { metrics } = await model.evaluate(data, { loss, metrics: ["pinball", coverage(80)] });
    const expected = weighted ? figures.weighted : figures.plain;
    expect(metrics.coverage80).toBeCloseTo(expected.coverage80, 12);
    // Of the network's units: both columns without their scales.
    expect(metrics.pinball).toBeGreaterThan(0);
    expect(metrics.pinball).toBeLessThan(expected.pinball);
  });
});

test("a focal loss without focus is cross-entropy, to the bit", () => {
  const x = tensor([
    [1, 2, -3],
    [0.5, 0, 4],
  ]);
  const y = tensor(Int32Array.of(2, 0));
  expect((focal({ gamma: 0 })(x, y) as Tensor).data).toEqual((crossEntropy()(x, y) as Tensor).data);
});

test("sure and right answers keep the digits of their focal loss", () => {
  const [value = 0] = (binaryFocal()(tensor([[20]]), tensor([[1]])) as Tensor).data;
  const missing = 1 / (1 + Math.exp(20));
  const expected = missing ** 2 * Math.log1p(Math.exp(-20));
  expect(Math.abs(value / expected - 1)).toBeLessThan(200 * U);
  const far = tensor([[200, -200]]);
  const [, [slope]] = valueAndGrad((output) => ops.sum(focal()(output ?? far, tensor(Int32Array.of(0)))))(far);
  expect([...slope.data].every(Number.isFinite)).toBe(true);
});

test("vectors that are equal have a distance without a slope", () => {
  const same = tensor([[1, 2, 1, 2, 1, 2]]);
  const [, [slope]] = valueAndGrad((x) => ops.sum(triplet()(x ?? same, tensor([1]))))(same);
  expect([...slope.data].map(Math.abs)).toEqual([0, 0, 0, 0, 0, 0]);
});

/** y = 3 + noise whose quantiles are known: triangular rows x, heteroscedastic. */
function noisy(rows: number): { readonly x: number[][]; readonly y: number[] } {
  let state = 1;
  const draw = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const x = Array.from({ length: rows }, () => [draw()]);
  return { x, y: x.map(([a = 0]) => 100 + 50 * a + (draw() + draw() - 1) * (5 + 40 * a)) };
}

describe("quantiles", () => {
  const quantiles = [0.1, 0.5, 0.9];
  const head = () => sequential(linear(1, 16), relu(), linear(16, 3), monotoneQuantiles(3));

  test("are learned in the units of the targets, and cover what they say", async () => {
    const { x, y } = noisy(2000);
    const model = head();
    const result = await fit(model, {
      data: { x: x.slice(0, 1500), y: y.slice(0, 1500) },
      validation: { x: x.slice(1500), y: y.slice(1500) },
      targets: standardize(),
      loss: pinball({ quantiles }),
      optimizer: adam({ lr: 0.01 }),
      metrics: ["pinball", coverage(80)],
      ...{ epochs: 40, batchSize: 50, seed: 2 },
    });
    const { coverage80 = 0, pinball: missed = 0 } = result.history.at(-1)?.validation.metrics ?? {};
    expect(coverage80).toBeGreaterThan(0.75);
    expect(coverage80).toBeLessThan(0.85);
    expect(missed).toBeLessThan(4);
    const told = (await model.predict([[0], [1]])) as Tensor<"f32">;
    expect(told.shape).toEqual([2, 3]);
    const [low = 0, middle = 0, high = 0, lowEnd = 0, , highEnd = 0] = told.data;
    expect(Math.abs(middle - 100)).toBeLessThan(3);
    expect(high - low).toBeLessThan((highEnd - lowEnd) / 3);
    // Files keep the units of all outputs, and a run goes on in them.
    const again = await loadModel(model.bytes());
    expect(((await again.predict([[0], [1]])) as Tensor).data).toEqual(told.data);
    const more = await fit(model, {
      data: { x, y },
      loss: pinball({ quantiles }),
      optimizer: sgd({ lr: 0 }),
      epochs: 1,
    });
    expect(more.history[0]?.loss).toBeLessThan(0.2);
    const { metrics } = await model.evaluate({ x, y }, { loss: pinball({ quantiles }), metrics: [coverage(80)] });
    expect(metrics.coverage80).toBeGreaterThan(0.75);
  });

  test("of several targets: a metric of one's own sees both sides in the units of the data", async () => {
    const { x, y } = noisy(64);
    const seen: MetricRows[] = [];
    const watch = defineMetric({
      name: "watch",
      start: () => 0,
      add(state, rows) {
        seen.push({ ...rows, outputs: rows.outputs.slice(), targets: rows.targets.slice() });
        return state;
      },
      result: () => 0,
    });
    const model = sequential(linear(1, 4, { init: 0, bias: false }));
    await fit(model, {
      data: { x, y: y.map((value) => [value, -value]) },
      targets: standardize(),
      loss: pinball({ quantiles: [0.25, 0.75] }),
      optimizer: sgd({ lr: 0 }),
      metrics: [watch],
      ...{ epochs: 1, batchSize: 64, shuffle: false },
    });
    const [{ columns, targetColumns, outputs, targets } = { columns: 0, targetColumns: 0, outputs: [], targets: [] }] =
      seen;
    expect([columns, targetColumns]).toEqual([4, 2]);
    const mean = y.reduce((sum, value) => sum + value, 0) / y.length;
    for (const [place, sign] of [1, 1, -1, -1].entries()) expect(outputs[place]).toBeCloseTo(sign * mean, 3);
    expect(targets[1]).toBeCloseTo(-(y[0] ?? 0), 3);
  });

  test("never cross behind monotoneQuantiles, whatever comes in", () => {
    const random = Float32Array.from({ length: 600 }, (_, at) => 30 * Math.sin(at * at));
    const { data } = monotoneQuantiles(3).forward(tensor(random, [100, 6]), {}, {} as never) as Tensor<"f32">;
    for (let at = 0; at < data.length; at += 3) {
      expect(data[at]).toBe(random[at]);
      expect(data[at + 1]).toBeGreaterThanOrEqual(data[at] ?? 0);
      expect(data[at + 2]).toBeGreaterThanOrEqual(data[at + 1] ?? 0);
    }
  });
});

test("weights of classes: of focal losses, rankings and pairs", async () => {
  const x = [[1], [2], [3], [4]];
  const figure = async (loss: Loss, outputs: number, y: number[], classWeights: number[]): Promise<number> => {
    const model = sequential(linear(1, outputs, { init: 0.25, bias: false }));
    const { history } = await fit(model, {
      ...{ data: { x, y }, loss, optimizer: sgd({ lr: 0 }), epochs: 1, classWeights, batchSize: 4 },
    });
    const value = history[0]?.loss ?? Number.NaN;
    const rows = tensor(
      x.flatMap(([a = 0]) => new Array<number>(outputs).fill(0.25 * a)),
      [4, outputs],
    );
    const target = loss.target === "classes" ? tensor(Int32Array.from(y)) : tensor(y);
    const { data } = loss(rows, target) as Tensor;
    const weights = y.map((label) => classWeights[label] ?? 0);
    const sum = weights.reduce((total, weight) => total + weight, 0);
    expect(value).toBeCloseTo(weights.reduce((total, weight, row) => total + weight * (data[row] ?? 0), 0) / sum, 5);
    return value;
  };
  await figure(focal(), 3, [0, 1, 2, 0], [1, 2, 0.5]);
  await figure(binaryFocal({ alpha: 0.25 }), 1, [0, 1, 1, 0], [1, 3]);
  await figure(bpr(), 2, [0, 1, 0, 0], [1, 3]);
  await figure(contrastive(), 4, [0, 1, 1, 0], [1, 3]);
});

describe("refuses", () => {
  const data = { x: [[1], [2]], y: [1, 0] };
  const run = (loss: Loss, outputs: number, more: object = {}) =>
    fit(sequential(linear(1, outputs)), { data, loss, optimizer: sgd({ lr: 0 }), epochs: 1, ...more });

  test.each<[string, () => unknown, string, string]>([
    ["no quantiles", () => pinball({ quantiles: [] }), "ERR_OPTION", "pinball.quantiles"],
    ["falling quantiles", () => pinball({ quantiles: [0.5, 0.5] }), "ERR_OPTION", "pinball.quantiles[1]"],
    ["a quantile of 1", () => pinball({ quantiles: [1] }), "ERR_OPTION", "pinball.quantiles[0]"],
    ["alpha 1", () => binaryFocal({ alpha: 1 }), "ERR_OPTION", "binaryFocal.alpha"],
    ["gamma −1", () => focal({ gamma: -1 }), "ERR_OPTION", "focal.gamma"],
    ["alpha 0", () => focal({ alpha: [1, 0] }), "ERR_OPTION", "focal.alpha[1]"],
    ["margin 0", () => triplet({ margin: 0 }), "ERR_OPTION", "triplet.margin"],
    ["an unknown option", () => contrastive({ margn: 1 } as never), "ERR_UNKNOWN_OPTION", "contrastive.margn"],
    ["coverage 100", () => coverage(100), "ERR_OPTION", "coverage.percent"],
    ["monotoneQuantiles 1", () => monotoneQuantiles(1), "ERR_OPTION", "monotoneQuantiles.count"],
    [
      "two factors of three classes",
      () => focal({ alpha: [1, 2] })(tensor([[1, 2, 3]]), tensor(Int32Array.of(0))),
      "ERR_SHAPE",
      "focal.alpha",
    ],
    ["a single score", () => bpr()(tensor([[1]]), tensor(Int32Array.of(0))), "ERR_SHAPE", "bpr"],
    ["vectors of no length", () => triplet()(tensor([[1, 2, 3, 4]]), tensor([1])), "ERR_SHAPE", "triplet.output"],
    ["another target", () => contrastive()(tensor([[1, 2]]), tensor([[1, 0]])), "ERR_SHAPE", "contrastive.target"],
  ])("%s", (_, make, code, where) => {
    expect(make).toThrow(expect.objectContaining({ code, where }));
  });

  test("outputs of another number than quantiles, before any data is read", async () => {
    await expect(run(pinball({ quantiles: [0.1, 0.9] }), 3)).rejects.toMatchObject({
      code: "ERR_SHAPE",
      where: "pinball.output",
    });
  });

  test("targets as wide as the quantiles", async () => {
    const y = [
      [1, 2],
      [1, 2],
    ];
    await expect(run(pinball({ quantiles: [0.1, 0.9] }), 2, { data: { x: data.x, y } })).rejects.toMatchObject({
      code: "ERR_DATA",
      where: "fit.data.y",
    });
  });

  test("a sign of 0, with its row", async () => {
    await expect(run(triplet(), 3, { data: { x: data.x, y: [1, 0] } })).rejects.toThrow("row 1");
  });

  test("metrics that make no sense of quantiles, and coverage of what is none", async () => {
    const quantiles = pinball({ quantiles: [0.2, 0.8] });
    for (const metrics of [["mae"], ["r2"], ["accuracy"], [coverage(80)]]) {
      await expect(run(quantiles, 2, { metrics })).rejects.toMatchObject({ code: "ERR_OPTION", where: "fit.metrics" });
    }
    for (const metrics of [["pinball"], [coverage(80)]]) {
      await expect(run(mae(), 1, { metrics })).rejects.toMatchObject({ code: "ERR_OPTION", where: "fit.metrics" });
    }
  });
});

// Columns at the ends of the range of doubles, and examples that weigh nothing.
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  binaryCrossEntropy,
  crossEntropy,
  dataset,
  defineMetric,
  type Examples,
  type FitData,
  type FitOptions,
  fit,
  type Loss,
  linear,
  loadModel,
  type Model,
  minMax,
  mse,
  ops,
  relu,
  sequential,
  sgd,
  standardize,
  type Transform,
  type Value,
} from "carillon";
import { describe, expect, test } from "vitest";

const settings = { optimizer: sgd({ lr: 0.05 }), epochs: 3, batchSize: 2, shuffle: false, seed: 1 };

/** Data in memory, one by one and in one block. */
function forms(data: Examples<readonly (readonly number[])[], readonly number[]>): readonly FitData[] {
  const { x, y, weight } = data;
  const items = x.map((row, index) => {
    const one = { x: row, y: y[index] ?? 0 };
    return weight === undefined ? one : { ...one, weight: weight[index] ?? 0 };
  });
  return [data, dataset(() => items), dataset(() => [data])];
}

const columnOf = (values: readonly number[]): readonly (readonly number[])[] => values.map((value) => [value]);

describe("units of extreme columns", () => {
  async function unitsOf(values: readonly number[], inputs: Transform, data: number): Promise<Model> {
    const model = sequential(linear(1, 1));
    const y = values.map((_, row) => row);
    const form = forms({ x: columnOf(values), y })[data];
    await fit(model, { ...settings, data: form as FitData, loss: mse(), inputs });
    return model;
  }

  // σ of {a, 2a, 3a} is a·√(2/3), of {−a, a} it is a.
  const third = Math.sqrt(2 / 3);
  test.each<[string, readonly number[], number, number]>([
    ["1e200", [1e200, 2e200, 3e200], 2e200, third * 1e200],
    ["1e-200", [1e-200, 2e-200, 3e-200], 2e-200, third * 1e-200],
    ["1e-200 beside 0", [0, 2e-200], 1e-200, 1e-200],
    ["the largest doubles", [-8e307, 8e307], 0, 8e307],
    ["the smallest doubles", [0, 4 * Number.MIN_VALUE], 2 * Number.MIN_VALUE, 2 * Number.MIN_VALUE],
    ["small, then large", [1e-300, 1, 3], 4 / 3, Math.sqrt(((4 / 3) ** 2 + (1 / 3) ** 2 + (5 / 3) ** 2) / 3)],
    ["large, then larger", [1e100, 1e300, 3e300], (4 / 3) * 1e300, Math.sqrt((16 + 1 + 25) / 27) * 1e300],
    ["constant at 1e200", [1e200, 1e200, 1e200], 1e200, 1],
    ["constant at 1e-200", [1e-200, 1e-200], 1e-200, 1],
  ])("standardize: %s", async (_name, values, mean, deviation) => {
    for (const data of [0, 1, 2]) {
      const model = await unitsOf(values, standardize(), data);
      const { shift = [], scale = [] } = model.transforms.inputs ?? {};
      expect(Math.abs((shift[0] ?? Number.NaN) - mean)).toBeLessThanOrEqual(1e-14 * Math.abs(mean));
      expect(Math.abs((scale[0] ?? Number.NaN) / deviation - 1)).toBeLessThanOrEqual(1e-14);
      const path = join(mkdtempSync(join(tmpdir(), "units-")), "model.safetensors");
      await model.save(path);
      const loaded = await loadModel(path);
      const x = columnOf(values);
      expect((await loaded.predict(x)).data).toEqual((await model.predict(x)).data);
    }
  });

  test.each<[string, readonly number[], readonly number[]]>([
    ["1e200", [1e200, 2e200, 3e200], [0, 0.5, 1]],
    ["1e-200", [1e-200, 2e-200, 3e-200], [0, 0.5, 1]],
    ["constant", [1e-200, 1e-200], [0, 0]],
  ])("minMax: %s", async (_name, values, expected) => {
    for (const data of [0, 1, 2]) {
      const { transforms } = await unitsOf(values, minMax(), data);
      const { shift = [], scale = [] } = transforms.inputs ?? {};
      for (const [row, value] of values.entries()) {
        expect((value - (shift[0] ?? 0)) / (scale[0] ?? 1)).toBeCloseTo(expected[row] ?? 0, 12);
      }
    }
  });

  test.each<[string, Partial<FitOptions<readonly [], FitData>>, readonly number[], readonly number[], RegExp]>([
    ["a range beyond doubles", { inputs: standardize() }, [-1.5e308, 1.5e308], [0, 1], /column 0 .*'fit\.data\.x'/],
    ["the same for minMax", { inputs: minMax() }, [-1.5e308, 1.5e308], [0, 1], /column 0 .*'fit\.data\.x'/],
    [
      "infinity",
      { inputs: standardize() },
      [1, Number.POSITIVE_INFINITY],
      [0, 1],
      /row 1, column 0|example 1, column 0/,
    ],
    ["NaN", { inputs: minMax() }, [Number.NaN, 1], [0, 1], /(row|example) 0, column 0 for 'fit\.data\.x'/],
    [
      "targets beyond float32",
      { targets: standardize() },
      [0, 1],
      [1, 1e39],
      /(row|example) 1, column 0 for 'fit\.data\.y'/,
    ],
    ["targets below float32", { targets: standardize() }, [0, 1], [0, 1e-60], /column 0 .*'fit\.data\.y'/],
  ])("%s is refused by name", async (_name, units, values, y, text) => {
    for (const data of forms({ x: columnOf(values), y })) {
      const run = fit(sequential(linear(1, 1)), { ...settings, data, loss: mse(), ...units });
      await expect(run).rejects.toMatchObject({ code: "ERR_DATA", message: expect.stringMatching(text) });
    }
  });

  test("bytes are taken to units that no float32 holds", async () => {
    const model = sequential(linear(1, 1)).initialize(1);
    await fit(model, { ...settings, data: { x: [[1e200], [3e200]], y: [0, 1] }, loss: mse(), inputs: standardize() });
    const bytes = await model.predict(Uint8Array.of(0, 255));
    expect(bytes.data).toEqual((await model.predict([[0], [255]])).data);
    const loss = mse();
    const expected = await model.evaluate({ x: [[0], [255]], y: [0, 1] }, { loss });
    expect(await model.evaluate({ x: Uint8Array.of(0, 255), y: [0, 1] }, { loss })).toEqual(expected);
    const stream = dataset([{ x: Uint8Array.of(0, 255), y: [0, 1] }]);
    expect(await model.evaluate(stream, { loss })).toEqual(expected);
  });
});

describe("an example of weight 0 is left out", () => {
  const x = Array.from({ length: 8 }, (_, row) => [row / 8, 1 - row / 4]);
  const y = x.map((_, row) => row / 4);
  const labels = x.map((_, row) => row % 2);
  const network = (outputs = 1): Model => sequential(linear(2, 8), relu(), linear(8, outputs));

  interface Outcome {
    readonly bits: readonly number[];
    readonly losses: readonly number[];
    readonly metrics: unknown;
    readonly units: unknown;
  }

  async function outcome(data: FitData, loss: Loss, more: object = {}, outputs = 1): Promise<Outcome> {
    const model = network(outputs);
    const metrics = loss.target === "classes" ? (["accuracy"] as const) : (["mae", "rmse", "r2"] as const);
    const named = loss.target === "probabilities" ? (["accuracy"] as const) : metrics;
    const options = { ...settings, data, validation: data, loss, metrics: named, ...more };
    const { history } = await fit(model, options as unknown as FitOptions<readonly never[], FitData>);
    return {
      bits: [...model.weights().values()].flatMap((value) => [...value.data]),
      losses: history.flatMap((entry) => [entry.loss, (entry.validation as unknown as { loss: number }).loss]),
      metrics: history.map((entry) => [entry.metrics, (entry.validation as unknown as { metrics: unknown }).metrics]),
      units: model.transforms,
    };
  }

  /** The set, and the same with rows of weight 0 that hold `rest` where the first set has what does no harm. */
  const weight = y.map((_, row) => (row === 1 || row === 6 ? 0 : 1 + (row % 3)));
  const withRest = <T>(values: readonly T[], rest: T): T[] =>
    values.map((one, row) => (weight[row] === 0 ? rest : one));

  test.each<[string, number, object?]>([
    ["y = 1e30", 1e30],
    ["the largest y", -3.4e38],
    ["y = 1e30 and micro-batches", 1e30, { accumulate: 2 }],
    ["y = 1e30 and targets in new units", 1e30, { targets: standardize() }],
    ["y = 1e30 and both in new units", 1e30, { inputs: minMax(), targets: standardize() }],
  ])("%s", async (_name, rest, more) => {
    const expected = await outcome({ x, y, weight }, mse(), more);
    expect(expected.losses.every(Number.isFinite)).toBe(true);
    for (const data of forms({ x, y: withRest(y, rest), weight })) {
      expect(await outcome(data, mse(), more)).toEqual(expected);
    }
  });

  test("inputs that overflow the network", async () => {
    const huge = [3e38, -3e38];
    for (const loss of [mse(), binaryCrossEntropy()]) {
      const targets = loss.target === "values" ? y : labels;
      const expected = await outcome({ x, y: targets, weight }, loss);
      for (const data of forms({ x: withRest<readonly number[]>(x, huge), y: targets, weight })) {
        expect(await outcome(data, loss)).toEqual(expected);
      }
    }
  });

  test("a class of weight 0", async () => {
    const three = x.map((_, row) => (row % 4 === 3 ? 2 : row % 2));
    const more = { classWeights: [1, 2, 0], validation: { x, y: three } };
    const expected = await outcome({ x, y: three }, crossEntropy(), more, 3);
    const wild = x.map((row, index) => (three[index] === 2 ? [3e38, 3e38] : row));
    for (const data of forms({ x: wild, y: three })) {
      expect(await outcome(data, crossEntropy(), more, 3)).toEqual(expected);
    }
    const units = { ...more, inputs: standardize() };
    const plain = await outcome({ x, y: three }, crossEntropy(), units, 3);
    for (const data of forms({ x: wild, y: three })) {
      expect(await outcome(data, crossEntropy(), units, 3)).toEqual(plain);
    }
  });

  test("a loss of one's own that is infinite there, with an infinite slope", async () => {
    const relative: Loss = Object.assign(
      (output: Value, target: Value) =>
        ops.reshape(ops.absolute(ops.divide(ops.subtract(output, target), target)), ["batch"]),
      { kind: "relative" },
    );
    const ones = y.map((value) => value + 1);
    const expected = await outcome({ x, y: ones, weight }, relative);
    expect(expected.losses.every(Number.isFinite)).toBe(true);
    for (const data of forms({ x, y: withRest(ones, 0), weight })) {
      expect(await outcome(data, relative)).toEqual(expected);
    }
  });

  test("balanced classes are counted without it", async () => {
    const rare = labels.map((_, row) => (row === 1 || row === 6 || row === 2 ? 1 : 0));
    const data = { x, y: rare, weight };
    const kept = <T>(values: readonly T[]): T[] => values.filter((_, row) => weight[row] !== 0);
    const left = { x: kept(x), y: kept(rare), weight: kept(weight) };
    const more = { classWeights: "balanced", batchSize: 8, metrics: [], validation: undefined };
    const model = network(2);
    const other = network(2);
    await fit(model, { ...settings, ...more, data, loss: crossEntropy() } as never);
    await fit(other, { ...settings, ...more, data: left, loss: crossEntropy() } as never);
    const values = (one: Model): number[] => [...one.weights().values()].flatMap((value) => [...value.data]);
    for (const [index, value] of values(model).entries()) expect(value).toBeCloseTo(values(other)[index] ?? 0, 5);
  });

  test("a metric of one's own is told its weight", async () => {
    const seen: number[] = [];
    const watch = defineMetric({
      name: "watch",
      start: () => 0,
      add(state: number, { rows, outputs, weights }) {
        for (let row = 0; row < rows; row++) if (weights[row] === 0) seen.push(outputs[row] ?? Number.NaN);
        return state;
      },
      result: (state) => state,
    });
    const model = network().initialize(1);
    await model.evaluate({ x: withRest(x, [3e38, 3e38]), y, weight }, { loss: mse(), metrics: [watch] });
    expect(seen).toHaveLength(2);
    expect(seen.every(Number.isFinite)).toBe(true);
  });
});

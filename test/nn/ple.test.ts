// Piecewise-linear embeddings: bins and runs of rtdl_num_embeddings (make_ple_fixture.py).
import { readFileSync } from "node:fs";
import { binEdges, fit, linear, loadModel, type Model, mse, numericEmbedding, sequential, sgd, tensor } from "carillon";
import { expect, test } from "vitest";
import { type Case, distanceOf, type Numbers, sizeOf } from "./tabular_runs.js";

const fixture = JSON.parse(readFileSync(new URL("fixtures/ple.json", import.meta.url), "utf8")) as Case & {
  readonly batch: number;
  readonly steps: number;
  readonly rate: number;
  readonly bins: number;
  readonly x: readonly (readonly number[])[];
  readonly y: readonly (readonly number[])[];
  readonly edges: readonly (readonly number[])[];
};
const { edges } = fixture;

const make = (): Model =>
  sequential(numericEmbedding(4, { form: "ple", edges, size: 3 }), linear(12, 2)) as unknown as Model;

async function trained(steps: number): Promise<Numbers> {
  const model = make();
  model.setWeights(
    Object.fromEntries(Object.entries(fixture.first).map(([name, data]) => [name, Float32Array.from(data)])),
  );
  const data = { x: tensor(fixture.x), y: tensor(fixture.y) };
  const options = {
    steps,
    batchSize: fixture.batch,
    shuffle: false,
    loss: mse(),
    optimizer: sgd({ lr: fixture.rate }),
  };
  await fit(model, { ...options, data });
  const far = tensor(fixture.x.map((row) => row.map((value) => 2 * value))); // beyond the first and the last edge, too
  const answers = await (await loadModel(model.bytes())).predict(far);
  const weights = [...model.weights()].map(([name, { data: values }]) => [name, Array.from(values)] as const);
  return Object.fromEntries([...weights, ["predicted", Array.from(answers.data)]]);
}

test("edges are the different quantiles of each column", () => {
  const found = binEdges(tensor(fixture.x), { bins: fixture.bins });
  expect(found.map(({ length }) => length)).toEqual(edges.map(({ length }) => length));
  // Lines between the same values; their place among 60 rows is a float32 there, and neighbours are less than 1 apart.
  for (const [column, list] of found.entries())
    for (const [at, edge] of list.entries())
      expect(Math.abs(edge - (edges[column]?.[at] ?? 0))).toBeLessThanOrEqual(2 ** -24 * (60 + 4 * Math.abs(edge)));
  expect(binEdges(tensor([[5], [5]]))).toEqual([[5, 6]]);
});

// As in tabular.test.ts: shares of bins are a product and a sum of numbers up to 30 bins wide, which is what narrow bins lose.
test("two steps", async () => {
  const bound = 2 * 2 ** -24 * 40 * 30 * Math.sqrt(sizeOf(fixture.second));
  expect(distanceOf(await trained(2), fixture.second)).toBeLessThan(bound);
});

test(`${fixture.steps} steps`, async () => {
  expect(distanceOf(await trained(fixture.steps), fixture.last)).toBeLessThan(2 * fixture.distance);
});

test("begins as a linear function of each column", async () => {
  const model = sequential(numericEmbedding(1, { form: "ple", edges: [[-1, 0, 3]], size: 2 })).initialize(3);
  const { data: slope } = model.weights().get("numericEmbedding1.slope") ?? { data: [] };
  const { data: bias } = model.weights().get("numericEmbedding1.bias") ?? { data: [] };
  const answers = Array.from((await model.predict([[2]])).data);
  answers.forEach((value, at) => {
    expect(value).toBeCloseTo(2 * (slope[at] ?? 0) + (bias[at] ?? 0), 6);
  });
});

test("what cannot be is refused by its name", () => {
  expect(() => numericEmbedding(1, { form: "ple" })).toThrow(/numericEmbedding.edges/);
  expect(() => numericEmbedding(1, { form: "ple", edges: [[1]] })).toThrow(/edges\[0\]/);
  expect(() => numericEmbedding(1, { form: "ple", edges: [[1, 1]] })).toThrow(/edges\[0\]\[1\]/);
  expect(() => numericEmbedding(1, { form: "ple", edges: [[1, 2]], frequencies: 3 })).toThrow(/frequencies/);
  expect(() => numericEmbedding(1, { edges: [[1, 2]] })).toThrow(/numericEmbedding.edges/);
  expect(() => binEdges(tensor([1, 2]))).toThrow(/binEdges/);
});

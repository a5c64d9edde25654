// Members that share a weight: runs of tabm (make_tabm_fixture.py), and what they promise beside.
import { readFileSync } from "node:fs";
import {
  batchEnsemble,
  crossEntropy,
  fit,
  l2,
  loadModel,
  type Model,
  meanOfMembers,
  memberLinear,
  mse,
  ops,
  program,
  relu,
  repeated,
  sequential,
  sgd,
  signs,
  spec,
  tensor,
  uniform,
} from "carillon";
import { describe, expect, test } from "vitest";
import { type Case, distanceOf, type Numbers, sizeOf } from "./tabular_runs.js";

const fixture = JSON.parse(readFileSync(new URL("fixtures/tabm.json", import.meta.url), "utf8")) as {
  readonly batch: number;
  readonly steps: number;
  readonly rate: number;
  readonly x: readonly (readonly number[])[];
  readonly labels: readonly number[];
  readonly values: readonly (readonly number[])[];
  readonly cases: Readonly<Record<"classes" | "values", Case>>;
};
const [INPUTS, HIDDEN, MEMBERS] = [5, 12, 4];
const members = { members: MEMBERS };

const make = (of: "classes" | "values"): Model =>
  sequential(
    batchEnsemble(INPUTS, HIDDEN, { ...members, inputInit: signs() }),
    relu(),
    batchEnsemble(HIDDEN, HIDDEN, members),
    relu(),
    memberLinear(HIDDEN, of === "classes" ? 3 : 2, members),
    meanOfMembers({ of }),
  ) as unknown as Model;

async function trained(of: "classes" | "values", steps: number, accumulate = 1): Promise<Numbers> {
  const model = make(of);
  const { first } = fixture.cases[of];
  model.setWeights(Object.fromEntries(Object.entries(first).map(([name, data]) => [name, Float32Array.from(data)])));
  const x = tensor(fixture.x);
  const options = { steps, batchSize: fixture.batch, shuffle: false, accumulate, optimizer: sgd({ lr: fixture.rate }) };
  if (of === "classes") await fit(model, { ...options, data: { x, y: [...fixture.labels] }, loss: crossEntropy() });
  else await fit(model, { ...options, data: { x, y: tensor(fixture.values) }, loss: mse() });
  const answers = await model.predict(x);
  const told = of === "classes" ? ops.softmax(answers) : answers;
  const weights = [...model.weights()].map(([name, { data }]) => [name, Array.from(data)] as const);
  return Object.fromEntries([...weights, ["predicted", Array.from(told.data)]]);
}

/*
 * From the same weights: no further from the run in float64 than twice the furthest of eight runs of tabm in float32, which differ in the order of the
 * rows of a batch. A step rounds every number some 60 times (sums of 12, of 8 rows and of 4 members, the softmax, the update): 2⁻²⁴·60 of numbers below 4.
 */
describe.each(["classes", "values"] as const)("a network of %s", (of) => {
  const { second, last, distance } = fixture.cases[of];
  test("two steps", async () => {
    const bound = 2 * 2 ** -24 * 60 * 4 * Math.sqrt(sizeOf(second));
    expect(distanceOf(await trained(of, 2), second)).toBeLessThan(bound);
    expect(distanceOf(await trained(of, 2, 2), second)).toBeLessThan(bound);
  });
  test(`${fixture.steps} steps`, async () => {
    expect(distanceOf(await trained(of, fixture.steps), last)).toBeLessThan(2 * distance);
  });
});

test("a step has the mean of the members' losses, validation the loss of their mean; files keep the network", async () => {
  const model = sequential(memberLinear(1, 1, { members: 2 }), meanOfMembers({ of: "values" }));
  model.setWeights({ "memberLinear1.weight": Float32Array.of(1, 3), "memberLinear1.bias": new Float32Array(2) });
  const data = { x: [[2]], y: [[0]] };
  const { history } = await fit(model, { data, validation: data, steps: 1, loss: mse(), optimizer: sgd({ lr: 0 }) });
  expect(history[0]).toMatchObject({ loss: (4 + 36) / 2, validation: { loss: 16 } });
  expect(Array.from((await (await loadModel(model.bytes())).predict([[2]])).data)).toEqual([4]);
  const labels = sequential(memberLinear(1, 1, { members: 2 }), meanOfMembers({ of: "labels" }));
  labels.setWeights({ "memberLinear1.weight": Float32Array.of(1, 3), "memberLinear1.bias": new Float32Array(2) });
  const sigmoid = (z: number): number => 1 / (1 + Math.exp(-z));
  const mean = (sigmoid(0.5) + sigmoid(1.5)) / 2;
  expect((await labels.predict([[0.5]])).data[0]).toBeCloseTo(Math.log(mean / (1 - mean)), 6);
});

test("the same in a step written by hand", () => {
  const model = sequential(memberLinear(1, 1, { members: 2 }), meanOfMembers({ of: "values" }));
  model.setWeights({ "memberLinear1.weight": Float32Array.of(1, 3), "memberLinear1.bias": new Float32Array(2) });
  const lossOf = (training: boolean): number | undefined =>
    program({
      inputs: { x: spec(["batch", 1]), y: spec(["batch", 1]) },
      maxBatch: 1,
      training,
      body: ({ x, y }) => ({ loss: ops.mean(mse()(model.forward(x), y)) }),
    }).runSync({ x: [[2]], y: [[0]] }).loss.data[0];
  expect([lossOf(true), lossOf(false)]).toEqual([20, 16]);
});

test.each([1, 9])("heads of %i outputs are each member's own product", async (outputs) => {
  for (const given of [1, 3]) {
    const model = sequential(
      { input: given === 1 ? [2] : [3, 2] },
      memberLinear(2, outputs, { members: 3 }),
    ) as unknown as Model;
    const weights = model.initialize(4).weights();
    const [weight, bias] = ["weight", "bias"].map((key) => weights.get(`memberLinear1.${key}`)?.data ?? []);
    const x = Array.from({ length: 2 * given }, (_, at) => (at % 5) - 1.5);
    const answers = Array.from(
      (await model.predict(tensor(Float32Array.from(x), given === 1 ? [1, 2] : [1, 3, 2]))).data,
    );
    answers.forEach((answer, at) => {
      const from = given === 1 ? 0 : 2 * Math.floor(at / outputs);
      const [a = 0, c = 0] = [x[from], x[from + 1]];
      const exact = a * (weight?.[2 * at] ?? 0) + c * (weight?.[2 * at + 1] ?? 0) + (bias?.[at] ?? 0);
      expect(Math.abs(answer - exact)).toBeLessThan(2 ** -24 * 8 * 3);
    });
    expect(answers.length).toBe(3 * outputs);
  }
});

test("members begin with signs of their own, one a stretch, and with biases that are alike", () => {
  const blocks = [1, 3, 96];
  const layer = batchEnsemble(100, 40, { members: 200, inputInit: signs({ blocks }) });
  const weights = sequential(layer).initialize(7).weights();
  const given = weights.get("batchEnsemble1.given")?.data ?? new Float32Array();
  const rows = Array.from({ length: 200 }, (_, row) => [...given.subarray(100 * row, 100 * row + 100)]);
  for (const row of rows) {
    expect(new Set(row.map(Math.abs))).toEqual(new Set([1]));
    expect(new Set(row.slice(1, 4)).size).toBe(1);
    expect(new Set(row.slice(4)).size).toBe(1);
  }
  // 600 signs: five deviations of their sum.
  const sum = rows.reduce((total, row) => total + (row[0] ?? 0) + (row[1] ?? 0) + (row[4] ?? 0), 0);
  expect(Math.abs(sum)).toBeLessThan(5 * Math.sqrt(600));
  const bias = weights.get("batchEnsemble1.bias")?.data ?? new Float32Array();
  const first = [...bias.subarray(0, 40)];
  for (let row = 0; row < 200; row++) expect([...bias.subarray(40 * row, 40 * row + 40)]).toEqual(first);
  expect(new Set(first).size).toBe(40);
  expect(Math.max(...first.map(Math.abs))).toBeLessThan(0.1);
  expect(weights.get("batchEnsemble1.gives")?.data.every((value) => value === 1)).toBe(true);
});

test("a penalty of the model reaches the shared weight, and no factor", async () => {
  const model = sequential(batchEnsemble(1, 1, { members: 2, init: 1, bias: false }), meanOfMembers({ of: "values" }));
  await fit(model, {
    data: { x: [[0]], y: [[0]] },
    steps: 1,
    loss: mse(),
    optimizer: sgd({ lr: 0.5 }),
    regularizer: l2(0.5),
  });
  expect([...model.weights().values()].map(({ data }) => [...data])).toEqual([[0.75], [1, 1], [1, 1]]);
});

test("what cannot be is refused by its name", () => {
  expect(() => batchEnsemble(2, 2, { members: 0 })).toThrow(/batchEnsemble.members/);
  expect(() => memberLinear(0, 2)).toThrow(/memberLinear.inputs/);
  expect(() => meanOfMembers({ of: "votes" as never })).toThrow(/meanOfMembers.of/);
  expect(() => sequential(batchEnsemble(2, 3, { members: 4 }), batchEnsemble(3, 3, { members: 5 }))).toThrow(
    /\[batch, 5, n\]/,
  );
  expect(() => sequential(batchEnsemble(2, 2, { inputInit: signs({ blocks: [3] }) })).initialize()).toThrow(
    /signs.blocks/,
  );
  expect(() => signs({ blocks: [0] })).toThrow(/signs.blocks/);
  expect(repeated(uniform({ high: 1 })).kind).toBe("repeated");
});

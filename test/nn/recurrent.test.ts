// Recurrent layers: runs of PyTorch and Keras, and what they promise beside.
import {
  adagrad,
  adam,
  fit,
  gru,
  l1,
  l2,
  linear,
  loadModel,
  lstm,
  maxNorm,
  mse,
  rmsprop,
  rnn,
  sequential,
  sgd,
  tensor,
} from "carillon";
import { describe, expect, test } from "vitest";
import { describeRuns } from "./framework_runs.js";
import { fixture, nameOf, networkOf, predicted, rowsOf, trained } from "./recurrent_runs.js";

/*
 * One step rounds every number some 200 times (sums of 8, functions of 2 ulp, six steps in a row and back, 8 rows): 2⁻²⁴·200 of numbers below 4,
 * at most 700 of them.
 */
describeRuns({ fixture, nameOf, networkOf, rowsOf, predicted, trained }, { answers: 40, step: 200 });

describe("lengths", () => {
  const measured = fixture.cases.filter(({ lengths }) => lengths).map((one) => ({ name: nameOf(one), one }));

  test.each(measured)("$name: neither what stands in padding nor its length changes a bit", async ({ one }) => {
    const plain = await trained(one, 20);
    expect(await trained(one, 20, 5, 1e30)).toEqual(plain);
    expect(await trained(one, 20, 1, -3)).toEqual(plain);
  });

  test("an empty sequence has the state 0", async () => {
    const [one] = fixture.cases.filter(({ lengths, kind }) => lengths && kind === "gru");
    if (one === undefined) throw new Error("no case");
    const model = networkOf(one);
    const { x } = rowsOf(one) as { readonly x: unknown };
    const lengths = new Int32Array(fixture.lengths.length);
    const bias = Array.from(model.weights().get("linear1.bias")?.data ?? []);
    const answers = await predicted(model, { x, lengths });
    expect(answers).toEqual(fixture.lengths.flatMap(() => bias));
  });

  test.each([-1, 7])("a length of %i names input and row", async (length) => {
    const [one] = fixture.cases.filter(({ lengths }) => lengths);
    if (one === undefined) throw new Error("no case");
    const { x } = rowsOf(one) as { readonly x: unknown };
    const lengths = Int32Array.from(fixture.lengths).with(3, length);
    const refusal = predicted(networkOf(one), { x, lengths });
    await expect(refusal).rejects.toThrow(/length of 'x\.lengths', row 3 .* received/);
    await expect(refusal).rejects.toMatchObject({ code: "ERR_DATA" });
  });
});

const x = tensor(
  Array.from({ length: 24 }, (_, row) => Array.from({ length: 5 }, (_, t) => [Math.sin(row + t), Math.cos(row * t)])),
);
const y = tensor(Array.from({ length: 24 }, (_, row) => [Math.sin(row + 5)]));
const base = { data: { x, y }, loss: mse(), batchSize: 8, seed: 3, optimizer: adam({ lr: 0.01 }) };
const dropping = { dropout: 0.3, recurrentDropout: 0.25, dropConnect: 0.2, layers: 2, bidirectional: true } as const;

const made = [
  ["lstm", () => sequential({ input: [5, 2] }, lstm(2, 6, dropping), linear(12, 1))],
  ["gru", () => sequential({ input: [5, 2] }, gru(2, 6, dropping), linear(12, 1))],
  [
    "gru, reset in front",
    () => sequential({ input: [5, 2] }, gru(2, 6, { ...dropping, resetAfter: false }), linear(12, 1)),
  ],
  ["rnn", () => sequential({ input: [5, 2] }, rnn(2, 6, dropping), linear(12, 1))],
] as const;

const weightsOf = (model: ReturnType<(typeof made)[number][1]>) =>
  Object.fromEntries([...model.weights()].map(([name, { data }]) => [name, Array.from(data)]));

describe.each(made)("%s with everything that is dropped", (_name, make) => {
  const trainedWith = async (options: object) => {
    const model = make();
    const result = await fit(model, { ...base, steps: 12, ...options });
    return { weights: weightsOf(model), result };
  };

  test("any number of threads gives the same bits", async () => {
    const { weights } = await trainedWith({ threads: 1 });
    for (const threads of [2, 3, 4]) expect((await trainedWith({ threads })).weights).toEqual(weights);
  });

  test("micro-batches draw the masks of the whole batch, and learn the same", async () => {
    const { weights } = await trainedWith({});
    const { weights: divided } = await trainedWith({ accumulate: 4 });
    const off = Object.entries(weights).flatMap(([name, data]) =>
      data.map((value, i) => Math.abs(value - (divided[name]?.[i] ?? 9))),
    );
    // Sums over parts are rounded in another order, which Adam magnifies where a gradient is small: 12 steps of 0.01.
    expect(Math.max(...off)).toBeLessThan(1e-3);
  });

  test("a resumed run ends with the same bits, averages and clipped gradients too", async () => {
    const own = { averageWeights: { decay: 0.9 }, clip: { norm: 0.5 } };
    const { weights } = await trainedWith(own);
    const model = make();
    const { checkpoint } = await fit(model, { ...base, ...own, steps: 5 });
    const again = make();
    await fit(again, { ...base, ...own, steps: 12, resume: checkpoint() });
    expect(weightsOf(again)).toEqual(weights);
  });

  test("is saved and loaded", async () => {
    const model = make().initialize(4);
    const loaded = await loadModel(model.bytes());
    expect((await loaded.predict(x)).data).toEqual((await model.predict(x)).data);
  });

  test("every optimizer, and penalties by role", async () => {
    for (const optimizer of [sgd({ lr: 0.05, momentum: 0.9 }), adagrad({ lr: 0.05 }), rmsprop({ lr: 0.01 })]) {
      const { result } = await trainedWith({
        optimizer,
        regularizer: [l1(1e-4), l2(1e-4), maxNorm(1)],
        epochs: 6,
        steps: undefined,
      });
      const losses = result.history.map(({ loss }) => loss);
      expect(losses.at(-1)).toBeLessThan(losses[0] ?? 0);
    }
    const { weights } = await trainedWith({ regularizer: maxNorm(0.2) });
    for (const [name, data] of Object.entries(weights)) {
      if (!/[wW]eight|ecurrent\d?$/.test(name) || name.startsWith("linear")) continue;
      const columns = name.endsWith("ecurrent") || name.endsWith("ecurrent2") ? 6 : name.endsWith("2") ? 12 : 2;
      for (let row = 0; row < data.length; row += columns) {
        expect(Math.hypot(...data.slice(row, row + columns)), name).toBeLessThan(0.2 * (1 + 1e-6));
      }
    }
  });
});

test("what is not finite names the layer", async () => {
  const cell = rnn(2, 6, { activation: "relu", init: 1, recurrentInit: 1e20, name: "cell" });
  const model = sequential({ input: [5, 2] }, cell, linear(6, 1)).initialize(1);
  await expect(fit(model, { ...base, steps: 4 })).rejects.toThrow(/cell/);
});

test("a row alone has the bits that it has in a batch", async () => {
  const model = sequential({ input: [5, 2] }, gru(2, 6, { layers: 2, sequences: true })).initialize(5);
  const all = (await model.predict(x)).data;
  const [alone] = [
    await model.predict(tensor([Array.from({ length: 5 }, (_, t) => [Math.sin(7 + t), Math.cos(7 * t)])])),
  ];
  expect(alone.data).toEqual(all.subarray(7 * 30, 8 * 30));
});

test("options and shapes that cannot be are refused by their names", () => {
  expect(() => lstm(0, 4)).toThrow(/lstm.inputs/);
  expect(() => gru(2, 0)).toThrow(/gru.hidden/);
  expect(() => rnn(2, 3, { layers: 0 })).toThrow(/rnn.layers/);
  expect(() => lstm(2, 3, { recurrentDropout: 1 })).toThrow(/lstm.recurrentDropout/);
  expect(() => lstm(2, 3, { preset: "pytorch", forgetBias: 1 })).toThrow(/lstm.forgetBias/);
  expect(() => gru(2, 3, { preset: "pytorch", resetAfter: false })).toThrow(/gru.resetAfter/);
  expect(() => sequential(lstm(2, 3))).toThrow(/expected \[batch, time, 2\] for 'lstm'/);
});

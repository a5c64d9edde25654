// Layers that normalize rows: runs of PyTorch and Keras, and what they promise beside.
import {
  fit,
  groupNorm,
  type Layer,
  l2,
  layerNorm,
  linear,
  loadModel,
  ops,
  rmsNorm,
  sequential,
  sgd,
  tensor,
} from "carillon";
import { describe, expect, test } from "vitest";
import { type Case, distanceOf, fixture, HIDDEN, trained } from "./norm_runs.js";

const name = "norm";
const cases: readonly (readonly [string, Layer, Case])[] = [
  ["layerNorm of PyTorch", layerNorm(HIDDEN, { name }), fixture.cases.pytorch.layerNorm],
  ["rmsNorm of PyTorch", rmsNorm(HIDDEN, { name }), fixture.cases.pytorch.rmsNorm],
  ["groupNorm of PyTorch", groupNorm(HIDDEN, 2, { name }), fixture.cases.pytorch.groupNorm],
  ["layerNorm of Keras", layerNorm(HIDDEN, { name, epsilon: 1e-3 }), fixture.cases.keras.layerNorm],
  ["rmsNorm of Keras", rmsNorm(HIDDEN, { name, epsilon: 1e-6 }), fixture.cases.keras.rmsNorm],
  ["groupNorm of Keras", groupNorm(HIDDEN, 2, { name, epsilon: 1e-3 }), fixture.cases.keras.groupNorm],
];

/*
 * 200 steps from the same weights: no further from the run in float64 than twice the framework's own run in float32 is. One
 * step rounds every number some 40 times (sums of 8 and of 16, a root, quotients, the update): 2⁻²⁴·40 of numbers below 4, 171 of them.
 */
describe.each(cases)("%s", (_name, norm, { first, last, distance: theirs }) => {
  test("one step", async () => {
    expect(distanceOf(await trained(norm, 1), first)).toBeLessThan(2 ** -24 * 40 * 4 * Math.sqrt(171));
  });
  test("200 steps", async () => {
    expect(distanceOf(await trained(norm, fixture.steps), last)).toBeLessThan(2 * theirs);
  });
});

describe("normalizing layers", () => {
  const all = [
    layerNorm(6),
    rmsNorm(6),
    groupNorm(6, 3),
    layerNorm(6, { affine: false }),
    rmsNorm(6, { affine: false }),
  ];

  test.each(all)("%s is saved and loaded", async (layer) => {
    const model = sequential(linear(3, 6), layer).initialize(3);
    const rows = tensor([
      [0.5, -1, 2],
      [1, 3, -0.25],
    ]);
    const loaded = await loadModel(model.bytes());
    expect((await loaded.predict(rows)).data).toEqual((await model.predict(rows)).data);
    expect(Array.from(loaded.weights().keys())).toEqual(Array.from(model.weights().keys()));
  });

  test("no penalty reaches scale and shift unless they name one", async () => {
    const still = { data: { x: tensor([[1, 1]]), y: tensor([[0, 0]]) }, optimizer: sgd({ lr: 0.1 }), steps: 3 };
    const model = sequential(layerNorm(2)).initialize(1);
    await fit(model, {
      ...still,
      regularizer: l2(0.5),
      loss: (output) => ops.multiply(0, ops.mean(output, { axis: "last" })),
    });
    expect(Array.from(model.weights().get("layerNorm1.scale")?.data ?? [])).toEqual([1, 1]);
  });

  // 0.1 is no float32, and its sum over 37 is rounded.
  test.each([layerNorm(37), groupNorm(37, 1)])("equal features give the shift exactly: %s", async (layer) => {
    const model = sequential(layer).initialize(0);
    const shift = Float32Array.from({ length: 37 }, (_, i) => Math.fround(i / 7));
    const weights = Object.fromEntries(
      [...model.weights()].map(([key, { data }]): [string, Float32Array] => [
        key,
        key.endsWith("shift") ? shift : data,
      ]),
    );
    model.setWeights(weights);
    expect((await model.predict(tensor([new Array<number>(37).fill(0.1)]))).data).toEqual(shift);
  });

  test("a row of 32 numbers at 10⁴ has variance 1 within what float32 can hold", async () => {
    const row = Array.from({ length: 32 }, (_, i) => 1e4 + (i % 2));
    const { data } = await sequential(layerNorm(32, { affine: false, epsilon: 1e-12 })).predict(tensor([row]));
    expect(Array.from(data)).toEqual(row.map((value) => (value === 1e4 ? -1 : 1)));
  });

  test("what cannot be is refused by its name", () => {
    expect(() => layerNorm(0)).toThrow(/layerNorm.inputs/);
    expect(() => layerNorm(3, { epsilon: 0 })).toThrow(/layerNorm.epsilon/);
    expect(() => groupNorm(6, 4)).toThrow(/groupNorm.groups/);
    expect(() => sequential(linear(2, 3), layerNorm(4) as Layer)).toThrow(/4/);
  });
});

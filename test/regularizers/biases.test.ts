// Penalties on biases: the probe's bias has the elements and the gradients of its weight, so that under the same penalties it
// takes the same way, to the bit.
import {
  type AdamwOptions,
  adamw,
  defineLayer,
  elasticNet,
  fit,
  l1,
  l2,
  linear,
  maxNorm,
  minimizer,
  mse,
  ops,
  parameter,
  type Regularizers,
  sequential,
  sgd,
  weightDecay,
} from "carillon";
import { describe, expect, test } from "vitest";
import { NATIVE } from "../optim/every.js";
import { signed, startAt } from "./probe.js";

const SHAPE = [5, 7];
const COUNT = 35;

const PENALTIES: readonly (readonly [name: string, penalties: Regularizers])[] = [
  ["l2", l2(0.3)],
  ["l1", l1(0.3)],
  ["l1, proximal", l1(0.03, { proximal: true })],
  ["l1, proximal, euclidean", l1(0.03, { proximal: true, metric: "euclidean" })],
  ["elasticNet", elasticNet({ l1: 0.1, l2: 0.7 })],
  ["weightDecay", weightDecay(0.9)],
  ["several", [l2(0.3), weightDecay(0.9), l1(0.02, { proximal: true })]],
];

describe.each(Object.entries(NATIVE))("%s", (_name, make) => {
  test.each(PENALTIES)("%s", async (_kind, penalties) => {
    const optimizer = make({ lr: 0.05 });
    // Decay of the optimizer's own spares biases; here none has any.
    const plain = optimizer.decay === null ? optimizer : adamw({ lr: 0.05, weightDecay: 0 } satisfies AdamwOptions);
    const both = startAt(SHAPE, signed(COUNT, 3), plain, { regularizer: penalties, biasRegularizer: penalties });
    const one = startAt(SHAPE, signed(COUNT, 3), plain, { biasRegularizer: penalties });
    const free = startAt(SHAPE, signed(COUNT, 3), plain);
    for (let step = 1; step <= 5; step++) {
      const gradient = signed(COUNT, 30 + step);
      const [reported, half] = [await both.step(gradient), await one.step(gradient)];
      await free.step(gradient);
      expect(Math.abs(reported - 2 * half)).toBeLessThanOrEqual(4 * 2 ** -24 * Math.abs(reported));
    }
    const biasOf = ({ model }: typeof both) => model.weights().get("probe.bias")?.data;
    expect(biasOf(both)).toEqual(both.weight);
    expect(biasOf(one)).toEqual(both.weight);
    expect(one.weight).toEqual(free.weight);
    expect(biasOf(free)).toEqual(free.weight);
    expect(biasOf(one)).not.toEqual(biasOf(free));
  });
});

/** Weight and bias of `linear(1, 1)` after an epoch in which the data asks for nothing, both from 1. */
async function rest(layer: Parameters<typeof linear>[2], options: object = {}): Promise<readonly unknown[]> {
  const model = sequential(linear(1, 1, { init: 1, biasInit: 1, ...layer }));
  const data = { x: [[0]], y: [[1]] };
  const { history } = await fit(model, { data, loss: mse(), optimizer: sgd({ lr: 0.5 }), epochs: 1, ...options });
  const weights = model.weights();
  const at = (name: string) => weights.get(`linear1.${name}`)?.data[0];
  return [at("weight"), at("bias"), history.at(-1)?.penalty];
}

test("a layer's own, the model's, and none", async () => {
  expect(await rest({ biasRegularizer: l2(0.5) })).toEqual([1, 0.75, 0.25]);
  expect(await rest({}, { biasRegularizer: l2(0.5) })).toEqual([1, 0.75, 0.25]);
  expect(await rest({}, { regularizer: l2(1), biasRegularizer: l2(0.5) })).toEqual([0.5, 0.75, 0.75]);
  expect(await rest({ biasRegularizer: null }, { biasRegularizer: l2(0.5) })).toEqual([1, 1, 0]);
  expect(await rest({ biasRegularizer: l1(0.5) }, { biasRegularizer: l2(0.5) })).toEqual([1, 0.75, 0.5]);
  expect(await rest({ regularizer: null, biasRegularizer: weightDecay(0.5) })).toEqual([1, 0.75, 0]);
});

test("a resumed run has the same ones", async () => {
  const model = () => sequential(linear(1, 1, { init: 1, biasInit: 1 }));
  const options = { data: { x: [[0]], y: [[1]] }, loss: mse(), optimizer: sgd({ lr: 0.5 }) };
  const first = await fit(model(), { ...options, epochs: 1, biasRegularizer: l2(0.5) });
  const resume = first.checkpoint();
  const second = await fit(model(), { ...options, epochs: 2, biasRegularizer: l2(0.5), resume });
  expect(second.step).toBe(2);
  await expect(fit(model(), { ...options, epochs: 2, resume })).rejects.toMatchObject({
    code: "ERR_STATE",
    message: expect.stringContaining("biasRegularizer"),
  });
});

test.each<[string, () => unknown, string]>([
  ["a bound of rows", () => linear(1, 1, { biasRegularizer: maxNorm(1) }), "linear.biasRegularizer"],
  ["one among several", () => linear(1, 1, { biasRegularizer: [l2(1), maxNorm(1)] }), "linear.biasRegularizer"],
  ["without a bias", () => linear(1, 1, { bias: false, biasRegularizer: l2(1) }), "linear.biasRegularizer"],
  ["a number", () => linear(1, 1, { biasRegularizer: 0.1 as never }), "linear.biasRegularizer"],
  ["of a parameter", () => parameter([3], { regularizer: maxNorm(1) }), "parameter.regularizer"],
  [
    "of a minimizer",
    () => minimizer(sequential(linear(1, 1)), sgd({ lr: 1 }), { biasRegularizer: maxNorm(1) }),
    "minimizer.biasRegularizer",
  ],
])("%s is refused", (_name, call, where) => {
  expect(call).toThrow(expect.objectContaining({ code: "ERR_OPTION", where }));
});

test("scales and shifts of other layers are among them, weights of rank 2 are not", async () => {
  const scaled = defineLayer({
    kind: "scaled",
    inputs: 2,
    outputs: 2,
    parameters: {
      scale: parameter([2], { init: 1 }),
      factor: parameter([], { init: 1 }),
      table: parameter([1, 2], { init: 1 }),
    },
    forward: (x, { scale, factor, table }) =>
      ops.add(ops.multiply(ops.multiply(x, scale), factor), ops.multiply(0, ops.reshape(table, [2]))),
  });
  const model = sequential(scaled);
  const data = { x: [[0, 0]], y: [[0, 0]] };
  await fit(model, { data, loss: mse(), optimizer: sgd({ lr: 0.5 }), epochs: 1, biasRegularizer: l2(0.5) });
  expect([...model.weights()].map(([name, { data: values }]) => [name.replace(/.*\./, ""), ...values])).toEqual([
    ["scale", 0.75, 0.75],
    ["factor", 0.75],
    ["table", 1, 1],
  ]);
});

// Training with fused products: the weights are those of a network whose operations cannot be fused.
import {
  adam,
  crossEntropy,
  defineLayer,
  dropout,
  fit,
  type Layer,
  linear,
  type Model,
  minimizer,
  relu,
  sequential,
  sgd,
} from "carillon";
import { expect, test } from "vitest";
import { grad } from "../../lib/graph/grad.js";
import { program, spec } from "../../lib/graph/program.js";
import { reluGradient } from "../../lib/ops/elementwise.js";
import * as ops from "../../lib/ops/index.js";
import type { DropoutScaling } from "../../lib/ops/random.js";
import type { Tensor } from "../../lib/tensor/tensor.js";
import type { Value } from "../../lib/tensor/value.js";
import { floats } from "../ops/sample.js";
import { bits, toTensor } from "../ops/ways.js";
import { bitsOf, clusters } from "../train/synthetic.js";
import { instructions, planned } from "./inspect.js";

/** The same value, behind an operation that ends every chain. */
const block = (x: Value): Value => ops.multiply(x, 1);
const rectifier = (): Layer => defineLayer({ kind: "relu", outputs: "same", forward: (x) => block(ops.relu(x)) });
const masking = (rate: number, scaling: DropoutScaling): Layer =>
  defineLayer({
    kind: "dropout",
    outputs: "same",
    forward: (x, _parameters, { training, nextSite }) =>
      training ? block(ops.dropout(x, { rate, scaling, site: nextSite() })) : x,
  });
const chain = sequential as (...layers: readonly unknown[]) => Model;
const whole = (rate: number, scaling: DropoutScaling): Model =>
  chain(
    linear(6, 20),
    relu(),
    dropout({ rate, scaling }),
    linear(20, 17),
    relu(),
    dropout({ rate, scaling }),
    linear(17, 3),
  );
const apart = (rate: number, scaling: DropoutScaling): Model =>
  chain(
    ...[linear(6, 20), rectifier(), masking(rate, scaling)],
    ...[linear(20, 17), rectifier(), masking(rate, scaling), linear(17, 3)],
  );

/** Instructions of a forward pass in training and of its backward pass. */
const listing = (model: Model): readonly number[] => {
  const { code } = planned({ x: { shape: ["batch", 6] } }, ({ x }) => [
    grad((x_) => ops.sum(ops.square(model.forward(x_))))(x)[0] ?? x,
  ]);
  const names = instructions(code);
  return ["gemm_fused", "dropout"].map((name) => names.filter((each) => each === name).length);
};

test("the network that is compared with cannot be fused", () => {
  expect(listing(whole(0.5, "inverted").initialize(1))).toEqual([4, 0]);
  expect(listing(apart(0.5, "inverted").initialize(1))).toEqual([0, 4]);
});

test.each([
  [0.5, "inverted", 1],
  [0.2, "inverted", 3],
  [0.2, "classic", 1],
  [0.5, "inverted", 5],
] as const)(
  "a rate of %f (%s), batches in %i parts: the weights are those of steps apart",
  async (rate, scaling, accumulate) => {
    // Batches of 16 and a last one of 2 rows.
    const options = { data: clusters(50, 6, 3), loss: crossEntropy(), batchSize: 16, epochs: 3, seed: 9, accumulate };
    const trained = async (model: Model, threads: number): Promise<string> => {
      await fit(model, { ...options, optimizer: adam({ lr: 0.01 }), threads });
      return bitsOf(model);
    };
    const expected = await trained(apart(rate, scaling), 1);
    expect(await trained(whole(rate, scaling), 1)).toBe(expected);
    expect(await trained(whole(rate, scaling), 2)).toBe(expected);
  },
);

test("no chain goes across an update", async () => {
  const model = sequential(linear(2, 3)).initialize(1);
  const trainer = minimizer(model, sgd({ lr: 0.5 }));
  const step = program({
    inputs: { x: spec(["batch", 2]), gate: spec(["batch", 3]) },
    maxBatch: 2,
    seed: 17,
    body({ x, gate }) {
      const before = model.forward(x);
      trainer.minimize(ops.sum(ops.square(model.forward(x))));
      return { masked: ops.dropout(ops.relu(before), { rate: 0.5, site: 0 }), gated: reluGradient(before, gate) };
    },
  });
  const x = toTensor(floats([2, 2]));
  const gate = toTensor(floats([2, 3]));
  const [weight, bias] = [...model.weights().values()] as [Tensor, Tensor];
  const before = ops.linear(x, weight, bias);
  const { masked, gated } = await step.run({ x, gate });
  expect(bits(masked)).toEqual(bits(ops.dropout(ops.relu(before), { rate: 0.5, site: 0, seed: 17, step: 1 })));
  expect(bits(gated)).toEqual(bits(reluGradient(before, gate) as Tensor));
});

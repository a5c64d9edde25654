// Operations with several outputs: a rule of this file gives cross-entropies and the gradient of the logits at once.
import { expect, test } from "vitest";
import { grad } from "../../lib/graph/grad.js";
import { program, spec } from "../../lib/graph/program.js";
import { applyAll, at } from "../../lib/ops/apply.js";
import { instruction } from "../../lib/ops/encode.js";
import * as ops from "../../lib/ops/index.js";
import { asMatrix } from "../../lib/tensor/shape.js";
import { type Tensor, tensor } from "../../lib/tensor/tensor.js";
import type { Rule, Value } from "../../lib/tensor/value.js";
import { bits } from "../ops/ways.js";
import { instructions, planned } from "./inspect.js";

/** logits, labels, dℓ/dlosses → losses, dℓ/dlogits. */
const both: Rule<"softmaxCrossEntropy"> = {
  name: "softmaxCrossEntropy",
  infer: (inputs) => [
    { shape: at(inputs, 1).shape, dtype: "f32" },
    { shape: at(inputs, 0).shape, dtype: "f32" },
  ],
  lower(inputs, outputs) {
    const [logits, labels, lossGradient] = [at(inputs, 0), at(inputs, 1), at(inputs, 2)];
    const views = { logits, labels, lossGradient, losses: at(outputs, 0), logitsGradient: at(outputs, 1) };
    return instruction("softmax_cross_entropy_both", views, { ...asMatrix(logits.shape), same: true });
  },
  // Made up, so that it tells what has come: dx = 3·dlosses and 5·dgradient, 7 where nothing came.
  gradient: (inputs, _outputs, [losses, slopes]) => [
    ops.add(
      losses === undefined ? 7 : ops.multiply(3, ops.sum(losses)),
      slopes === undefined ? ops.broadcast(tensor(0), at(inputs, 0).shape) : ops.multiply(5, slopes),
    ),
    undefined,
    undefined,
  ],
};

const logits = tensor([
  [0.5, -1, 2],
  [1, 0.25, -3],
]);
const labels = tensor(Int32Array.of(2, 0));
const one = tensor(1);
const outputsOf = (x: Value, y: Value): readonly [Value, Value] => {
  const outputs = applyAll(both, [x, y, one], null);
  return [at(outputs, 0), at(outputs, 1)];
};

const list = (x: Tensor | undefined): number[] => Array.from(x?.data ?? []);

/** What the operations of one output each compute. */
const losses = ops.softmaxCrossEntropy(logits, labels);
const [slopes] = grad((x: Value) => ops.sum(ops.softmaxCrossEntropy(x, labels)))(logits);

test("on tensors both are computed at once", () => {
  const [first, second] = outputsOf(logits, labels);
  expect(list(first as Tensor)).toEqual(list(losses));
  expect(list(second as Tensor)).toEqual(list(slopes as Tensor));
});

test.each([
  ["both", [0, 1]],
  ["the first alone", [0]],
  ["the second alone", [1]],
])("in a program, %s of them: one instruction", async (_, wanted) => {
  const shapes = { x: { shape: [2, 3] }, y: { shape: [2], dtype: "i32" } } as const;
  const { code } = planned(shapes, ({ x, y }) => {
    const outputs = outputsOf(x, y);
    return wanted.map((index) => ops.negate(at(outputs, index)));
  });
  expect(instructions(code).filter((name) => name === "softmax_cross_entropy_both")).toHaveLength(1);
  const step = program({
    inputs: { x: spec([2, 3]), y: spec([2], "i32") },
    body({ x, y }) {
      const outputs = outputsOf(x, y);
      return Object.fromEntries(wanted.map((index) => [`y${index}`, ops.negate(at(outputs, index))]));
    },
  });
  const results = await step.run({ x: logits, y: labels });
  const expected = [losses, slopes as Tensor].map((value) => ops.negate(value));
  for (const index of wanted) {
    const result = results[`y${index}`];
    expect(result === undefined ? [] : [...bits(result)]).toEqual([...bits(expected[index] ?? losses)]);
  }
});

test("a rule is told once what flows to each output, and that nothing does", () => {
  const both = (x: Value): Value => {
    const [first, second] = outputsOf(x, labels);
    return ops.add(ops.multiply(2, ops.sum(first)), ops.sum(ops.multiply(second, 10)));
  };
  // 3·Σ(2, 2) + 5·10; 3·Σ(1, 1) + 0; 7 + 5·1.
  expect(list(grad(both)(logits)[0] as Tensor)).toEqual(Array(6).fill(62));
  expect(list(grad((x: Value) => ops.sum(outputsOf(x, labels)[0]))(logits)[0] as Tensor)).toEqual(Array(6).fill(6));
  expect(list(grad((x: Value) => ops.sum(outputsOf(x, labels)[1]))(logits)[0] as Tensor)).toEqual(Array(6).fill(12));
});

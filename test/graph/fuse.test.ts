import { describe, expect, test } from "vitest";
import { grad } from "../../lib/graph/grad.js";
import { gradients } from "../../lib/graph/gradient.js";
import { program, spec } from "../../lib/graph/program.js";
import { linear } from "../../lib/nn/layers/linear.js";
import { sequential } from "../../lib/nn/model/sequential.js";
import * as ops from "../../lib/ops/index.js";
import { minimizer } from "../../lib/optim/minimizer.js";
import { sgd } from "../../lib/optim/sgd.js";
import type { Shape } from "../../lib/tensor/shape.js";
import { type Tensor, tensor } from "../../lib/tensor/tensor.js";
import type { Value } from "../../lib/tensor/value.js";
import { floats, labels } from "../ops/sample.js";
import { bits, toTensor } from "../ops/ways.js";
import { instructions, planned } from "./inspect.js";

const product = { x: { shape: ["batch", 5] }, w: { shape: [7, 5] }, b: { shape: [7] } } as const;
const classes = { x: { shape: ["batch", 5] }, y: { shape: ["batch"], dtype: "i32" } } as const;

function crossEntropyGradient(x: Value, y: Value, reduce: (losses: Value) => Value): Value {
  return grad((logits) => reduce(ops.softmaxCrossEntropy(logits, y)))(x)[0] ?? x;
}

describe("activation of a product", () => {
  test.each([
    ["relu", ops.relu],
    ["tanh", ops.tanh],
  ] as const)("%s is one instruction with it", (_name, f) => {
    const { code } = planned(product, ({ x, w, b }) => [f(ops.linear(x, w, b))]);
    expect(instructions(code)).toEqual(["gemm"]);
  });

  test("sigmoid is not: its kernel is no epilogue", () => {
    const { code } = planned(product, ({ x, w, b }) => [ops.sigmoid(ops.linear(x, w, b))]);
    expect(instructions(code)).toEqual(["gemm", "unary"]);
  });

  test("not where the product itself is wanted", () => {
    const used = planned(product, ({ x, w, b }) => {
      const h = ops.linear(x, w, b);
      return [ops.multiply(ops.relu(h), h)];
    });
    expect(instructions(used.code)).toEqual(["gemm", "unary", "binary"]);
    const given = planned(product, ({ x, w, b }) => {
      const h = ops.linear(x, w, b);
      return [ops.relu(h), h];
    });
    expect(instructions(given.code).filter((name) => name !== "copy")).toEqual(["gemm", "unary"]);
  });

  test.each([
    ["relu", ops.relu],
    ["tanh", ops.tanh],
  ] as const)("%s: the bits are those of two steps", async (_name, f) => {
    const [x, w, b] = [floats([33, 17]), floats([19, 17]), floats([19])].map(toTensor) as [Tensor, Tensor, Tensor];
    const step = program({
      inputs: { x: spec(["batch", 17]), w: spec([19, 17]), b: spec([19]) },
      maxBatch: 40,
      body(inputs) {
        const fused = f(ops.linear(inputs.x, inputs.w, inputs.b));
        const h = ops.linear(inputs.x, inputs.w, inputs.b);
        return { fused, apart: f(h), h };
      },
    });
    const { fused, apart } = await step.run({ x, w, b });
    expect(bits(fused)).toEqual(bits(apart));
    expect(bits(fused)).toEqual(bits(f(ops.linear(x, w, b))));
  });
});

describe("gradient of the cross-entropy", () => {
  test.each([
    ["a sum: one gradient for all rows", (losses: Value) => ops.sum(losses)],
    ["a weighted sum: one a row", (losses: Value) => ops.sum(ops.square(losses))],
  ])("is one instruction (%s)", (_name, reduce) => {
    const { code } = planned(classes, ({ x, y }) => [crossEntropyGradient(x, y, reduce)]);
    const names = instructions(code);
    expect(names.filter((name) => name === "softmax_cross_entropy_gradient").length).toBe(1);
    expect(names).not.toContain("softmax");
    expect(names).not.toContain("one_hot");
  });

  test.each([
    ["sum", (losses: Value) => ops.sum(losses)],
    ["mean", (losses: Value) => ops.mean(losses)],
    ["squares", (losses: Value) => ops.sum(ops.square(losses))],
  ])("has the bits of its steps (%s)", async (_name, reduce) => {
    const x = toTensor(floats([33, 5]));
    const y = toTensor(labels([33], 5));
    const step = program({
      inputs: { x: spec(["batch", 5]), y: spec(["batch"], "i32") },
      maxBatch: 40,
      body: (inputs) => ({ dx: crossEntropyGradient(inputs.x, inputs.y, reduce) }),
    });
    const { dx } = await step.run({ x, y });
    const [apart] = grad((logits) => reduce(ops.softmaxCrossEntropy(logits, y)))(x);
    expect(bits(dx)).toEqual(apart === undefined ? [] : bits(apart));
  });

  test("three axes and labels of two", async () => {
    const x = toTensor(floats([4, 3, 5]));
    const y = toTensor(labels([4, 3], 5));
    const step = program({
      inputs: { x: spec(["batch", 3, 5]), y: spec(["batch", 3], "i32") },
      maxBatch: 6,
      body: (inputs) => ({ dx: crossEntropyGradient(inputs.x, inputs.y, (losses) => ops.sum(losses)) }),
    });
    const { dx } = await step.run({ x, y });
    const [apart] = grad((logits) => ops.sum(ops.softmaxCrossEntropy(logits, y)))(x);
    expect(bits(dx)).toEqual(apart === undefined ? [] : bits(apart));
  });

  /** flush((softmax(x) − onehot(y))·g), written by hand as the gradient rule emits it. */
  function byHand(x: Value, y: Value, rows: Shape): { readonly normalized: Value; readonly dx: Value } {
    const normalized = ops.softmax(x);
    const off = ops.subtract(normalized, ops.oneHot(y, 5));
    const factor = ops.broadcast(ops.sum(x), rows);
    return { normalized, dx: ops.flush(ops.multiply(off, ops.reshape(factor, [...rows, 1]))) };
  }

  test("is found by its form, but not where a part of it is used elsewhere", () => {
    const alone = planned(classes, ({ x, y }) => [byHand(x, y, ["batch"]).dx]);
    expect(instructions(alone.code)).toContain("softmax_cross_entropy_gradient");
    const shared = planned(classes, ({ x, y }) => {
      const { normalized, dx } = byHand(x, y, ["batch"]);
      return [dx, ops.sum(normalized)];
    });
    expect(instructions(shared.code)).not.toContain("softmax_cross_entropy_gradient");
    expect(instructions(shared.code)).toContain("one_hot");
  });

  test("not where the difference goes the other way or nothing is flushed", () => {
    const turned = planned(classes, ({ x, y }) => [
      ops.flush(
        ops.multiply(
          ops.subtract(ops.oneHot(y, 5), ops.softmax(x)),
          ops.reshape(ops.sum(x, { axis: "last" }), ["batch", 1]),
        ),
      ),
    ]);
    expect(instructions(turned.code)).not.toContain("softmax_cross_entropy_gradient");
    const open = planned(classes, ({ x, y }) => {
      const off = ops.subtract(ops.softmax(x), ops.oneHot(y, 5));
      return [ops.multiply(off, ops.reshape(ops.sum(x, { axis: "last" }), ["batch", 1]))];
    });
    expect(instructions(open.code)).not.toContain("softmax_cross_entropy_gradient");
  });
});

describe("cross-entropies with their gradient", () => {
  const weighted = { ...classes, w: { shape: ["batch"] } } as const;
  /** Σ wℓ/Σ w and its gradient, as training records them. */
  const objective = (x: Value, y: Value, w: Value): readonly Value[] => {
    const losses = ops.softmaxCrossEntropy(x, y);
    const mean = ops.divide(ops.sum(ops.multiply(losses, w)), ops.sum(w));
    return [mean, gradientOf(mean, x)];
  };
  const gradientOf = (mean: Value, x: Value): Value => gradients(mean, [x])[0] ?? x;

  test("are one instruction, behind what the losses are weighted with", () => {
    const { code } = planned(weighted, ({ x, y, w }) => objective(x, y, w));
    const names = instructions(code);
    expect(names.filter((name) => name.startsWith("softmax"))).toEqual(["softmax_cross_entropy_both"]);
    // Σ w is computed once, before; the sum of the losses behind.
    const at = names.indexOf("softmax_cross_entropy_both");
    expect(names.slice(0, at)).toContain("sum");
    expect(names.slice(at)).toContain("sum");
  });

  test("have the bits of two steps, with logits that are needed afterwards or not", async () => {
    const [x, w] = [floats([33, 5]), floats([33])].map(toTensor) as [Tensor, Tensor];
    const y = toTensor(labels([33], 5));
    const step = program({
      inputs: { x: spec(["batch", 5]), y: spec(["batch"], "i32"), w: spec(["batch"]) },
      maxBatch: 40,
      body(inputs) {
        const logits = ops.multiply(inputs.x, 3);
        const [mean = logits, dx = logits] = objective(logits, inputs.y, inputs.w);
        const kept = ops.multiply(inputs.x, 2);
        const [meanKept = kept, dxKept = kept] = objective(kept, inputs.y, inputs.w);
        return { mean, dx, meanKept, dxKept, predicted: ops.argmax(kept) };
      },
    });
    const outputs = await step.run({ x, y, w });
    for (const [factor, mean, dx] of [
      [3, outputs.mean, outputs.dx],
      [2, outputs.meanKept, outputs.dxKept],
    ] as const) {
      const logits = ops.multiply(x, factor);
      const value = (at: Value): Value =>
        ops.divide(ops.sum(ops.multiply(ops.softmaxCrossEntropy(at, y), w)), ops.sum(w));
      expect(bits(mean)).toEqual(bits(value(logits) as Tensor));
      expect(bits(dx)).toEqual(bits(grad(value)(logits)[0] as Tensor));
    }
  });

  test("not where the gradient depends on the losses", () => {
    const { code } = planned(classes, ({ x, y }) => {
      const squares = ops.sum(ops.square(ops.softmaxCrossEntropy(x, y)));
      return [squares, gradientOf(squares, x)];
    });
    const names = instructions(code).filter((name) => name.startsWith("softmax"));
    expect(names).toEqual(["softmax_cross_entropy", "softmax_cross_entropy_gradient"]);
  });

  test("not across an update", () => {
    const model = sequential(linear(5, 5)).initialize(1);
    const trainer = minimizer(model, sgd({ lr: 0.5 }));
    const { code } = planned(weighted, ({ x, y, w }) => {
      const losses = ops.softmaxCrossEntropy(x, y);
      trainer.minimize(ops.sum(ops.square(model.forward(x))));
      const mean = ops.divide(ops.sum(losses), ops.sum(w));
      return [mean, gradientOf(mean, x)];
    });
    expect(instructions(code)).toContain("softmax_cross_entropy");
    expect(instructions(code)).not.toContain("softmax_cross_entropy_both");
  });
});

test("nothing is fused across an update: the product keeps the weights that it was recorded with", async () => {
  const model = sequential(linear(2, 3));
  model.initialize(1);
  const trainer = minimizer(model, sgd({ lr: 0.5 }));
  const x = tensor([
    [1, 2],
    [3, -4],
  ]);
  const weights = model.weights();
  const step = program({
    inputs: { x: spec(["batch", 2]) },
    maxBatch: 2,
    body(inputs) {
      const before = model.forward(inputs.x);
      trainer.minimize(ops.sum(ops.square(model.forward(inputs.x))));
      return { before: ops.relu(before), after: ops.relu(model.forward(inputs.x)) };
    },
  });
  const { before, after } = await step.run({ x });
  const [weight, bias] = [...weights.values()] as [Tensor, Tensor];
  expect(bits(before)).toEqual(bits(ops.relu(ops.linear(x, weight, bias))));
  expect(bits(after)).not.toEqual(bits(before));
});

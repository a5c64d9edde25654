// What only reads stands in no fusion's way: a step of `fit` has the instructions of the same step without guard and metrics.
import { crossEntropy, dropout, linear, minimizer, ops, relu, sequential, sgd } from "carillon";
import { expect, test } from "vitest";
import { currentTrace } from "../../lib/graph/trace.js";
import { Collected } from "../../lib/nn/metrics/collected.js";
import type { Value } from "../../lib/tensor/value.js";
import { FiniteChecks } from "../../lib/train/finite.js";
import { instructions, planned } from "../graph/inspect.js";

/** Instructions of a training step that `watch` looks at between its forward and its backward pass. */
function stepWith(watch: (total: Value, output: Value) => void): readonly string[] {
  const model = sequential(linear(6, 20), relu(), dropout({ rate: 0.2 }), linear(20, 17), relu(), linear(17, 3));
  const trainer = minimizer(model, sgd({ lr: 1 }));
  const inputs = { x: { shape: ["batch", 6] }, y: { shape: ["batch"], dtype: "i32" } } as const;
  const { code } = planned(inputs, ({ x, y }) => {
    const output = model.forward(x);
    const total = ops.sum(crossEntropy()(output, y));
    watch(total, output);
    trainer.minimize(total);
    return [total];
  });
  return instructions(code);
}

const watched = ["expect_finite", "collect"];
const others = (names: readonly string[]): readonly string[] => names.filter((name) => !watched.includes(name));

test("guard and metrics leave products, gates and cross-entropies as one instruction each", () => {
  const alone = stepWith(() => undefined);
  expect(alone).toContain("softmax_cross_entropy_both");
  expect(alone.filter((name) => name === "gemm_fused").length).toBe(3); // a mask, two gates
  const both = stepWith((total, output) => {
    const trace = currentTrace("test");
    trace.add(new Collected(output, 8, 4));
    new FiniteChecks(trace).loss(total);
  });
  expect(both.filter((name) => watched.includes(name))).toEqual(["collect", "expect_finite"]);
  expect(others(both)).toEqual(alone);
});

// What smaller weights cost on handwritten digits.
import { expect, test } from "vitest";
import { loadDigits, scaled } from "../../examples/digits/digits.js";
import { trainDigits } from "../../examples/digits/train.js";

/** Points of accuracy, of 100. */
const MOST_POINTS = 0.2;

test("bf16 and int8 keep the accuracy on digits", async () => {
  const { train, test: held } = await loadDigits();
  const { model } = await trainDigits(train, held, 0, undefined, 8);
  const { x, y } = scaled(held);
  const accuracyOf = (weights: "f32" | "bf16" | "int8"): number => {
    const labels: readonly (string | number)[] = model.predictor({ as: "labels", maxBatch: y.length, weights }).run(x);
    return (100 * labels.filter((label, row) => label === y[row]).length) / y.length;
  };
  const exact = accuracyOf("f32");
  expect(exact).toBeGreaterThan(95);
  for (const weights of ["bf16", "int8"] as const) {
    expect(Math.abs(accuracyOf(weights) - exact)).toBeLessThanOrEqual(MOST_POINTS);
    expect((await model.predictor({ weights }).error(x)).labelAgreement).toBeGreaterThanOrEqual(0.995);
  }
});

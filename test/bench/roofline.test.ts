import { expect, test } from "vitest";
import { parametersOf, rooflineMicroseconds, stepFlops } from "../../bench/roofline.js";

// 784-256-10: 784·256 + 256 and 256·10 + 10 parameters.
test("parameters are weights and biases", () => {
  expect(parametersOf([784, 256, 10])).toBe(200_960 + 2570);
  expect(parametersOf([5])).toBe(0);
});

test("the first layer has no input gradient", () => {
  expect(stepFlops([3, 2], 7)).toBe(2 * (2 * 7 * 3 * 2));
  expect(stepFlops([3, 2, 5], 7)).toBe(2 * (2 * 7 * 3 * 2) + 3 * (2 * 7 * 2 * 5));
});

test("flops at the peak, and 28 bytes a parameter at the bandwidth", () => {
  const sizes = [784, 256, 10];
  const flops = 4 * 32 * 784 * 256 + 6 * 32 * 256 * 10;
  // 1 GFLOP/s does 1,000 operations in a microsecond, 1 GB/s moves 1,000 bytes.
  const limit = rooflineMicroseconds({ sizes, batch: 32, fmaPeak: 200, bandwidth: 50 });
  expect(limit).toBeCloseTo(flops / 200_000 + (28 * 203_530) / 50_000, 9);
});

test("either limit alone", () => {
  const step = { sizes: [100, 10], batch: 4 };
  expect(rooflineMicroseconds({ ...step, fmaPeak: 1, bandwidth: Number.POSITIVE_INFINITY })).toBe(16);
  expect(rooflineMicroseconds({ ...step, fmaPeak: Number.POSITIVE_INFINITY, bandwidth: 1 })).toBeCloseTo(28.28, 12);
});

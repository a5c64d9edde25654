import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import * as ops from "../../lib/ops/index.js";
import { tensor } from "../../lib/tensor/tensor.js";
import { Value } from "../../lib/tensor/value.js";

const counting = (...shape: number[]) => {
  const count = shape.reduce((product, size) => product * size, 1);
  return tensor(
    Float32Array.from({ length: count }, (_, index) => index),
    shape,
  );
};

describe("a tensor shows", () => {
  test.each([
    [tensor(3.5), "Tensor f32 []: 3.5"],
    [tensor(Int32Array.of(1, -2)), "Tensor i32 [2]: [1, -2]"],
    [tensor(Uint8Array.of(7), [1, 1]), "Tensor u8 [1, 1]: [[7]]"],
    [
      tensor([
        [1, -20],
        [0.1, 1e-9],
      ]),
      "Tensor f32 [2, 2]:\n  [[   1,  -20],\n   [ 0.1, 1e-9]]",
    ],
    [tensor([1 / 3, 123456.789, -0]), "Tensor f32 [3]: [0.333333, 123457, -0]"],
    [tensor([16777216, Number.NaN, Number.NEGATIVE_INFINITY]), "Tensor f32 [3]: [16777216, NaN, -Infinity]"],
  ])("dtype, shape and numbers: %#", (x, text) => {
    expect(inspect(x)).toBe(text);
  });

  test("of many elements the first and the last three of each axis", () => {
    expect(inspect(counting(1000))).toBe("Tensor f32 [1000]: [0, 1, 2, …, 997, 998, 999]");
    expect(inspect(counting(200, 2))).toBe(
      [
        "Tensor f32 [200, 2]:",
        "  [[  0,   1],",
        "   [  2,   3],",
        "   [  4,   5],",
        "   …,",
        "   [394, 395],",
        "   [396, 397],",
        "   [398, 399]]",
      ].join("\n"),
    );
    expect(inspect(counting(20, 20)).split("\n")[1]).toBe("  [[  0,   1,   2, …,  17,  18,  19],");
  });

  test("no more than a screen, at any rank", () => {
    for (const shape of [
      [64, 64],
      [20, 20, 20],
      [9, 9, 9, 9],
    ]) {
      expect(inspect(counting(...shape)).split("\n").length).toBeLessThan(50);
    }
    expect(inspect(counting(200), { maxArrayLength: null })).toContain("198, 199]");
    expect(inspect(counting(8), { maxArrayLength: 4 })).toBe("Tensor f32 [8]: [0, 1, …, 6, 7]");
  });

  test("long rows in lines of the width that is asked for", () => {
    const text = inspect(counting(60), { breakLength: 40 });
    for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(40);
    expect(text.split("\n").length).toBeGreaterThan(3);
    expect(inspect(counting(60), { breakLength: Number.POSITIVE_INFINITY }).split("\n")).toHaveLength(1);
  });

  test("inside of other objects in their indentation, below the depth by its shape", () => {
    expect(inspect({ w: counting(2, 2) })).toBe("{\n  w: Tensor f32 [2, 2]:\n    [[0, 1],\n     [2, 3]]\n}");
    expect(inspect({ a: { b: { c: { w: counting(2, 2) } } } })).toContain("[Object]");
    expect(inspect({ a: { w: counting(2, 2) } }, { depth: 0 })).toBe("{ a: [Object] }");
    expect(inspect([counting(2, 2)], { depth: 0 })).toBe("[ [Tensor f32 [2, 2]] ]");
  });

  test("that its memory is gone", () => {
    const data = Float32Array.of(1, 2);
    const x = tensor(data);
    structuredClone(data, { transfer: [data.buffer] });
    expect(inspect(x)).toBe("Tensor f32 [2]: detached");
  });
});

test("a symbol shows what it stands for", () => {
  const x = new Value(["batch", 2], "f32", { kind: "input", name: "x" });
  expect(inspect(x)).toBe("Value f32 [batch, 2]: the input 'x', known when the program runs");
  expect(inspect(ops.relu(x))).toBe("Value f32 [batch, 2]: what 'relu' gives, known when the program runs");
});

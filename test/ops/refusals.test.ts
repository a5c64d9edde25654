// What callers write by mistake is refused by the name of the function that they called; what shapes and dtypes results have.
import { describe, expect, test } from "vitest";
import { program, spec } from "../../lib/graph/program.js";
import * as ops from "../../lib/ops/index.js";
import { Tensor, tensor } from "../../lib/tensor/tensor.js";
import type { Value } from "../../lib/tensor/value.js";

const a = tensor([
  [1, 2, 3],
  [4, 5, 6],
]);
const u8 = tensor(new Uint8Array(6), [2, 3]);

const many = (index: number, odd: Value): readonly Value[] =>
  Array.from({ length: 20 }, (_, each) => (each === index ? odd : a));

test.each<[string, string, (...given: never[]) => unknown, readonly unknown[]]>([
  ["ERR_OPTION", "transpose.order", ops.transpose, [a, 1]],
  ["ERR_OPTION", "transpose.order", ops.transpose, [a, "10"]],
  ["ERR_OPTION", "transpose.order", ops.transpose, [a, { order: [1, 0] }]],
  ["ERR_OPTION", "transpose.order", ops.transpose, [a, null]],
  ["ERR_OPTION", "transpose.order", ops.transpose, [a, Int32Array.of(1, 0)]],
  ["ERR_OPTION", "transpose", ops.transpose, [3]],
  ["ERR_OPTION", "flatten", ops.flatten, [3]],
  ["ERR_OPTION", "flatten", ops.flatten, [undefined]],
  ["ERR_OPTION", "flatten.keep", ops.flatten, [a, { keep: null }]],
  ["ERR_OPTION", "reshape", ops.reshape, [5, [1]]],
  ["ERR_OPTION", "reshape", ops.reshape, [undefined, [1]]],
  ["ERR_OPTION", "broadcast", ops.broadcast, [3, [2]]],
  ["ERR_OPTION", "concat.axis", ops.concat, [[a], { axis: null }]],
  ["ERR_OPTION", "stack.axis", ops.stack, [[a], { axis: null }]],
  ["ERR_OPTION", "slice.begin", ops.slice, [a, null]],
  ["ERR_OPTION", "slice.end", ops.slice, [a, 0, null]],
  ["ERR_OPTION", "slice.axis", ops.slice, [a, 0, 1, { axis: null }]],
  ["ERR_OPTION", "pad.axis", ops.pad, [a, 0, 1, { axis: null }]],
  ["ERR_OPTION", "slice", ops.slice, [3, 0]],
  ["ERR_OPTION", "pad", ops.pad, [3, 0, 1]],
  ["ERR_OPTION", "sum.keepDims", ops.sum, [a, { keepDims: null }]],
  ["ERR_OPTION", "max.keepDims", ops.max, [a, { keepDims: null }]],
  ["ERR_OPTION", "min.axis", ops.min, [a, { axis: null }]],
  ["ERR_OPTION", "gelu.approximate", ops.gelu, [a, { approximate: null }]],
  ["ERR_OPTION", "dropout.scaling", ops.dropout, [a, { rate: 0.5, site: 0, seed: 1, step: 1, scaling: null }]],
  ["ERR_OPTION", "leakyRelu", ops.leakyRelu, [a, null]],
  ["ERR_OPTION", "elu", ops.elu, [a, null]],
  ["ERR_OPTION", "take.indices", ops.take, [a, 0]],
  ["ERR_OPTION", "take", ops.take, [2, tensor(Int32Array.of(0))]],
  ["ERR_DATA", "indices", ops.take, [a, tensor(Int32Array.of(9), [])]],
  ["ERR_LABEL", "labels", ops.oneHot, [tensor(Int32Array.of(9), []), 3]],
  ["ERR_DTYPE", "stack", ops.stack, [[u8, u8]]],
  ["ERR_DTYPE", "stack[1]", ops.stack, [[a, tensor(new Int32Array(6), [2, 3])]]],
  ["ERR_SHAPE", "stack[1]", ops.stack, [[a, tensor([1])]]],
  ["ERR_DTYPE", "concat[13]", ops.concat, [many(13, tensor(new Int32Array(6), [2, 3]))]],
  ["ERR_SHAPE", "concat[13]", ops.concat, [many(13, tensor([1]))]],
  ["ERR_DTYPE", "broadcast", ops.broadcast, [u8, [2, 3]]],
])("%s at %s", (code, where, operation, given) => {
  expect(() => Reflect.apply(operation, null, given)).toThrow(
    expect.objectContaining({ name: "CarillonError", code, where, message: expect.stringContaining(where) }),
  );
});

test.each<[readonly number[], readonly number[], readonly number[]]>([
  [
    [1, 1, 3],
    [2, 3],
    [1, 2, 3],
  ],
  [[1, 1, 1], [3], [1, 1, 3]],
  [[1, 1], [3], [1, 3]],
  [[1, 3], [3], [1, 3]],
  [[1, 1], [], [1, 1]],
  [[1], [], [1]],
  [
    [1, 2, 1],
    [2, 3],
    [1, 2, 3],
  ],
  [
    [1, 1, 1],
    [2, 3],
    [1, 2, 3],
  ],
])("%j beside %j is %j, as in NumPy", (left, right, expected) => {
  const counted = (shape: readonly number[]) =>
    tensor(
      Float32Array.from({ length: shape.reduce((x, y) => x * y, 1) }, (_, i) => i + 1),
      shape,
    );
  const [x, y] = [counted(left), counted(right)];
  const least = ops.add(ops.multiply(x, 0), ops.multiply(y, 0));
  for (const [first, second] of [[x, y] as const, [y, x] as const]) {
    expect(ops.add(first, second).shape).toEqual(expected);
    expect(ops.where(first, first, second).shape).toEqual(expected);
    expect(ops.where(1, first, second).data).toEqual(ops.add(first, least).data);
  }
});

describe("in a program", () => {
  const rows = { x: tensor(Int32Array.of(1, 2, 3, 4, 5, 6), [2, 3]) };

  test("integers that nothing computes are given out", async () => {
    const step = program({
      inputs: { x: spec(["batch", 3], "i32") },
      maxBatch: 4,
      body: ({ x }) => ({
        x,
        flat: ops.reshape(x, ["batch", 3, 1]),
        one: tensor(Int32Array.of(7), []),
        three: tensor(Int32Array.of(7, 8, 9)),
      }),
    });
    const given = await step.run(rows);
    expect(given.x).toEqual(rows.x);
    expect(given.flat).toEqual(new Tensor(rows.x.data, [2, 3, 1], "i32"));
    expect(given.one).toEqual(tensor(Int32Array.of(7), []));
    expect(given.three).toEqual(tensor(Int32Array.of(7, 8, 9)));
  });

  test("bytes are refused by the name of the output", () => {
    const made = () => program({ inputs: {}, body: () => ({ y: u8 }) });
    expect(made).toThrow("expected dtype f32 or i32 for 'program.body.y' but received u8");
  });

  test.each<[readonly (number | "batch")[], string]>([
    [[-1, 3], "expected 'batch' as the first size, as in [batch, 3], for 'reshape' but received [-1, 3]"],
    [[-1, "batch"], "expected 'batch' as the first size, as in [batch, 3], for 'reshape' but received [-1, batch]"],
    [["batch", 4], "expected as many elements as [batch, 3] for 'reshape' but received [batch, 4]"],
  ])("reshape to %j says what has to stand there", (shape, message) => {
    const made = () =>
      program({ inputs: { x: spec(["batch", 3]) }, maxBatch: 4, body: ({ x }) => ({ y: ops.reshape(x, shape) }) });
    expect(made).toThrow(expect.objectContaining({ code: "ERR_SHAPE", where: "reshape", message }));
  });

  test("reshape of what has no batch gives it none", () => {
    expect(() => ops.reshape(a, ["batch", -1])).toThrow(
      "expected no batch, as there is none in [2, 3], for 'reshape' but received [batch, -1]",
    );
  });
});

// Operations on axes: beside PyTorch, at the batch, and where data or options make them impossible.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { grad, valueAndGrad } from "../../lib/graph/grad.js";
import { program, spec } from "../../lib/graph/program.js";
import * as ops from "../../lib/ops/index.js";
import { Tensor, tensor } from "../../lib/tensor/tensor.js";
import type { Value } from "../../lib/tensor/value.js";

interface Given {
  readonly shape: readonly number[];
  readonly dtype: "f32" | "i32";
  readonly data: readonly number[];
  readonly gradient: readonly number[] | null;
}

interface Case {
  readonly inputs: readonly Given[];
  readonly factors: readonly number[];
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

const { cases } = JSON.parse(readFileSync(new URL("fixtures/axes.json", import.meta.url), "utf8")) as {
  readonly cases: Readonly<Record<string, Case>>;
};

type Operation = (first: Value, second: Value, third: Value) => Value;

/** What each case of make_axes_fixture.py does, in ours. */
const OPERATIONS: Readonly<Record<string, Operation>> = {
  "add [2,1,3]+[4,1]": ops.add,
  "multiply [3,1]*[1,4]": ops.multiply,
  "maximum [2,3,1] [3,4]": ops.maximum,
  "sum axis 1": (x) => ops.sum(x, { axis: 1 }),
  "sum axes 0 2 kept": (x) => ops.sum(x, { axis: [0, 2], keepDims: true }),
  "mean axes -2 -1": (x) => ops.mean(x, { axis: [-2, -1] }),
  "max axis 1": (x) => ops.max(x, { axis: 1 }),
  "min axis -1 kept": (x) => ops.min(x, { axis: -1, keepDims: true }),
  "concat 3 along 1": (a, b, c) => ops.concat([a, b, c], { axis: 1 }),
  "stack along 1": (a, b) => ops.stack([a, b], { axis: 1 }),
  slice: (x) => ops.slice(x, [1, 2], [-2, 5], { axis: [1, 2] }),
  pad: (x) => ops.pad(x, 2, 1),
  "transpose 0 2 1": (x) => ops.transpose(x),
  "transpose 2 0 1": (x) => ops.transpose(x, [2, 0, 1]),
  flatten: (x) => ops.flatten(x),
  take: (table, indices) => ops.take(table, indices),
  "matmul batched": (a, b) => ops.matmul(a, b),
  "matmul one right": (a, b) => ops.matmul(a, b),
  "matmul spread": (a, b) => ops.matmul(a, b),
  "linear leading": (x, weight, bias) => ops.linear(x, weight, bias),
  where: (a, b) => ops.where(ops.greater(a, 0.1), a, b),
};

const toTensor = ({ shape, dtype, data }: Given): Tensor =>
  dtype === "i32" ? tensor(Int32Array.from(data), shape) : tensor(Float32Array.from(data), shape);

/** Sums of a few multiples of 2⁻¹⁸ are exact in float32; a mean and what flows through it are rounded once or twice. */
function expectNear(actual: ArrayLike<number>, expected: readonly number[], roundings: number): void {
  expect(actual.length).toBe(expected.length);
  for (const [index, value] of expected.entries()) {
    const off = Math.abs((actual[index] ?? Number.NaN) - value);
    expect(off, `element ${index}: ${actual[index]} for ${value}`).toBeLessThanOrEqual(
      roundings * 2 ** -24 * Math.abs(value),
    );
  }
}

describe("as PyTorch", () => {
  test("every case has an operation", () => {
    expect(Object.keys(cases)).toEqual(Object.keys(OPERATIONS));
  });

  test.each(Object.entries(cases))("%s", (name, { inputs, factors, shape, data }) => {
    const operation = OPERATIONS[name] ?? ops.add;
    const tensors = inputs.map(toTensor);
    const floats = tensors.filter((_, index) => inputs[index]?.dtype === "f32");
    const all = (values: readonly Value[]): [Value, Value, Value] => {
      let next = 0;
      const given = tensors.map((each, index) => (inputs[index]?.dtype === "f32" ? (values[next++] ?? each) : each));
      const [first = tensor(0), second = tensor(0), third = tensor(0)] = given;
      return [first, second, third];
    };
    const result = operation(...all(floats));
    expect(result.shape).toEqual(shape);
    const roundings = name.startsWith("mean") ? 3 : 0;
    expectNear(result instanceof Tensor ? result.data : [], data, roundings);
    const c = tensor(Float32Array.from(factors), shape);
    const gradients = grad((...values) => ops.sum(ops.multiply(operation(...all(values)), c)))(...floats);
    const expected = inputs.flatMap(({ gradient }) => (gradient === null ? [] : [gradient]));
    for (const [index, wanted] of expected.entries()) {
      const found = gradients[index];
      expectNear(found instanceof Tensor ? found.data : [], wanted, roundings);
    }
  });
});

describe("bits", () => {
  const x = tensor(
    Float32Array.from({ length: 3 * 300 * 5 }, (_, i) => Math.sin(i) * 3),
    [3, 300, 5],
  );
  const bits = (value: Value): Uint32Array => {
    if (!(value instanceof Tensor)) throw new Error("a tensor is wanted");
    return new Uint32Array(Float32Array.from(value.data).buffer);
  };

  test("axes by number are those by name", () => {
    const rows = ops.reshape(x, [900, 5]);
    expect(bits(ops.sum(rows, { axis: 0 }))).toEqual(bits(ops.sum(rows, { axis: "first" })));
    expect(bits(ops.sum(x, { axis: [0, 1] }))).toEqual(bits(ops.sum(x, { axis: "first" })));
    expect(bits(ops.sum(x, { axis: -1 }))).toEqual(bits(ops.sum(x, { axis: "last" })));
    expect(bits(ops.sum(x, { axis: [0, 1, 2] }))).toEqual(bits(ops.sum(x)));
  });

  test("a sum over a middle axis is that of each matrix alone", () => {
    const sums = ops.sum(x, { axis: 1 });
    for (const first of [0, 1, 2]) {
      const alone = ops.sum(ops.reshape(ops.slice(x, first, first + 1, { axis: 0 }), [300, 5]), { axis: "first" });
      expect(bits(ops.reshape(ops.slice(sums, first, first + 1, { axis: 0 }), [5]))).toEqual(bits(alone));
    }
  });

  test("each product of a batch is the single one, and the gradient of one right side is that of all rows together", () => {
    const a = ops.reshape(ops.slice(x, 0, 120, { axis: 1 }), [3, 20, 30]);
    const b = ops.reshape(ops.slice(x, 120, 240, { axis: 1 }), [3, 30, 20]);
    const products = ops.matmul(a, b);
    for (const index of [0, 1, 2]) {
      const one = (value: Value) => ops.reshape(ops.slice(value, index, index + 1, { axis: 0 }), value.shape.slice(1));
      expect(bits(one(products))).toEqual(bits(ops.matmul(one(a), one(b))));
    }
    const right = ops.reshape(ops.slice(b, 0, 1, { axis: 0 }), [30, 20]);
    const slope = (left: Value) => grad((w) => ops.sum(ops.square(ops.matmul(left, w))))(right)[0];
    expect(bits(slope(a))).toEqual(bits(slope(ops.reshape(a, [60, 30]))));
  });

  test("what is chosen is chosen: NaN and infinities of the other branch reach neither value nor gradient", () => {
    const odd = tensor([Number.NaN, Number.POSITIVE_INFINITY, 3, Number.NEGATIVE_INFINITY]);
    const plain = tensor([1, 2, -0, 4]);
    const condition = tensor([0, 0, 1, 0]);
    const [value, [byOdd, byPlain]] = valueAndGrad((a, b) => ops.sum(ops.where(condition, a, b)))(odd, plain);
    expect(value.item()).toBe(10);
    expect(byOdd.data).toEqual(Float32Array.of(0, 0, 1, 0));
    expect(byPlain.data).toEqual(Float32Array.of(1, 1, 0, 1));
    const flowing = grad((a, b) => ops.sum(ops.multiply(ops.where(condition, a, b), odd)))(plain, plain);
    expect(flowing[0].data).toEqual(Float32Array.of(0, 0, 3, 0));
    expect(ops.where(tensor([Number.NaN, -0]), 1, 2)).toEqual(tensor([1, 2]));
  });

  test("comparisons with NaN, and of zeros", () => {
    const [a, b] = [tensor([Number.NaN, 1, -0]), tensor([Number.NaN, 2, 0])];
    expect(ops.equal(a, b)).toEqual(tensor([0, 0, 1]));
    expect(ops.notEqual(a, b)).toEqual(tensor([1, 1, 0]));
    expect(ops.less(a, b)).toEqual(tensor([0, 1, 0]));
    expect(ops.lessEqual(a, b)).toEqual(tensor([0, 1, 1]));
    expect(ops.greaterEqual(a, b)).toEqual(tensor([0, 0, 1]));
    expect(ops.max(a)).toEqual(tensor(Number.NaN));
    expect(ops.min(tensor([[3, 1, 2]]), { axis: "last" })).toEqual(tensor([1]));
  });

  test("duplicates add up in the order of their places, one chain", () => {
    const [big, small] = [2 ** 24, 1];
    const slope = (factors: readonly number[]) =>
      grad((table) => ops.sum(ops.multiply(ops.take(table, tensor(Int32Array.of(0, 0, 0))), tensor(factors))))(
        tensor([5, 6]),
      )[0].data;
    expect(slope([big, small, small])).toEqual(Float32Array.of(big, 0));
    expect(slope([small, small, big])).toEqual(Float32Array.of(big + 2, 0));
  });
});

describe("in a batch", () => {
  test("axes behind the batch, and sums over it by the rows that there are", async () => {
    const step = program({
      inputs: { x: spec(["batch", 2, 3]) },
      maxBatch: 5,
      body: ({ x }) => ({
        wide: ops.concat([ops.flatten(x), ops.reshape(ops.slice(x, 0, 1, { axis: 1 }), ["batch", -1])]),
        turned: ops.transpose(x),
        centred: ops.subtract(x, ops.mean(x, { axis: [0, 2], keepDims: true })),
        picked: ops.take(ops.reshape(x, ["batch", 6]), tensor(Int32Array.of(1))),
      }),
    });
    const { wide, turned, centred, picked } = await step.run({
      x: tensor(
        Float32Array.from({ length: 12 }, (_, i) => i),
        [2, 2, 3],
      ),
    });
    expect(wide).toEqual(
      tensor([
        [0, 1, 2, 3, 4, 5, 0, 1, 2],
        [6, 7, 8, 9, 10, 11, 6, 7, 8],
      ]),
    );
    expect(turned.shape).toEqual([2, 3, 2]);
    expect(centred.data).toEqual(Float32Array.of(-4, -3, -2, -4, -3, -2, 2, 3, 4, 2, 3, 4));
    expect(picked).toEqual(tensor([[6, 7, 8, 9, 10, 11]]));
  });

  test.each<[string, (x: Value) => Value, string]>([
    ["slice", (x) => ops.slice(x, 0, 1, { axis: 0 }), "nothing is cut along it"],
    ["concat", (x) => ops.concat([x, x], { axis: 0 }), "nothing is joined along it"],
    ["pad", (x) => ops.pad(x, 1, 1, { axis: 0 }), "nothing is added along it"],
    ["max", (x) => ops.max(x), "nothing is compared along it"],
    ["transpose.order", (x) => ops.transpose(x), "expected the batch of [batch, 3] as the first axis"],
    ["stack[0]", (x) => ops.stack([x, x], { axis: 0 }), "where the batch stands"],
    [
      "add",
      (x) =>
        ops.add(
          x,
          tensor([
            [1, 2, 3],
            [4, 5, 6],
          ]),
        ),
      "received [batch, 3] and [2, 3]",
    ],
    ["matmul", (x) => ops.matmul(tensor(new Float32Array(24), [2, 4, 3]), x), "[batch, 3]"],
  ])("%s says what cannot be done along it", (where, body, sentence) => {
    const made = () => program({ inputs: { x: spec(["batch", 3]) }, maxBatch: 4, body: ({ x }) => ({ y: body(x) }) });
    expect(made).toThrow(expect.objectContaining({ name: "CarillonError", code: "ERR_SHAPE", where }));
    expect(made).toThrow(sentence);
  });
});

describe("a number that is no row", () => {
  const table = tensor(new Float32Array(8), [4, 2]);

  test("is told by row and column, on tensors", () => {
    expect(() => ops.take(table, tensor(Int32Array.of(0, 1, 3, 4, 0, 0), [2, 3]))).toThrow(
      expect.objectContaining({
        code: "ERR_DATA",
        where: "indices[1, 0]",
        message: "expected an integer in [0, 4) for 'indices[1, 0]' but received 4",
      }),
    );
    expect(() => ops.take(table, tensor(Int32Array.of(0, -1)))).toThrow(
      expect.objectContaining({ code: "ERR_DATA", where: "indices[1]" }),
    );
  });

  test("ends a program's step, by row and column", async () => {
    const step = program({
      inputs: { rows: spec(["batch", 3], "i32") },
      maxBatch: 4,
      body: ({ rows }) => ({ y: ops.take(table, rows) }),
    });
    await expect(step.run({ rows: tensor(Int32Array.of(0, 1, 2, 3, 0, -7), [2, 3]) })).rejects.toThrow(
      expect.objectContaining({ code: "ERR_DATA", where: "index of row 1, column 2" }),
    );
    const { y } = await step.run({ rows: tensor(Int32Array.of(0, 1, 2), [1, 3]) });
    expect(y.shape).toEqual([1, 3, 2]);
  });
});

test.each<[string, string, () => unknown]>([
  ["ERR_SHAPE", "concat.axis", () => ops.concat([tensor([1])], { axis: 1 })],
  ["ERR_OPTION", "concat", () => ops.concat([])],
  ["ERR_OPTION", "slice.begin", () => ops.slice(tensor([1, 2]), 3)],
  ["ERR_SHAPE", "slice.end", () => ops.slice(tensor([1, 2]), 1, 1)],
  ["ERR_OPTION", "slice.end", () => ops.slice(tensor([[1, 2]]), [0, 0], 1, { axis: [0, 1] })],
  ["ERR_OPTION", "pad.before", () => ops.pad(tensor([1]), -1, 0)],
  ["ERR_SHAPE", "transpose.order", () => ops.transpose(tensor([[1]]), [0, 0])],
  ["ERR_OPTION", "transpose.order", () => ops.transpose(tensor([[1]]), [0])],
  ["ERR_SHAPE", "sum.axis", () => ops.sum(tensor([[1]]), { axis: [1, -1] })],
  ["ERR_SHAPE", "sum.axis", () => ops.sum(tensor([[1]]), { axis: 2 })],
  ["ERR_OPTION", "flatten.keep", () => ops.flatten(tensor([1]), { keep: 2 })],
  ["ERR_SHAPE", "reshape", () => ops.reshape(tensor([1, 2, 3]), [-1, 2])],
  ["ERR_DTYPE", "where", () => ops.where(tensor(Int32Array.of(1)), 1, 2)],
  ["ERR_DTYPE", "concat", () => ops.concat([tensor(Uint8Array.of(1)), tensor(Uint8Array.of(2))])],
  ["ERR_OPTION", "max.axis", () => Reflect.apply(ops.max, null, [tensor([1]), { axis: "first" }])],
])("%s at %s", (code, where, call) => {
  expect(call).toThrow(expect.objectContaining({ name: "CarillonError", code, where }));
});

test("an instruction joins seven parts, and more are joined in levels", () => {
  const parts = Array.from({ length: 120 }, (_, index) => tensor([[index], [-index]]));
  const { shape, data } = ops.concat(parts);
  expect(shape).toEqual([2, 120]);
  expect(Array.from(data.subarray(0, 120))).toEqual(parts.map((_, index) => index));
});

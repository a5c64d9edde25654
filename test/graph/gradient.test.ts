import { describe, expect, test } from "vitest";
import { grad, valueAndGrad } from "../../lib/graph/grad.js";
import { gradients } from "../../lib/graph/gradient.js";
import { program, spec } from "../../lib/graph/program.js";
import * as ops from "../../lib/ops/index.js";
import { type Tensor, tensor } from "../../lib/tensor/tensor.js";
import { Value } from "../../lib/tensor/value.js";
import { instructions, planned } from "./inspect.js";

const list = (x: Tensor | undefined): number[] => Array.from(x?.data ?? []);
const input = (shape: readonly number[]): Value => new Value(shape, "f32", { kind: "input", name: "x" });

/** Names of the operations behind `value`, in the order of a walk from it. */
function names(value: Value | undefined): string[] {
  if (value?.source.kind !== "operation") return [];
  const { operation: name, inputs } = value.source.applied;
  return [name, ...inputs.flatMap(names)];
}

describe("accumulation", () => {
  test("a diamond: both ways are added", () => {
    const f = (x: Value): Value => ops.sum(ops.multiply(ops.square(x), ops.negate(x)));
    const [dx] = grad(f)(tensor([1, 2, -3]));
    expect(list(dx)).toEqual([-3, -12, -27]);
  });

  test("a value used three times by one operation and twice by others", () => {
    const f = (x: Value): Value => ops.sum(ops.add(ops.multiply(x, x), ops.add(x, ops.multiply(x, x))));
    const [dx] = grad(f)(tensor([1, 2, -3]));
    expect(list(dx)).toEqual([5, 9, -11]);
  });

  test("a chain of a hundred diamonds is walked once, not 2¹⁰⁰ times", () => {
    const f = (x: Value): Value => {
      let y = x;
      for (let i = 0; i < 100; i++) y = ops.multiply(ops.add(y, y), 0.5);
      return ops.sum(y);
    };
    const [dx] = grad(f)(tensor([3, 4]));
    expect(list(dx)).toEqual([1, 1]);
  });

  test("uses are added last first: the sum has the bits of that order", () => {
    // Parts 2²⁴, 1, 1 of one gradient: (1 + 1) + 2²⁴ keeps both ones, 2²⁴ + 1 + 1 rounds each of them away.
    const f = (x: Value): Value => {
      const big = ops.multiply(x, 2 ** 24);
      const one = ops.multiply(x, 1);
      return ops.add(big, ops.add(one, ops.multiply(x, 1)));
    };
    const [dx] = grad(f)(tensor(1));
    expect(dx?.item()).toBe(2 ** 24 + 2);
  });

  test("an intermediate value may be asked for", () => {
    const x = input([3]);
    const y = ops.square(x);
    const z = ops.sum(ops.multiply(y, 5));
    const [dy, dx] = gradients(z, [y, x]);
    expect(dy?.shape).toEqual([3]);
    expect(names(dx)).toContain("multiply");
  });

  test("the loss itself has the gradient 1", () => {
    const x = input([]);
    const [dx] = gradients(x, [x]);
    expect(dx).toBeInstanceOf(Value);
    expect(list(grad((value) => value)(tensor(7))[0])).toEqual([1]);
  });

  test("only what leads from the inputs to the loss is differentiated", () => {
    const x = input([3]);
    const y = input([3]);
    const aside = ops.exp(ops.multiply(y, 2));
    const [dx] = gradients(ops.sum(ops.multiply(x, aside)), [x]);
    const walked = names(dx).filter((name) => name === "exp");
    expect(walked).toEqual(["exp"]); // as a factor; no gradient of it
    expect(gradients(ops.sum(x), [y])).toEqual([undefined]);
  });
});

describe("slices of one value", () => {
  // Along the last axis and along one in the middle, in any order.
  const cuts = [
    [3, 5],
    [0, 2],
    [2, 3],
  ] as const;
  const sizes = [3, 5, 2] as const;
  /** Flows with a −0 in each slice, which the zeros of the other slices make +0. */
  const flow = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => (i % 3 ? i - 4.5 : -0));

  test.each([1, 2])(
    "send back one value, of three and more without padding, with the bits of the sum: axis %i",
    (axis) => {
      const size = sizes[axis] ?? 0;
      const used =
        axis === 1
          ? cuts
          : ([
              [1, 2],
              [0, 1],
            ] as const);
      const shapeOf = (from: number, to: number): number[] => sizes.map((each, at) => (at === axis ? to - from : each));
      const flows = used.map(([from, to]) => {
        const shape = shapeOf(from, to);
        return tensor(flow(shape.reduce((product, each) => product * each, 1)), shape);
      });
      const padded = used.map(([from, to], index) => ops.pad(flows[index] as Tensor, from, size - to, { axis }));
      const [last, ...others] = padded.toReversed();
      const expected = others.reduce((sum, each) => ops.add(sum, each), last as Tensor);
      const body = (x: Value): Value =>
        used
          .map(([from, to], index) => ops.sum(ops.multiply(ops.slice(x, from, to, { axis }), flows[index] as Tensor)))
          .reduce((sum, each) => ops.add(sum, each));
      const [eager] = grad(body)(tensor(flow(30), [...sizes]));
      expect(Array.from((eager as Tensor).data, (value) => (Object.is(value, -0) ? "-0" : value))).toEqual(
        Array.from(expected.data, (value) => (Object.is(value, -0) ? "-0" : value)),
      );
      const squares = (x: Value): Value =>
        used
          .map(([from, to]) => ops.sum(ops.square(ops.slice(x, from, to, { axis }))))
          .reduce((sum, each) => ops.add(sum, each));
      const { code } = planned({ x: { shape: sizes } }, ({ x }) =>
        gradients(squares(x), [x]).filter((each) => each !== undefined),
      );
      expect(instructions(code).includes("pad")).toBe(used.length < 3);
    },
  );

  test("that leave a part out, or overlap, are added up", () => {
    for (const used of [
      [
        [0, 1],
        [2, 3],
        [3, 5],
      ],
      [
        [0, 3],
        [2, 5],
        [0, 5],
      ],
    ] as const) {
      const x = tensor(Float32Array.of(1, 2, 3, 4, 5), [1, 5]);
      const [gradient] = grad((value) =>
        used.map(([from, to]) => ops.sum(ops.slice(value, from, to))).reduce((sum, each) => ops.add(sum, each)),
      )(x);
      const wanted = [0, 1, 2, 3, 4].map((i) => used.filter(([from, to]) => i >= from && i < to).length);
      expect(Array.from((gradient as Tensor).data)).toEqual(wanted);
    }
  });
});

describe("where nothing flows the gradient is 0", () => {
  test("unused inputs, on tensors", () => {
    const [value, [dx, dy]] = valueAndGrad((x, _y) => ops.sum(x))(tensor([1, 2]), tensor([[3], [4]]));
    expect(value).toMatchObject({ shape: [] });
    expect([list(dx), dx?.shape]).toEqual([[1, 1], [2]]);
    expect([list(dy), dy?.shape]).toEqual([
      [0, 0],
      [2, 1],
    ]);
  });

  test("steps, labels and counts", () => {
    expect(list(grad((x) => ops.sum(ops.sign(x)))(tensor([1, -2]))[0])).toEqual([0, 0]);
    expect(list(grad((x) => ops.sum(ops.greater(x, 0)))(tensor([1, -2]))[0])).toEqual([0, 0]);
    const [dx, dy] = grad((x, y) => ops.sum(ops.softmaxCrossEntropy(x, y)))(tensor([[1, 1]]), tensor(Int32Array.of(0)));
    expect(list(dx)).toEqual([-0.5, 0.5]);
    expect([list(dy), dy?.dtype]).toEqual([[0], "f32"]);
  });

  test("unused inputs of a batch, in a program", async () => {
    const step = program({
      inputs: { x: spec(["batch", 2]), y: spec(["batch"]) },
      maxBatch: 4,
      body({ x, y }) {
        const [dx, dy] = grad((value, _other) => ops.sum(value))(x, y);
        return { dx: dx ?? x, dy: dy ?? y };
      },
    });
    const { dx, dy } = await step.run({
      x: tensor([
        [1, 2],
        [3, 4],
        [5, 6],
      ]),
      y: tensor([7, 8, 9]),
    });
    expect([list(dx), dx.shape]).toEqual([
      [1, 1, 1, 1, 1, 1],
      [3, 2],
    ]);
    expect(list(dy)).toEqual([0, 0, 0]);
  });
});

describe("kinks", () => {
  test("the documented side counts", () => {
    expect(list(grad((x) => ops.sum(ops.relu(x)))(tensor([0, 1, -1]))[0])).toEqual([0, 1, 0]);
    expect(list(grad((x) => ops.sum(ops.absolute(x)))(tensor([0, 1, -1]))[0])).toEqual([0, 1, -1]);
    for (const f of [ops.minimum, ops.maximum]) {
      const [da, db] = grad((a, b) => ops.sum(f(a, b)))(tensor([2]), tensor([2]));
      expect([list(da), list(db)]).toEqual([[1], [0]]);
    }
  });
});

describe("tensors and symbols together", () => {
  test("a tensor among symbols has its gradient too", async () => {
    const w = tensor([3, 4]);
    const step = program({
      inputs: { x: spec([2]) },
      body({ x }) {
        const [value, [dx, dw]] = valueAndGrad((a, b) => ops.sum(ops.multiply(a, ops.square(b))))(x, w);
        return { value, dx: dx ?? x, dw: dw ?? x };
      },
    });
    const { value, dx, dw } = await step.run({ x: tensor([1, 2]) });
    expect(value.item()).toBe(41);
    expect(list(dx)).toEqual([9, 16]);
    expect(list(dw)).toEqual([6, 16]);
  });

  test("a batched sum of three axes spreads its gradient over all of them", async () => {
    const step = program({
      inputs: { x: spec(["batch", 2, 3]) },
      maxBatch: 5,
      body: ({ x }) => ({ dx: grad((value) => ops.sum(value))(x)[0] ?? x }),
    });
    const { dx } = await step.run({ x: tensor(new Float32Array(12), [2, 2, 3]) });
    expect([dx.shape, list(dx)]).toEqual([[2, 2, 3], new Array(12).fill(1)]);
  });

  test("eager dropout is differentiated through the mask that it has drawn", () => {
    const x = tensor(new Float32Array(64).fill(1));
    for (const draw of [
      { seed: 5, step: 3 },
      { seed: 6, step: 3 },
      { seed: 5, step: 4 },
    ]) {
      const options = { rate: 0.5, site: 2, ...draw };
      const [value, [dx]] = valueAndGrad((a) => ops.sum(ops.dropout(a, options)))(x);
      expect(list(dx)).toEqual(Array.from(ops.dropout(x, options).data));
      expect(list(ops.sum(ops.dropout(x, options)))).toEqual([value].map((one) => (one as Tensor).item()));
    }
  });

  test("a symbol has no data to compute with outside of its program", () => {
    const symbol = input([2]);
    expect(() => grad((x) => ops.sum(ops.multiply(x, symbol)))(tensor([1, 2]))).toThrow(
      expect.objectContaining({ code: "ERR_TRACE" }),
    );
  });
});

test("mean divides once, by the same count in a call and in a batch", async () => {
  const rows = Array.from({ length: 7 }, (_, row) => [0.1 * row, 0.3, -0.7 * row]);
  const step = program({
    inputs: { x: spec(["batch", 3]) },
    maxBatch: 9,
    body: ({ x }) => ({ all: ops.mean(x), first: ops.mean(x, { axis: "first" }), last: ops.mean(x, { axis: "last" }) }),
  });
  const { all, first, last } = await step.run({ x: tensor(rows) });
  const x = tensor(rows);
  expect(list(all)).toEqual(list(ops.mean(x)));
  expect(list(first)).toEqual(list(ops.mean(x, { axis: "first" })));
  expect(list(last)).toEqual(list(ops.mean(x, { axis: "last" })));
  expect(ops.mean(x).item()).toBe(Math.fround(ops.sum(x).item() / 21));
});

test("a loss that is no scalar is refused by its shape", () => {
  const error = expect.objectContaining({ code: "ERR_SHAPE", where: "grad", message: expect.stringContaining("[2]") });
  expect(() => grad((x) => ops.square(x))(tensor([1, 2]))).toThrow(error);
});

test.each([
  ["a promise", async () => tensor(1)],
  ["nothing", () => undefined],
  ["a number", () => 1],
])("%s is no value to be differentiated", (_name, f) => {
  const error = expect.objectContaining({ code: "ERR_OPTION", where: "grad" });
  expect(() => grad(f as unknown as (x: Value) => Value)(tensor([1, 2]))).toThrow(error);
});

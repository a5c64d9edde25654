// What changes nothing is a value of its own all the same, and what a gradient does not choose gets nothing of it.
import { describe, expect, test } from "vitest";
import { grad } from "../../lib/graph/grad.js";
import { program, spec } from "../../lib/graph/program.js";
import { sequential } from "../../lib/nn/model/sequential.js";
import { parameter } from "../../lib/nn/parameters/parameter.js";
import { defineLayer } from "../../lib/nn/structure/layer.js";
import * as ops from "../../lib/ops/index.js";
import { minimizer } from "../../lib/optim/minimizer.js";
import { sgd } from "../../lib/optim/sgd.js";
import { tensor } from "../../lib/tensor/tensor.js";
import type { Value } from "../../lib/tensor/value.js";

/** Calls whose sizes make them change nothing, of a matrix [2, 2] or [batch, 2] … */
const IDENTITIES: Readonly<Record<string, (x: Value) => Value>> = {
  slice: (x) => ops.slice(x, 0),
  pad: (x) => ops.pad(x, 0, 0),
  concat: (x) => ops.concat([x]),
  stack: (x) => ops.stack([x]),
  transpose: (x) => ops.transpose(x, [0, 1]),
  "transpose of a new axis": (x) => ops.transpose(ops.reshape(x, [2, 1, 2]), [1, 0, 2]),
  sum: (x) => ops.sum(x, { axis: [] }),
  broadcast: (x) => ops.broadcast(x, x.shape),
};

describe.each(Object.entries(IDENTITIES))("%s that changes nothing", (_, identity) => {
  test("gives tensors memory of their own", () => {
    const x = tensor(Float32Array.of(1, 2, -0, 4), [2, 2]);
    const y = identity(x);
    expect(y).toMatchObject({ dtype: "f32", data: Float32Array.of(1, 2, -0, 4) });
    x.data[0] = 9;
    expect(y).toMatchObject({ data: Float32Array.of(1, 2, -0, 4) });
  });

  test("refuses what it refuses otherwise", () => {
    expect(() => identity(tensor(new Uint8Array(4), [2, 2]))).toThrow(expect.objectContaining({ code: "ERR_DTYPE" }));
    const data = new Float32Array(4);
    const gone = tensor(data, [2, 2]);
    structuredClone(data, { transfer: [data.buffer] });
    expect(() => identity(gone)).toThrow(expect.objectContaining({ code: "ERR_DETACHED" }));
  });

  test("of weights before an update is what they were then, and has the gradient 1", async () => {
    let weights: Value = tensor([0]);
    const layer = defineLayer({
      kind: "held",
      inputs: 2,
      outputs: 2,
      parameters: { w: parameter([2, 2], { init: 1 }) },
      forward(x, { w }) {
        weights = w;
        return ops.matmul(x, identity === IDENTITIES["transpose of a new axis"] ? w : ops.reshape(identity(w), [2, 2]));
      },
    });
    const model = sequential(layer).initialize(1);
    const trainer = minimizer(model, sgd({ lr: 1 }));
    const step = program({
      inputs: { x: spec([1, 2]) },
      body({ x }) {
        const y = model.forward(x);
        const before = identity(weights);
        trainer.minimize(ops.sum(y));
        return { before, after: ops.add(weights, 0) };
      },
    });
    const { before, after } = await step.run({ x: tensor([[1, 2]]) });
    expect(before.data).toEqual(Float32Array.of(1, 1, 1, 1));
    expect(after.data).toEqual(Float32Array.of(0, 0, -1, -1));
  });
});

test("a value that a program computes is not copied for it", () => {
  const shared: boolean[] = [];
  program({
    inputs: { x: spec(["batch", 2]) },
    maxBatch: 2,
    body({ x }) {
      const twice = ops.add(x, x);
      shared.push(ops.slice(twice, 0) === twice, ops.concat([twice]) === twice, ops.pad(twice, 0, 0) === twice);
      return { y: twice };
    },
  });
  expect(shared).toEqual([true, true, true]);
});

describe("what is not chosen has the gradient 0, whatever flows", () => {
  const infinite = tensor([-1, 4]);
  test.each<[string, (x: Value) => Value, readonly number[]]>([
    ["√clip", (x) => ops.sqrt(ops.clip(x, 0, 9)), [0, 0.25]],
    ["√max", (x) => ops.sqrt(ops.maximum(x, 0)), [0, 0.25]],
    ["√max, second", (x) => ops.sqrt(ops.maximum(0, x)), [0, 0.25]],
    ["√−min", (x) => ops.sqrt(ops.negate(ops.minimum(ops.negate(x), 0))), [0, 0.25]],
    ["log max", (x) => ops.log(ops.maximum(x, 0)), [0, 0.25]],
    ["√relu6", (x) => ops.sqrt(ops.relu6(x)), [0, 0.25]],
    ["√(hardTanh + 1)", (x) => ops.sqrt(ops.add(1, ops.hardTanh(ops.subtract(ops.multiply(x, 0.25), 1)))), [0, 0.125]],
    ["log hardSigmoid", (x) => ops.log(ops.hardSigmoid(ops.multiply(x, 4))), [0, 0]],
    ["√hardSilu", (x) => ops.sqrt(ops.hardSilu(ops.multiply(x, 4))), [0, 0.5]],
  ])("%s", (_name, body, expected) => {
    const [slopes] = grad((x) => ops.sum(body(x)))(infinite);
    expect(Array.from(slopes.data, (slope) => slope + 0)).toEqual(expected);
  });
});

describe("options of a product", () => {
  const a = tensor([
    [1, 2],
    [3, 4],
  ]);
  const call = (...given: readonly unknown[]): unknown => Reflect.apply(ops.matmul, null, given);
  test.each<[string, string, readonly unknown[]]>([
    ["ERR_UNKNOWN_OPTION", "matmul.transposeb", [a, a, { transposeb: true }]],
    ["ERR_OPTION", "matmul.transposeB", [a, a, { transposeB: "false" }]],
    ["ERR_OPTION", "matmul.transposeA", [a, a, { transposeA: 1 }]],
    ["ERR_OPTION", "matmul.transposeA", [a, a, { transposeA: null }]],
    ["ERR_OPTION", "matmul", [a, a, null]],
    ["ERR_OPTION", "matmul", [a, 3]],
  ])("%s at %s", (code, where, given) => {
    expect(() => call(...given)).toThrow(expect.objectContaining({ name: "CarillonError", code, where }));
  });
});

describe("a result of 2³¹ elements or more is refused before there is memory for it", () => {
  const ones = (...shape: number[]) => tensor(new Float32Array(shape.reduce((a, b) => a * b)), shape);
  const row = ones(1, 65_536);
  const column = ones(65_536, 1);
  test.each<[string, () => unknown]>([
    ["add", () => ops.add(column, row)],
    ["multiply", () => ops.multiply(ones(50_000, 1), ones(1, 50_000))],
    ["where", () => ops.where(column, row, 0)],
    ["matmul", () => ops.matmul(column, row)],
    ["pad", () => ops.pad(ones(2, 3), 2 ** 31, 0)],
    ["oneHot", () => ops.oneHot(tensor(Int32Array.of(1)), 2 ** 31)],
    ["take", () => ops.take(row, tensor(new Int32Array(65_536)))],
  ])("%s", (where, body) => {
    expect(body).toThrow(expect.objectContaining({ name: "CarillonError", code: "ERR_SHAPE", where }));
  });
});

// Shapes and elements of layers at run time: what the compiler says (test/types/shapes.test-d.ts), and what it cannot.
import {
  adam,
  crossEntropy,
  defineLayer,
  fit,
  flatten,
  type Layer,
  linear,
  loadModel,
  ops,
  parameter,
  relu,
  reshape,
  residual,
  sequential,
  spec,
  tensor,
} from "carillon";
import { describe, expect, test } from "vitest";

/** A layer that looks up rows of a table, as an embedding does. */
function lookUp(count: number, size: number): Layer {
  return defineLayer({
    kind: "lookUp",
    takes: "i32",
    outputs: { append: size },
    parameters: { table: parameter([count, size]) },
    forward: (x, { table }) => ops.take(table, x),
  });
}

const build = (...layers: readonly unknown[]): unknown => Reflect.apply(sequential, undefined, layers);

describe("the sentences of the compiler", () => {
  test.each<[string, readonly unknown[], string, string]>([
    [
      "behind a flatten",
      [{ input: [28, 28, 1] }, flatten(), relu(), linear(576, 10)],
      "ERR_SHAPE",
      "layer 3 takes 576 features, but layer 1 gives 784",
    ],
    ["of the input", [{ input: [8, 3] }, linear(8, 2)], "ERR_SHAPE", "layer 1 takes 8 features, but the input has 3"],
    [
      "a whole shape",
      [{ input: [3, 4] }, defineLayer({ kind: "whole", inputs: [4, 3], outputs: "same", forward: (x) => x })],
      "ERR_SHAPE",
      "layer 1 takes [4, 3], but the input has [3, 4]",
    ],
    ["integers", [linear(2, 2), lookUp(3, 2)], "ERR_DTYPE", "layer 2 takes i32, but layer 1 gives f32"],
    [
      "floats",
      [{ input: spec(["batch", 2], "i32") }, linear(2, 2)],
      "ERR_DTYPE",
      "layer 1 takes f32, but the input has i32",
    ],
    ["no axis", [{ input: [] }, linear(1, 1)], "ERR_SHAPE", "layer 1 takes 1 features, but the input has []"],
    [
      "other elements",
      [{ input: [3, 4] }, reshape([5, 2])],
      "ERR_SHAPE",
      "expected 10 elements a row, as [5, 2] has, for 'reshape' but received [3, 4]",
    ],
    [
      "no input",
      [flatten(), linear(4, 1)],
      "ERR_SHAPE",
      "expected { input }, the shape of a row, as the first argument",
    ],
    ["no sizes", [relu()], "ERR_SHAPE", "expected a layer with sizes in 'sequential'"],
    ["a sum of two sizes", [residual(linear(4, 4)), linear(4, 2), build(linear(2, 2))], "", ""],
  ])("%s", (_, layers, code, message) => {
    if (code === "") expect(() => build(...layers)).not.toThrow();
    else
      expect(() => build(...layers)).toThrow(
        expect.objectContaining({ code, message: expect.stringContaining(message) }),
      );
  });

  test.each([[[]], [[{ input: [3] }]]])("no layers", (layers) => {
    const expected = { code: "ERR_OPTION", where: "sequential", message: expect.stringContaining("a layer or more") };
    expect(() => Reflect.apply(sequential, undefined, layers)).toThrow(expect.objectContaining(expected));
  });

  test("what is no shape of a row", () => {
    expect(() => build({ input: [0] }, flatten())).toThrow("expected sizes >= 1");
    expect(() => build({ input: "784" }, flatten())).toThrow("expected the shape of a row, or a spec");
    expect(() => build({ input: spec([4, 2]) }, flatten())).toThrow('expected "batch" as the first axis');
    expect(() => build({ inputs: [4] }, flatten())).toThrow("Did you mean 'input'?");
    expect(() => defineLayer({ kind: "a", outputs: { last: 3 }, forward: (x) => x })).toThrow("'a.infer'");
    const wrong = defineLayer({ kind: "wrong", outputs: "same", takes: "any", forward: (x) => ops.argmax(x) });
    expect(() => sequential({ input: [2] }, wrong).predictSync([[1, 2]])).toThrow("from the layer 'wrong1'");
  });

  test("a residual says what does not fit", () => {
    const make = (): unknown => Reflect.apply(residual, undefined, [linear(8, 16), linear(16, 7)]);
    expect(make).toThrow("the layers give 7 features, but the input that is added has 8: { project: true } fits it");
  });
});

describe("rows", () => {
  test("are told by the model", () => {
    const model = sequential({ input: [28, 28, 1] }, linear(1, 4), relu());
    expect(model.rows).toEqual({
      inputs: [{ name: "x", shape: [28, 28, 1], dtype: "f32" }],
      outputs: [{ name: "y", shape: [28, 28, 4], dtype: "f32" }],
    });
    expect([model.inputs, model.outputs]).toEqual([
      [28, 28, 1],
      [28, 28, 4],
    ]);
    const table = sequential({ input: spec(["batch", 5], "i32") }, lookUp(7, 3), flatten(), linear(15, 1));
    expect(table.rows.inputs).toEqual([{ name: "x", shape: [5], dtype: "i32" }]);
    expect(table.summary()).toContain("i32 5 → 1");
    expect(table.summary()).toMatch(/lookUp1 +\[batch, 5, 3\] +21/);
  });

  test("linear works over the last axis of any rank", () => {
    const flat = sequential(linear(3, 2)).initialize(4);
    const deep = sequential({ input: [2, 3] }, linear(3, 2), flatten()).setWeights(flat.weights());
    const rows = [
      [1, 2, 3, 4, 5, 6],
      [-1, 0.5, 2, 8, -3, 1],
    ];
    const expected = rows.map((row) =>
      [row.slice(0, 3), row.slice(3)].flatMap((part) => [...flat.predictSync([part]).data]),
    );
    const nested = rows.map((row) => [row.slice(0, 3), row.slice(3)]);
    const answer = deep.predictSync(nested);
    expect([answer.shape, [...answer.data]]).toEqual([[2, 4], expected.flat()]);
    // A row by itself, and typed arrays: each a row, or all of them.
    const [first = []] = nested;
    expect([...deep.predictSync(first).data]).toEqual(expected[0]);
    const typed = rows.map((row) => Float32Array.from(row));
    expect(deep.predictSync(typed)).toEqual(answer);
    expect(deep.predictSync(Float32Array.from(rows.flat()))).toEqual(answer);
    expect(() => deep.predictSync(rows)).toThrow("expected [3] numbers in row 0, element [0] for 'predictSync.x'");
  });

  test("train, predict and come back from a file", async () => {
    const make = () =>
      sequential(
        { input: [2, 3] },
        linear(3, 4),
        relu(),
        flatten(),
        reshape([4, 2]),
        linear(2, 1),
        flatten(),
        linear(4, 2),
      );
    const x = Array.from({ length: 12 }, (_, row) =>
      Float32Array.from({ length: 6 }, (__, at) => ((row * 7 + at * 3) % 11) / 11),
    );
    const model = make();
    await fit(model, {
      data: { x, y: x.map((row) => Number((row[0] ?? 0) > 0.5)) },
      loss: crossEntropy(),
      optimizer: adam(),
      epochs: 2,
    });
    const loaded = await loadModel(model.bytes());
    expect(loaded.rows).toEqual(model.rows);
    expect(loaded.predictSync(x)).toEqual(model.predictSync(x));
    expect(loaded.summary()).toBe(model.summary());
    expect((await make().load(model.bytes())).predictSync(x)).toEqual(model.predictSync(x));
  });

  test("a program gives any shape that the layers take", () => {
    const { data } = ops.flatten(
      tensor([
        [
          [1, 2],
          [3, 4],
        ],
      ]),
    );
    expect([...data]).toEqual([1, 2, 3, 4]);
  });
});

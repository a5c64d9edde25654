// Shapes and elements of layers at run time: what the compiler says (test/types/shapes.test-d.ts), and what it cannot.
import {
  adam,
  concat,
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

test("a block without integers says so, and one that keeps its axes what it gives", () => {
  const make = (...layers: readonly unknown[]): Layer => Reflect.apply(concat, undefined, layers);
  expect(() => make(linear(2, 2), lookUp(3, 2))).toThrow(
    expect.objectContaining({ code: "ERR_DTYPE", message: "branch 2 takes i32, but the input has f32" }),
  );
  expect([make(linear(2, 3), relu()), make(linear(2, 3), flatten()), make(relu())].map((each) => each.outputs)).toEqual(
    [5, { last: 0 }, { last: 0 }],
  );
});

test("a layer may say that it gives the same elements in another shape", () => {
  const folded = defineLayer({
    kind: "folded",
    outputs: { shape: [2, 3] },
    forward: (x) => ops.reshape(x, [...x.shape.slice(0, 1), 2, 3]),
  });
  expect(sequential(linear(4, 6), folded).outputs).toEqual([2, 3]);
  expect(() => build(linear(4, 5), folded)).toThrow("layer 2 takes 6 elements, but layer 1 gives [5]");
  const wrong = (shape: unknown): unknown =>
    Reflect.apply(defineLayer, undefined, [{ kind: "wrong", outputs: { shape }, forward: (x: unknown) => x }]);
  expect(() => wrong(6)).toThrow("expected the shape of a row for 'wrong.outputs.shape'");
  expect(() => wrong([2, 0])).toThrow("wrong.outputs.shape");
});

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
      "layer 1 takes 10 elements, but the input has [3, 4]",
    ],
    [
      "other elements of a chain",
      [linear(4, 12), relu(), reshape([5, 2])],
      "ERR_SHAPE",
      "layer 3 takes 10 elements, but layer 1 gives [12]",
    ],
    [
      "what is flat",
      [linear(4, 8), flatten(), linear(9, 2)],
      "ERR_SHAPE",
      "layer 3 takes 9 features, but layer 2 gives 8",
    ],
    [
      "what is flat behind blocks",
      [linear(4, 8), residual(linear(8, 8)), concat(linear(8, 4), relu()), flatten(), linear(11, 2)],
      "ERR_SHAPE",
      "layer 5 takes 11 features, but layer 4 gives 12",
    ],
    [
      "integers in a block",
      [{ input: [2] }, residual(lookUp(3, 2))],
      "ERR_DTYPE",
      "layer 1 takes i32, but the input has f32",
    ],
    [
      "a model of integers",
      [linear(2, 4), build({ input: spec(["batch", 4], "i32") }, lookUp(3, 2))],
      "ERR_DTYPE",
      "layer 2 takes i32, but layer 1 gives f32",
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

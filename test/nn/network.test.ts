// Models of any form: rows by name, layers as functions, one output or several.
import {
  defineLayer,
  linear,
  loadModel,
  type Model,
  minimizer,
  network,
  ops,
  parameter,
  program,
  relu,
  sequential,
  sgd,
  spec,
  type Tensor,
  tensor,
} from "carillon";
import { describe, expect, test } from "vitest";

const lookUp = (count: number, size: number) =>
  defineLayer({
    kind: "lookUp",
    takes: "i32",
    outputs: { append: size },
    parameters: { table: parameter([count, size]) },
    forward: (x, { table }) => ops.take(table, x),
  });

const towers = () =>
  network({
    inputs: { user: spec(["batch"], "i32"), item: spec(["batch"], "i32"), age: spec(["batch", 1]) },
    layers: { users: lookUp(10, 4), items: lookUp(5, 4), head: sequential(linear(9, 8), relu(), linear(8, 1)) },
    forward: ({ user, item, age }, { users, items, head }) => head(ops.concat([users(user), items(item), age])),
  });

const batch = { user: [1, 3, 9], item: [0, 4, 4], age: [[0.1], [0.5], [0.9]] };
const INPUTS = { user: spec(["batch"], "i32"), item: spec(["batch"], "i32"), age: spec(["batch", 1]) };

test("outputs of integers are no answers of predict, but of a program", async () => {
  const inputs = { x: spec(["batch", 2]) };
  const layers = { a: linear(2, 3) };
  const only = network({ inputs, layers, forward: ({ x }, { a }) => ops.argmax(a(x)) }).initialize(1);
  const both = network({ inputs, layers, forward: ({ x }, { a }) => ({ x, best: ops.argmax(a(x)) }) }).initialize(1);
  const error = { code: "ERR_DTYPE", message: expect.stringContaining("expected outputs of floats for 'predict'") };
  const x = [[1, 2]];
  for (const model of [only, both]) {
    expect(() => model.predictSync({ x })).toThrow(expect.objectContaining(error));
    await expect(model.predict({ x })).rejects.toThrow(expect.objectContaining(error));
    expect(() => model.predictor()).toThrow(expect.objectContaining(error));
  }
  const best = program({ inputs: { x: spec([1, 2]) }, body: (given) => ({ best: both.forward(given).best }) });
  expect(best.runSync({ x }).best.dtype).toBe("i32");
});

test("rows and names follow from inputs and layers", () => {
  const model = towers();
  expect(model.rows).toEqual({
    inputs: [
      { name: "user", shape: [], dtype: "i32" },
      { name: "item", shape: [], dtype: "i32" },
      { name: "age", shape: [1], dtype: "f32" },
    ],
    outputs: [{ name: "y", shape: [1], dtype: "f32" }],
  });
  expect([model.inputs, model.outputs]).toEqual([{ user: [], item: [], age: 1 }, 1]);
  expect(model.parameters).toEqual([
    { name: "users.table", shape: [10, 4] },
    { name: "items.table", shape: [5, 4] },
    { name: "head.linear1.weight", shape: [8, 9] },
    { name: "head.linear1.bias", shape: [8] },
    { name: "head.linear2.weight", shape: [1, 8] },
    { name: "head.linear2.bias", shape: [1] },
  ]);
  expect(model.summary()).toContain("i32 [], i32 [], 1 → 1, 149 parameters");
});

test("it computes what its operations compute, and a program trains it", () => {
  const model = towers().initialize(3);
  const weights = model.weights();
  const at = (name: string): Tensor => weights.get(name) ?? tensor([]);
  const joined = ops.concat([
    ops.take(at("users.table"), tensor(Int32Array.from(batch.user), [3])),
    ops.take(at("items.table"), tensor(Int32Array.from(batch.item), [3])),
    tensor(batch.age),
  ]);
  const hidden = ops.relu(ops.linear(joined, at("head.linear1.weight"), at("head.linear1.bias")));
  const expected = ops.linear(hidden, at("head.linear2.weight"), at("head.linear2.bias"));
  const answer = program({ inputs: INPUTS, maxBatch: 3, body: (given) => ({ y: model.forward(given) }) });
  expect(answer.runSync(batch).y).toEqual(expected);

  const trainer = minimizer(model, sgd({ lr: 0.05 }));
  const step = program({
    inputs: INPUTS,
    maxBatch: 3,
    training: true,
    body(given) {
      const loss = ops.mean(ops.square(ops.subtract(model.forward(given), 1)));
      trainer.minimize(loss);
      return { loss };
    },
  });
  const losses = Array.from({ length: 20 }, () => Number(step.runSync(batch).loss.data[0]));
  expect(losses.at(-1)).toBeLessThan(0.9 * (losses[0] ?? 0));
  // Rows of a table that nobody looks up stay.
  const table = (values: ReadonlyMap<string, Tensor>): number[] =>
    [...(values.get("users.table")?.data ?? [])].slice(0, 4);
  expect(table(model.weights())).toEqual(table(weights));
});

test("a layer that is called twice shares its parameters", () => {
  const twin = network({
    inputs: { left: spec(["batch", 2]), right: spec(["batch", 2]) },
    layers: { tower: linear(2, 3) },
    forward: ({ left, right }, { tower }) => ({
      left: tower(left),
      right: tower(right),
      near: ops.multiply(tower(left), tower(right)),
    }),
  }).initialize(1);
  expect(twin.parameters.map(({ name }) => name)).toEqual(["tower.weight", "tower.bias"]);
  expect(twin.rows.outputs.map(({ name, shape }) => [name, shape])).toEqual([
    ["left", [3]],
    ["right", [3]],
    ["near", [3]],
  ]);
  expect(twin.outputs).toEqual({ left: 3, right: 3, near: 3 });
  const run = program({
    inputs: { left: spec(["batch", 2]), right: spec(["batch", 2]) },
    maxBatch: 2,
    body: (given) => twin.forward(given),
  });
  const { left, right } = run.runSync({ left: [[1, 2]], right: [[1, 2]] });
  expect(left).toEqual(right);
});

describe("weights", () => {
  test("go into files and come back by name; the network itself is code", async () => {
    const model = towers().initialize(2);
    const bytes = model.bytes();
    const other = await towers().load(bytes);
    expect(other.weights()).toEqual(model.weights());
    expect(model.clone().weights()).toEqual(model.weights());
    await expect(loadModel(bytes)).rejects.toThrow("expected built-in layers for 'loadModel' but received 'network'");
  });

  test("a network with one input and one output is a layer", () => {
    const skip = network({
      inputs: { x: spec(["batch", 4]) },
      layers: { inner: linear(4, 4) },
      forward: ({ x }, { inner }) => ops.add(x, inner(x)),
    });
    const model: Model = sequential(linear(3, 4), Reflect.apply(Object, undefined, [skip]), linear(4, 1));
    expect(model.parameters.map(({ name }) => name)).toContain("network1.inner.weight");
    expect(model.initialize(1).predictSync([[1, 2, 3]]).shape).toEqual([1, 1]);
    expect(() => Reflect.apply(sequential, undefined, [towers(), linear(1, 1)])).toThrow(
      "expected a model with one input and one output as a layer but received one of user, item, age that gives y",
    );
  });
});

test.each<[string, object, string]>([
  ["no inputs", { inputs: {}, layers: {}, forward: () => 0 }, "expected an input or more by name"],
  ["an input that is none", { inputs: { a: 5 }, layers: {}, forward: () => 0 }, "network.inputs.a"],
  [
    "an input without a batch",
    { inputs: { a: spec([3]) }, layers: {}, forward: () => 0 },
    'expected "batch" as the first axis',
  ],
  [
    "a name that is none",
    { inputs: { "a.b": spec(["batch"]) }, layers: {}, forward: () => 0 },
    "network.inputs: a name",
  ],
  [
    "a layer that is none",
    { inputs: { a: spec(["batch", 2]) }, layers: { b: 5 }, forward: () => 0 },
    "network.layers.b",
  ],
  [
    "an option of another name",
    { input: { a: spec(["batch", 2]) }, layers: {}, forward: () => 0 },
    "Did you mean 'inputs'?",
  ],
  [
    "an output that is none",
    { inputs: { a: spec(["batch", 2]) }, layers: {}, forward: () => 0 },
    "expected a value, or several by name",
  ],
  [
    "no output",
    { inputs: { a: spec(["batch", 2]) }, layers: {}, forward: () => ({}) },
    "expected a value, or several by name",
  ],
  [
    "a sum over the batch",
    { inputs: { a: spec(["batch", 2]) }, layers: {}, forward: ({ a }: { a: Tensor }) => ops.sum(a) },
    "expected [batch, …] as 'y'",
  ],
])("refuses %s", (_, definition, message) => {
  expect(() => Reflect.apply(network, undefined, [definition])).toThrow(message);
});

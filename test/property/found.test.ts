// What the properties of main.ts have found, each as it came: an error of ours with a sentence.
import * as carillon from "carillon";
import { describe, expect, test } from "vitest";

const { adam, crossEntropy, fit, grad, linear, loadCheckpoint, minimizer, ops, program, sequential, spec, tensor } =
  carillon;

/** An error of this code, whose message has this in it. */
const refused = (code: carillon.ErrorCode, message: string) =>
  expect.objectContaining({ name: "CarillonError", code, message: expect.stringContaining(message) });

/** Calls a function with what its types do not allow. */
const call = (f: (...args: never[]) => unknown, ...args: readonly unknown[]): unknown =>
  Reflect.apply(f, undefined, args);

describe("sizes that are none are rendered as other values are", () => {
  test.each<[string, unknown, string]>([
    ["an object", {}, "[2, an empty object]"],
    ["bytes", new Uint8Array(8), "[2, Uint8Array(8)]"],
    ["a view of bytes", new DataView(new ArrayBuffer(4)), "[2, DataView(4)]"],
    ["a proxy of floats", new Proxy(new Float32Array(2), {}), "[2, "],
    ["a symbol", Symbol("s"), "[2, Symbol(s)]"],
    ["an object without a prototype", Object.create(null), "[2, an empty object]"],
  ])("%s", (_, size, message) => {
    expect(() => call(ops.broadcast, tensor([1]), [2, size])).toThrow(refused("ERR_SHAPE", message));
    expect(() => call(spec, [2, size])).toThrow(refused("ERR_SHAPE", message));
  });
});

test("a Proxy of a model is none, wherever a model is asked for", async () => {
  const model = new Proxy(sequential(linear(4, 3)), {});
  const data = { x: new Float32Array(8), y: new Int32Array(2) };
  const told = refused("ERR_OPTION", "a Proxy of a model (give what it stands for)");
  expect(() => call(minimizer, model, adam())).toThrow(told);
  await expect(call(fit, model, { data, loss: crossEntropy(), optimizer: adam(), epochs: 1 })).rejects.toThrow(told);
  await expect(call(loadCheckpoint, "none", { models: { model } })).rejects.toThrow(told);
  expect(() => call(sequential, model)).toThrow(told);
  expect(() => model.predictSync(data.x)).toThrow(told);
  expect(() => model.weights()).toThrow(told);
});

test("what has no function to differentiate", () => {
  for (const f of [undefined, new Map(), 1]) {
    expect(() => call(grad, f)).toThrow(refused("ERR_OPTION", "expected a function for 'grad'"));
  }
});

test("a Proxy of a tensor, a dataset or an array is none", async () => {
  expect(() => call(ops.max, new Proxy(tensor([1, 2]), {}))).toThrow(refused("ERR_OPTION", "a Proxy of a tensor"));
  const source = new Proxy(
    carillon.dataset(() => [{ x: [1, 2, 3, 4], y: 1 }]),
    {},
  );
  const options = { data: source, loss: crossEntropy(), optimizer: adam(), steps: 1, batchSize: 1 };
  await expect(call(fit, sequential(linear(4, 3)), options)).rejects.toThrow(
    refused("ERR_OPTION", "a Proxy of a dataset"),
  );
  const floats = new Proxy(new Float32Array(8), {});
  expect(() => call(carillon.sampleToken, floats, 0)).toThrow(refused("ERR_SHAPE", "an output or more"));
  const data = { x: new Float32Array(8), y: new Int32Array(2) };
  expect(() => call(carillon.split, data, { validation: floats })).toThrow(refused("ERR_OPTION", "'split.validation'"));
});

test("arguments of a gradient that are no values", () => {
  expect(() =>
    call(
      grad(() => tensor(1)),
      3,
    ),
  ).toThrow(refused("ERR_OPTION", "tensors or symbolic values"));
});

test("a hole in a list of texts is no text", async () => {
  const holes = new Array(2);
  for (const read of [carillon.table, carillon.schemaOf]) {
    await expect(call(read, holes)).rejects.toMatchObject({ name: "CarillonError" });
  }
  const one = [{ a: 1 }];
  await expect(call(carillon.table, one, { columns: holes })).rejects.toThrow(refused("ERR_OPTION", "a list of names"));
  await expect(call(carillon.table, one, { missing: holes })).rejects.toThrow(refused("ERR_OPTION", "a list of texts"));
});

test("a confusion table of no classes", () => {
  for (const actual of [undefined, null, 1]) {
    expect(() => call(carillon.confusionTable, actual, [0, 1], ["a", "b"])).toThrow(
      refused("ERR_DATA", "a list of classes"),
    );
  }
  expect(() => call(carillon.confusionTable, [0, 1], [0, 1], [{}, 1])).toThrow(
    refused("ERR_OPTION", "names of two classes"),
  );
});

describe("inputs of a program that are none", () => {
  test.each<[string, unknown, carillon.ErrorCode, string]>([
    ["nothing", undefined, "ERR_OPTION", "'program.inputs'"],
    ["an array for an input", { x: [2, 3] }, "ERR_OPTION", "'program.inputs.x'"],
    ["floats for an input", { x: new Float32Array(2) }, "ERR_OPTION", "'program.inputs.x'"],
    ["an input without a shape", { x: { dtype: "f32" } }, "ERR_SHAPE", "'program.inputs.x'"],
    ["an input of another dtype", { x: { shape: [2], dtype: "f64" } }, "ERR_OPTION", "'program.inputs.x'"],
  ])("%s", (_, inputs, code, message) => {
    expect(() => call(program, { inputs, body: () => ({}) })).toThrow(refused(code, message));
  });
});

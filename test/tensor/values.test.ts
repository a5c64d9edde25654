import assert from "node:assert";
import { isDeepStrictEqual } from "node:util";
import { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { linear, relu, sequential } from "../../lib/index.js";
import * as ops from "../../lib/ops/index.js";
import { Tensor, tensor } from "../../lib/tensor/tensor.js";

const failing = (code: string, where: string) => expect.objectContaining({ name: "CarillonError", code, where });

/** Tensors of each dtype and of several ranks, and one that an operation has made. */
const samples = () => [
  tensor(3.5),
  tensor([[1, 2]]),
  tensor([
    [[1], [-0]],
    [[Number.NaN], [Number.POSITIVE_INFINITY]],
  ]),
  tensor(Int32Array.of(1, -2, 3, 4), [2, 2]),
  tensor(Uint8Array.of(0, 255)),
  ops.add(tensor([1, 2]), tensor([3, 4])),
];

describe("own properties", () => {
  test("are dtype, shape and data, and nothing else", () => {
    for (const x of samples()) {
      expect(Reflect.ownKeys(x)).toEqual(["dtype", "shape", "data"]);
      expect(Object.keys(x)).toEqual(["dtype", "shape", "data"]);
    }
  });
});

describe("equality", () => {
  test("of the same numbers, whatever they were made of", () => {
    expect(tensor([[1, 2]])).toEqual(tensor([[1, 2]]));
    expect(tensor([4, 6])).toStrictEqual(ops.add(tensor([1, 2]), tensor([3, 4])));
    for (const [index, x] of samples().entries()) {
      const same = samples()[index];
      expect(x).toEqual(same);
      expect(isDeepStrictEqual(x, same)).toBe(true);
      assert.deepStrictEqual(x, same);
    }
  });

  test.each([
    ["numbers", tensor([[1, 2]]), tensor([[1, 3]])],
    ["shapes", tensor([[1, 2]]), tensor([1, 2])],
    ["dtypes", tensor(Int32Array.of(1, 2)), tensor([1, 2])],
  ])("not of other %s", (_, a: Tensor, b: Tensor) => {
    expect(a).not.toEqual(b);
    expect(isDeepStrictEqual(a, b)).toBe(false);
    expect(() => assert.deepStrictEqual(a, b)).toThrow(assert.AssertionError);
  });
});

describe("copies", () => {
  test("by structuredClone: a plain object of dtype, shape and data, which tensor() takes", () => {
    for (const x of samples()) {
      const copy = structuredClone(x);
      expect(copy).not.toBeInstanceOf(Tensor);
      expect(copy).toStrictEqual({ dtype: x.dtype, shape: [...x.shape], data: x.data });
      const back = tensor(copy);
      expect(back).toStrictEqual(x);
      expect(back.data).toBe(copy.data);
      expect(back.data).not.toBe(x.data);
    }
  });

  test("by postMessage to a worker and back", async () => {
    const echo = new Worker(
      `const { parentPort } = require("node:worker_threads");
      parentPort.on("message", (message) => parentPort.postMessage(message));`,
      { eval: true },
    );
    try {
      for (const x of samples()) {
        const answer = new Promise<Tensor>((resolve) => echo.once("message", resolve));
        echo.postMessage(x);
        expect(tensor(await answer)).toStrictEqual(x);
      }
    } finally {
      await echo.terminate();
    }
  });

  test("the weights of a model go to another one as a copy", () => {
    const model = sequential(linear(2, 3), relu(), linear(3, 1)).initialize(1);
    const other = sequential(linear(2, 3), relu(), linear(3, 1)).setWeights(structuredClone(model.weights()));
    expect(other.weights()).toEqual(model.weights());
    other.setWeights(JSON.parse(JSON.stringify(Object.fromEntries(model.weights()))));
    expect(other.weights()).toEqual(model.weights());
    const floats = new Map([...model.weights()].map(([name, { data }]) => [name, new Float32Array(data.length)]));
    expect(other.setWeights(floats).weights()).not.toEqual(model.weights());
    const integers = { "linear1.weight": { dtype: "i32", shape: [3, 2], data: new Int32Array(6) } } as const;
    expect(() => other.setWeights({ ...Object.fromEntries(model.weights()), ...integers })).toThrow(
      failing("ERR_DTYPE", "setWeights.linear1.weight"),
    );
  });

  test("by JSON: finite numbers come back as they were", () => {
    for (const x of [tensor([[0.1, -2e30]]), tensor(Int32Array.of(7, -7)), tensor(Uint8Array.of(1, 2), [2, 1])]) {
      expect(tensor(JSON.parse(JSON.stringify(x)))).toStrictEqual(x);
    }
    expect(() => tensor(JSON.parse(JSON.stringify(tensor([1, Number.NaN]))))).toThrow(
      "expected a number for 'tensor.data[1]' but received null",
    );
  });

  test("another shape may be given; the properties may have any order", () => {
    expect(tensor({ data: Float32Array.of(1, 2), shape: [1, 2], dtype: "f32" }, [2])).toStrictEqual(tensor([1, 2]));
    expect(tensor(tensor([[1, 2]]), [2])).toStrictEqual(tensor([1, 2]));
  });

  test.each<[string, object, string, string]>([
    ["another dtype", { dtype: "f64", shape: [1], data: [1] }, "ERR_OPTION", "tensor.dtype"],
    ["elements of another dtype", { dtype: "i32", shape: [1], data: Float32Array.of(1) }, "ERR_DTYPE", "tensor.data"],
    ["elements of none", { dtype: "f32", shape: [1], data: Float64Array.of(1) }, "ERR_DTYPE", "tensor.data"],
    ["nested numbers", { dtype: "f32", shape: [1, 1], data: [[1]] }, "ERR_DTYPE", "tensor.data[0]"],
    ["a fraction of an integer", { dtype: "i32", shape: [2], data: [1, 1.5] }, "ERR_DATA", "tensor.data[1]"],
    ["more than a byte", { dtype: "u8", shape: [1], data: [256] }, "ERR_DATA", "tensor.data[0]"],
    ["a shape that does not fit", { dtype: "f32", shape: [3], data: [1, 2] }, "ERR_SHAPE", "tensor"],
    ["no shape", { dtype: "f32", shape: 2, data: [1, 2] }, "ERR_SHAPE", "tensor.shape"],
  ])("%s is refused", (_, plain, code, where) => {
    expect(() => tensor(plain as Tensor)).toThrow(failing(code, where));
  });

  test("elements of another realm are elements", async () => {
    const { runInNewContext } = await import("node:vm");
    const foreign: unknown = runInNewContext("({ floats: Float32Array.of(1, 2), bytes: Uint8Array.of(3) })");
    const { floats, bytes } = foreign as { floats: Float32Array; bytes: Uint8Array };
    expect(ops.negate(tensor(floats)).data).toEqual(Float32Array.of(-1, -2));
    expect(tensor(bytes).dtype).toBe("u8");
  });

  test("what somebody has put in the place of the data is refused, not read", () => {
    for (const data of [[1, 2], new Float64Array(2), new Int32Array(2), "12", null]) {
      const x = tensor([1, 2]);
      Reflect.set(x, "data", data);
      expect(() => ops.negate(x)).toThrow();
    }
  });
});

import { describe, expect, test } from "vitest";
import * as ops from "../../lib/ops/index.js";
import { asMatrix, checkShape, elements, extent, formatShape, type Shape } from "../../lib/tensor/shape.js";
import { Tensor, type TensorData, tensor } from "../../lib/tensor/tensor.js";
import { Value } from "../../lib/tensor/value.js";

const failing = (code: string, where: string) => expect.objectContaining({ name: "CarillonError", code, where });

describe("construction", () => {
  test.each<[TensorData, readonly number[], readonly number[]]>([
    [5, [], [5]],
    [[1, 2, 3], [3], [1, 2, 3]],
    [
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      [3, 2],
      [1, 2, 3, 4, 5, 6],
    ],
    [[[[1], [2]]], [1, 2, 1], [1, 2]],
  ])("of nested numbers %j", (data, shape, flat) => {
    const x = tensor(data as number);
    expect([x.shape, x.dtype, Array.from(x.data)]).toEqual([shape, "f32", flat]);
    expect(x).toBeInstanceOf(Value);
  });

  test("nested numbers are copied and rounded to f32", () => {
    const rows = [[0.1, 2]];
    const x = tensor(rows);
    rows[0]?.fill(9);
    expect(Array.from(x.data)).toEqual([Math.fround(0.1), 2]);
  });

  test.each([Float32Array, Int32Array, Uint8Array])("a %o is taken as it is, not copied", (Type) => {
    const data = Type.of(1, 2, 3, 4, 5, 6);
    const x = tensor(data as Float32Array, [2, 3]);
    expect(x.data).toBe(data);
    expect(x.dtype).toBe({ Float32Array: "f32", Int32Array: "i32", Uint8Array: "u8" }[Type.name]);
    data[0] = 9;
    expect(x.data[0]).toBe(9);
    expect(tensor(data as Float32Array).shape).toEqual([6]);
  });

  test("a part of a buffer at any offset is computed with in place", () => {
    const data = Float32Array.of(1, 2, 3, 4, 5).subarray(1, 4);
    expect(Array.from(ops.negate(tensor(data)).data)).toEqual([-2, -3, -4]);
  });

  test("the shape is the tensor's own", () => {
    const shape = [2, 1];
    const x = tensor(Float32Array.of(1, 2), shape);
    shape[0] = 7;
    expect(x.shape).toEqual([2, 1]);
  });

  test.each<[unknown, readonly number[] | undefined, string]>([
    [[], undefined, "ERR_SHAPE"],
    [[[], []], undefined, "ERR_SHAPE"],
    [[[1, 2], [3]], undefined, "ERR_SHAPE"],
    [[1, [2]], undefined, "ERR_SHAPE"],
    [[[1], 2], undefined, "ERR_SHAPE"],
    [
      [
        [1, 2],
        [[3], [4]],
      ],
      undefined,
      "ERR_SHAPE",
    ],
    [new Float32Array(0), undefined, "ERR_SHAPE"],
    [new Float32Array(6), [2, 2], "ERR_SHAPE"],
    [new Float32Array(6), [6, 0], "ERR_SHAPE"],
    [new Float32Array(6), [-2, -3], "ERR_SHAPE"],
    [new Float32Array(6), [1.5, 4], "ERR_SHAPE"],
    [new Float32Array(6), [Number.NaN], "ERR_SHAPE"],
    [new Float32Array(6), ["batch", 6] as unknown as number[], "ERR_SHAPE"],
    [new Float32Array(6), ["6"] as unknown as number[], "ERR_SHAPE"],
    [new Float32Array(1), [2 ** 20, 2 ** 20], "ERR_SHAPE"],
    [[1, 2], [3], "ERR_SHAPE"],
    ["12", undefined, "ERR_DTYPE"],
    [null, undefined, "ERR_DTYPE"],
    [undefined, undefined, "ERR_DTYPE"],
    [3n, undefined, "ERR_DTYPE"],
    [{ length: 1, 0: 1 }, undefined, "ERR_DTYPE"],
    [new Float64Array(2), undefined, "ERR_DTYPE"],
    [new ArrayBuffer(4), undefined, "ERR_DTYPE"],
    [["a", "b"], undefined, "ERR_DTYPE"],
    [[[1, "2"]], undefined, "ERR_DTYPE"],
    [[null, 1], undefined, "ERR_DTYPE"],
    [[1, 2n], undefined, "ERR_DTYPE"],
    [[Float32Array.of(1)], undefined, "ERR_DTYPE"],
  ])("of %o under %o is %s", (data, shape, code) => {
    expect(() => tensor(data as number, shape)).toThrow(failing(code, "tensor"));
  });

  test("a shape is an array", () => {
    for (const shape of ["2", 2, { length: 1 }]) {
      const make = () => tensor(Float32Array.of(1, 2), shape as unknown as number[]);
      expect(make).toThrow(failing("ERR_SHAPE", "tensor.shape"));
    }
  });

  test("NaN and infinities are numbers", () => {
    const data = [Number.NaN, Number.POSITIVE_INFINITY, -0];
    expect(Array.from(tensor(data).data)).toEqual(data);
  });
});

describe("detached buffers", () => {
  const transferred = <T extends Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>>(data: T): T => {
    structuredClone(data, { transfer: [data.buffer] });
    return data;
  };

  test("are refused at construction", () => {
    expect(() => tensor(transferred(Float32Array.of(1, 2)))).toThrow(failing("ERR_DETACHED", "tensor"));
    expect(() => tensor(transferred(Int32Array.of(1, 2)), [2])).toThrow(failing("ERR_DETACHED", "tensor"));
  });

  test("are noticed at every later use", () => {
    const data = Float32Array.of(1, 2);
    const x = tensor(data);
    transferred(data);
    for (const use of [() => x.item(), () => x.toJSON(), () => ops.negate(x), () => ops.reshape(x, [2, 1])]) {
      expect(use).toThrow(failing("ERR_DETACHED", "tensor"));
    }
  });

  test("memory that has shrunk counts as detached", () => {
    // By Reflect, since es2023 does not know of such buffers.
    const buffer: ArrayBuffer = Reflect.construct(ArrayBuffer, [8, { maxByteLength: 16 }]);
    const x = tensor(new Float32Array(buffer));
    Reflect.apply(Reflect.get(buffer, "resize"), buffer, [4]);
    expect(() => x.item()).toThrow(failing("ERR_DETACHED", "tensor"));
    expect(() => ops.add(x, 1)).toThrow(failing("ERR_DETACHED", "tensor"));
  });
});

describe("reading", () => {
  test("item() is the only element", () => {
    expect(tensor(3).item()).toBe(3);
    expect(tensor([[4]]).item()).toBe(4);
    expect(tensor(Int32Array.of(-7)).item()).toBe(-7);
    expect(() => tensor([1, 2]).item()).toThrow(failing("ERR_SHAPE", "item"));
  });

  test("as JSON: shape, dtype and numbers", () => {
    const x = tensor(Int32Array.of(1, 2), [2, 1]);
    expect(JSON.parse(JSON.stringify({ x }))).toEqual({ x: { shape: [2, 1], dtype: "i32", data: [1, 2] } });
  });

  test("only a Tensor has data", () => {
    const symbol = new Value([2], "f32", { kind: "input", name: "x" });
    expect(symbol).not.toBeInstanceOf(Tensor);
    expect(Object.keys(symbol)).toEqual(["dtype", "shape"]);
    for (const name of ["data", "item"]) {
      const ask = () => Reflect.get(symbol, name);
      expect(ask).toThrow(failing("ERR_TRACE", name));
      expect(ask).toThrow("received the symbol Value f32 [2]: the input 'x', known when the program runs");
    }
  });

  test("a reshape is the same memory under another shape", () => {
    const x = tensor([
      [1, 2],
      [3, 4],
    ]);
    const y = ops.reshape(x, [4]);
    expect(y.data).toBe(x.data);
    expect(ops.reshape(x, [2, 2])).toBe(x);
    expect(() => ops.reshape(x, ["batch", 2])).toThrow(failing("ERR_SHAPE", "reshape"));
  });
});

describe("shapes", () => {
  test.each<[Shape, number, number, string, { rows: number; columns: number }]>([
    [[], 1, 1, "[]", { rows: 1, columns: 1 }],
    [[7], 7, 7, "[7]", { rows: 1, columns: 7 }],
    [[2, 3, 4], 24, 24, "[2, 3, 4]", { rows: 6, columns: 4 }],
    [["batch"], -1, 1, "[batch]", { rows: -1, columns: 1 }],
    [["batch", 3], -3, 3, "[batch, 3]", { rows: -1, columns: 3 }],
    [["batch", 2, 3], -6, 6, "[batch, 2, 3]", { rows: -2, columns: 3 }],
  ])("%j", (shape, signed, count, text, matrix) => {
    expect([extent(shape), elements(shape), formatShape(shape), asMatrix(shape)]).toEqual([
      signed,
      count,
      text,
      matrix,
    ]);
    expect(checkShape("here", shape)).toBe(shape);
  });

  test.each<[Shape]>([[[0]], [[-1]], [[1.5]], [[2, "batch"]], [["batch", "batch"]], [[2 ** 31]], [["batch", 2 ** 31]]])(
    "%j is none",
    (shape) => {
      expect(() => checkShape("here", shape)).toThrow(failing("ERR_SHAPE", "here"));
    },
  );
});

// Inputs of programs may be typed arrays of every kind of numbers, of this realm or another.
import { runInNewContext } from "node:vm";
import { ops, program, spec } from "carillon";
import { expect, test } from "vitest";

const floats = program({ inputs: { a: spec([3]) }, body: ({ a }) => ({ b: ops.add(a, 1) }) });
const labels = program({ inputs: { a: spec([3], "i32") }, body: ({ a }) => ({ b: ops.oneHot(a, 4) }) });

test.each([
  "Float32Array",
  "Float64Array",
  "Int8Array",
  "Int32Array",
  "Uint8Array",
  "Uint16Array",
  "Uint8ClampedArray",
])("%s", async (name) => {
  for (const a of [Reflect.get(globalThis, name).of(1, 2, 3), runInNewContext(`${name}.of(1, 2, 3)`)]) {
    if (name !== "Int32Array") expect([...(await floats.run({ a })).b.data]).toEqual([2, 3, 4]);
    if (name !== "Float32Array")
      expect([...(await labels.run({ a })).b.data]).toEqual([0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
  }
});

test("numbers that are no integers of 32 bits are refused where these are wanted", async () => {
  for (const a of [Float64Array.of(1, 2.5, 3), Uint32Array.of(1, 2, 2 ** 32 - 1)]) {
    await expect(labels.run({ a: a as never })).rejects.toMatchObject({ code: "ERR_DTYPE", where: "program.inputs.a" });
  }
});

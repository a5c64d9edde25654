// Rows of any rank and dtype, in memory and in streams: how they may be written, and what errors say.
import { describe, expect, test } from "vitest";
import { native } from "../../lib/binding/native.js";
import { type BoundExamples, bindExamples, measureExamples } from "../../lib/data/bind.js";
import { bindData } from "../../lib/data/bind_stream.js";
import type { ExampleShape } from "../../lib/data/block.js";
import { memberOf, rowForm, rowOf } from "../../lib/data/member.js";
import { dataset } from "../../lib/data/stream.js";
import { minMax, NO_UNITS, standardize } from "../../lib/data/transform.js";
import { depthOf } from "../../lib/tensor/copied.js";
import { hasDoubles } from "./elements.js";

type Anything = Parameters<typeof bindExamples>[1];

const one = (shape: readonly number[], dtype: "f32" | "i32" = "f32"): ExampleShape => ({
  inputs: [{ name: "x", shape, dtype }],
  targets: [{ name: "y", shape: [1], dtype: "f32", target: "values" }],
});

/** What native memory holds under a name. */
function held({ bindings }: BoundExamples, name: string, count: number): readonly number[] {
  const binding = bindings.get(name);
  if (binding?.kind !== "feed") throw new Error(`no ${name}`);
  const data =
    binding.dtype === "u8"
      ? new Uint8Array(count)
      : binding.dtype === "i32"
        ? new Int32Array(count)
        : new Float32Array(count);
  native.slabRead(binding.slab, 0, data);
  return [...data];
}

async function bound(x: unknown, shape: ExampleShape, y: unknown = [1, 2]): Promise<BoundExamples> {
  return await bindExamples("data", { x, y } as Anything, shape);
}

/** The rows of a stream, read as a first block. */
async function streamed(items: readonly unknown[], shape: ExampleShape): Promise<BoundExamples> {
  const stream = await bindData(
    "data",
    dataset(() => items as never[]),
    { shape, batch: 2, units: NO_UNITS },
  );
  stream.stream?.start({ seed: 0, step: 0, epoch: 1, rows: 0, epochs: 1, steps: Number.POSITIVE_INFINITY });
  await stream.stream?.next();
  return stream;
}

const NESTED = [
  [
    [1, 2, 3],
    [4, 5, 6],
  ],
  [
    [7, 8, 9],
    [10, 11, 12],
  ],
];
const FLAT = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

describe("rows of two axes", () => {
  test.each<[string, unknown]>([
    ["nested arrays", NESTED],
    ["a flat Float32Array", Float32Array.from(FLAT)],
    ["a flat Float64Array", Float64Array.from(FLAT)],
    ["a flat Uint16Array", Uint16Array.from(FLAT)],
    ["a tensor", { shape: [2, 2, 3], data: Float32Array.from(FLAT) }],
    ["typed arrays with all values of a row", [Float32Array.from(FLAT.slice(0, 6)), Int16Array.from(FLAT.slice(6))]],
    ["typed arrays on the last axis", NESTED.map((row) => row.map((values) => Float32Array.from(values)))],
  ])("%s", async (_, x) => {
    expect(held(await bound(x, one([2, 3])), "x", 12)).toEqual(FLAT);
    // The same as items of a stream: all at once, and one by one.
    expect(held(await streamed([{ x, y: [1, 2] }], one([2, 3])), "x", 12)).toEqual(FLAT);
  });

  test("bytes stay bytes", async () => {
    const examples = await bound(Uint8Array.from(FLAT), one([2, 3]));
    expect(examples.bindings.get("x")).toMatchObject({ dtype: "u8" });
    expect(held(examples, "x", 12)).toEqual(FLAT);
  });

  test("single examples of a stream are nested as a row is, or flat", async () => {
    const [first = [], second = []] = NESTED;
    expect(
      held(
        await streamed(
          [
            { x: first, y: 1 },
            { x: second, y: 2 },
          ],
          one([2, 3]),
        ),
        "x",
        12,
      ),
    ).toEqual(FLAT);
    const flat = [FLAT.slice(0, 6), FLAT.slice(6)].map((x, y) => ({ x, y }));
    expect(held(await streamed(flat, one([2, 3])), "x", 12)).toEqual(FLAT);
  });

  test.each<[string, unknown, string, string]>([
    [
      "a row without its second axis",
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      "ERR_DATA",
      "expected [2, 3] numbers in row 0 for 'data.x'",
    ],
    [
      "another length inside",
      [
        NESTED[0],
        [
          [1, 2, 3],
          [4, 5],
        ],
      ],
      "ERR_DATA",
      "expected [3] numbers in row 1, element [1] for 'data.x' but received array of 2",
    ],
    [
      "a value that is no number",
      [
        NESTED[0],
        [
          [1, 2, 3],
          [4, "5", 6],
        ],
      ],
      "ERR_DATA",
      `expected a finite float32 in row 1, element [1, 1] for 'data.x' but received "5"`,
    ],
    [
      "NaN in flat data",
      Float32Array.from(FLAT, (value) => (value === 9 ? Number.NaN : value)),
      "ERR_DATA",
      "expected a finite float32 in row 1, element [0, 2] for 'data.x' but received NaN",
    ],
    ["a part of a row", new Float32Array(7), "ERR_DATA", "expected rows of 6 values (a multiple of 6) for 'data.x'"],
    [
      "a tensor of another rank",
      { shape: [2, 6], data: Float32Array.from(FLAT) },
      "ERR_SHAPE",
      "expected a tensor of shape [rows, 2, 3] for 'data.x' but received [2, 6]",
    ],
    ["an array that holds itself", itself(), "ERR_DATA", "expected [3] numbers in row 0, element [0]"],
  ])("%s", async (_, x, code, text) => {
    await expect(bound(x, one([2, 3]))).rejects.toMatchObject({
      code,
      where: "data.x",
      message: expect.stringContaining(text),
    });
  });
});

function itself(): readonly unknown[] {
  const array: unknown[] = [];
  array.push(array, array);
  return array;
}

describe("integers", () => {
  const ints = one([2], "i32");

  test.each<[string, unknown]>([
    ["an Int32Array", Int32Array.of(1, -2, 2_147_483_647, -2_147_483_648)],
    [
      "arrays",
      [
        [1, -2],
        [2_147_483_647, -2_147_483_648],
      ],
    ],
    ["a Float64Array", Float64Array.of(1, -2, 2_147_483_647, -2_147_483_648)],
    ["a tensor", { shape: [2, 2], data: Int32Array.of(1, -2, 2_147_483_647, -2_147_483_648) }],
  ])("%s", async (_, x) => {
    const expected = [1, -2, 2_147_483_647, -2_147_483_648];
    const examples = await bound(x, ints);
    expect(examples.bindings.get("x")).toMatchObject({ dtype: "i32" });
    expect(held(examples, "x", 4)).toEqual(expected);
    expect(held(await streamed([{ x, y: [1, 2] }], ints), "x", 4)).toEqual(expected);
  });

  test("bytes become integers", async () => {
    expect(held(await bound(Uint8Array.of(1, 2, 3, 255), ints), "x", 4)).toEqual([1, 2, 3, 255]);
  });

  test("a number a row needs no arrays, in memory and in a stream", async () => {
    expect(held(await bound([3, 5], one([], "i32")), "x", 2)).toEqual([3, 5]);
    expect(held(await bound({ shape: [2], data: Int32Array.of(3, 5) }, one([], "i32")), "x", 2)).toEqual([3, 5]);
    expect(
      held(
        await streamed(
          [
            { x: 3, y: 1 },
            { x: 5, y: 2 },
          ],
          one([], "i32"),
        ),
        "x",
        2,
      ),
    ).toEqual([3, 5]);
  });

  test.each<[string, unknown, string]>([
    [
      "a fraction",
      [
        [1, 2],
        [3, 0.5],
      ],
      "0.5",
    ],
    [
      "a number above 32 bits",
      [
        [1, 2],
        [3, 2_147_483_648],
      ],
      "2147483648",
    ],
    ["NaN", Float32Array.of(1, 2, 3, Number.NaN), "NaN"],
    [
      "text",
      [
        [1, 2],
        [3, "4"],
      ],
      '"4"',
    ],
    [
      "a bigint",
      [
        [1, 2],
        [3, 4n],
      ],
      "4n",
    ],
  ])("%s is told by input, row and column", async (_, x, received) => {
    const text = `expected a 32-bit integer in row 1, column 1 for 'data.x' but received ${received}`;
    await expect(bound(x, ints)).rejects.toMatchObject({ code: "ERR_DATA", message: text });
    const items = [{ x, y: [1, 2] }];
    await expect(streamed(items, ints)).rejects.toMatchObject({ message: text.replace("row 1", "example 1") });
  });

  test("rows of an axis more are refused", async () => {
    await expect(bound([[1], [2]], one([], "i32"))).rejects.toMatchObject({
      code: "ERR_DATA",
      message: "expected a number in row 0 for 'data.x' but received array of 1",
    });
    await expect(bound({ shape: [2, 1], data: Int32Array.of(1, 2) }, one([], "i32"))).rejects.toMatchObject({
      code: "ERR_SHAPE",
      message: "expected a tensor of shape [rows] for 'data.x' but received [2, 1]",
    });
  });

  test("rows that weigh nothing are zeros", async () => {
    const data = { x: Int32Array.of(7, 8, 9, 10), y: [1, 2], weight: [0, 1] };
    expect(held(await bindExamples("data", data, ints), "x", 4)).toEqual([0, 0, 9, 10]);
  });
});

describe("units", () => {
  test("of rows with several axes are those of the last one", async () => {
    const x = { shape: [2, 2, 3], data: Float32Array.from(FLAT) };
    const questions = {
      inputs: [standardize()],
      targets: [{ transform: undefined, classWeights: undefined }],
    };
    const { units } = await measureExamples("data", { x, y: [1, 2] }, one([2, 3]), questions);
    // Columns 1, 4, 7, 10; 2, 5, 8, 11; 3, 6, 9, 12: population deviation √11.25
    expect(units.inputs[0]?.shift).toEqual([5.5, 6.5, 7.5]);
    for (const scale of units.inputs[0]?.scale ?? []) expect(scale).toBeCloseTo(Math.sqrt(11.25), 12);
    const changed = await bindExamples("data", { x, y: [1, 2] }, one([2, 3]), { units });
    const expected = FLAT.map((value) => Math.fround((value - (5.5 + ((value - 1) % 3))) / Math.sqrt(11.25)));
    expect(held(changed, "x", 12).map((value) => value.toFixed(5))).toEqual(expected.map((value) => value.toFixed(5)));
  });

  test("of one number a row", async () => {
    const questions = { inputs: [minMax()], targets: [{ transform: undefined, classWeights: undefined }] };
    const { units } = await measureExamples("data", { x: [2, 6], y: [1, 2] }, one([]), questions);
    expect(units.inputs).toEqual([{ kind: "minMax", shift: [2], scale: [4] }]);
  });
});

test("a row of several axes is read without a copy where it is a typed array", () => {
  const rows = [Float32Array.of(1, 2, 3, 4)];
  expect(rowOf(memberOf("x", rows, rowForm([2, 2])), 0)).toBe(rows[0]);
});

test("a look at how deep rows are nested leaves rows of doubles as they are", () => {
  const rows = Array.from({ length: 20_000 }, () => [[0.5, 1.5]]);
  let depth = 0;
  for (const row of rows) depth += depthOf(row);
  expect(depth).toBe(2 * rows.length);
  expect(rows.filter(([row = []]) => !hasDoubles(row))).toHaveLength(0);
});

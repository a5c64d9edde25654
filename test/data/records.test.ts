// Records of named inputs and outputs, in memory and in streams.
import { describe, expect, test } from "vitest";
import { native } from "../../lib/binding/native.js";
import { type BoundExamples, bindExamples, measureExamples } from "../../lib/data/bind.js";
import { bindData } from "../../lib/data/bind_stream.js";
import type { ExampleShape } from "../../lib/data/block.js";
import { hold, isSmall } from "../../lib/data/held.js";
import { dataset } from "../../lib/data/stream.js";
import { NO_UNITS, standardize } from "../../lib/data/transform.js";
import { kFold, split } from "../../lib/index.js";

type Anything = Parameters<typeof bindExamples>[1];

const SHAPE: ExampleShape = {
  inputs: [
    { name: "user", shape: [], dtype: "i32" },
    { name: "age", shape: [1], dtype: "f32" },
    { name: "image", shape: [2, 2], dtype: "f32" },
  ],
  targets: [
    { name: "rating", shape: [1], dtype: "f32", target: "values" },
    { name: "click", shape: [3], dtype: "f32", target: "classes", names: ["no", "yes", "later"] },
  ],
};

const X = {
  user: Int32Array.of(5, 6, 7),
  age: [20, 30, 40],
  image: [
    [
      [1, 2],
      [3, 4],
    ],
    [
      [5, 6],
      [7, 8],
    ],
    [
      [9, 10],
      [11, 12],
    ],
  ],
};
const Y = { rating: Float32Array.of(0.5, 1.5, 2.5), click: ["yes", "no", "later"] };

function held({ bindings }: BoundExamples, name: string, count: number): readonly number[] {
  const binding = bindings.get(name);
  if (binding?.kind !== "feed") throw new Error(`no ${name}`);
  const data = binding.dtype === "i32" ? new Int32Array(count) : new Float32Array(count);
  native.slabRead(binding.slab, 0, data);
  return [...data];
}

async function bound(data: unknown): Promise<BoundExamples> {
  return await bindExamples("data", data as Anything, SHAPE);
}

async function streamed(items: readonly unknown[]): Promise<BoundExamples> {
  const options = { shape: SHAPE, batch: 3, units: NO_UNITS };
  const stream = await bindData(
    "data",
    dataset(() => items as never[]),
    options,
  );
  stream.stream?.start({ seed: 0, step: 0, epoch: 1, rows: 0, epochs: 1, steps: Number.POSITIVE_INFINITY });
  await stream.stream?.next();
  return stream;
}

function expectAll(examples: BoundExamples): void {
  expect(held(examples, "x.user", 3)).toEqual([5, 6, 7]);
  expect(held(examples, "x.age", 3)).toEqual([20, 30, 40]);
  expect(held(examples, "x.image", 12)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  expect(held(examples, "y.rating", 3)).toEqual([0.5, 1.5, 2.5]);
  expect(held(examples, "y.click", 3)).toEqual([1, 0, 2]);
}

const single = (row: number) => ({
  x: { user: 5 + row, age: 20 + 10 * row, image: X.image[row] },
  y: { rating: 0.5 + row, click: Y.click[row] },
});

describe("records", () => {
  test("in memory and in a stream, in blocks and one by one, in any order of the names", async () => {
    expectAll(await bound({ x: X, y: Y }));
    const { image, age, user } = X;
    expectAll(await bound({ x: { image, age, user }, y: { click: Y.click, rating: Y.rating } }));
    expectAll(await streamed([{ x: X, y: Y }]));
    expectAll(await streamed([single(0), single(1), single(2)]));
  });

  test.each<[string, unknown, string, string]>([
    [
      "no record",
      { x: Float32Array.of(1, 2, 3), y: Y },
      "ERR_DATA",
      "expected { user, age, image } for 'data.x' but received Float32Array(3)",
    ],
    [
      "a tensor",
      { x: { shape: [3], data: Float32Array.of(1, 2, 3) }, y: Y },
      "ERR_DATA",
      "expected { user, age, image }",
    ],
    [
      "a name that is missing",
      { x: { user: X.user, age: X.age }, y: Y },
      "ERR_DATA",
      "for 'data.x.image' but received undefined",
    ],
    [
      "a name too many",
      { x: { ...X, item: X.user }, y: Y },
      "ERR_UNKNOWN_OPTION",
      "expected a known option for 'data.x' but received 'item'. Known: 'user', 'age', 'image'",
    ],
    ["a misspelt name", { x: { ...X, imag: X.image }, y: Y }, "ERR_UNKNOWN_OPTION", "Did you mean 'image'?"],
    [
      "a misspelt target",
      { x: X, y: { rating: Y.rating, clik: Y.click } },
      "ERR_UNKNOWN_OPTION",
      "Did you mean 'click'?",
    ],
    [
      "other rows",
      { x: { ...X, age: [1, 2] }, y: Y },
      "ERR_DATA",
      "expected 3 rows, as x.user has, for 'data.x.age' but received 2",
    ],
    [
      "other rows of a target",
      { x: X, y: { ...Y, rating: [1, 2] } },
      "ERR_DATA",
      "expected 3 rows, as x.user has, for 'data.y.rating' but received 2",
    ],
    [
      "a fraction for an integer",
      { x: { ...X, user: [5, 6.5, 7] }, y: Y },
      "ERR_DATA",
      "expected a 32-bit integer in row 1, column 0 for 'data.x.user' but received 6.5",
    ],
    [
      "an unknown name of a class",
      { x: X, y: { ...Y, click: ["yes", "maybe", "no"] } },
      "ERR_LABEL",
      "for 'data.y.click' but received \"maybe\" in row 1",
    ],
    [
      "weights of an output that there is not",
      { x: X, y: Y, weight: { ratings: [1, 1, 1] } },
      "ERR_UNKNOWN_OPTION",
      "Did you mean 'rating'?",
    ],
  ])("%s", async (_, data, code, text) => {
    await expect(bound(data)).rejects.toMatchObject({ code, message: expect.stringContaining(text) });
    await expect(streamed([data])).rejects.toMatchObject({ code });
  });

  test("units and factors of classes by name", async () => {
    const none = { transform: undefined, classWeights: undefined };
    const questions = {
      inputs: [undefined, standardize(), undefined],
      targets: [none, { transform: undefined, classWeights: "balanced" as const }],
    };
    const y = { rating: Y.rating, click: ["yes", "no", "yes"] };
    const found = await measureExamples("data", { x: X, y } as unknown as Anything, SHAPE, questions);
    expect(found.units.inputs.map((units) => units?.shift)).toEqual([undefined, [30], undefined]);
    expect(found.classFactors).toEqual([undefined, [1, 0.5, 0]]);
  });
});

describe("weights", () => {
  test("of all outputs are one; of some, theirs; an output without any weighs 1", async () => {
    const all = await bound({ x: X, y: Y, weight: [1, 2, 0] });
    expect(all.outputs.map(({ weight, zeros }) => [weight, zeros])).toEqual([
      ["weight", true],
      ["weight", true],
    ]);
    expect(held(all, "weight", 3)).toEqual([1, 2, 0]);
    expect(held(all, "x.user", 3)).toEqual([5, 6, 0]); // what weighs nothing anywhere is left out
    const some = await bound({ x: X, y: Y, weight: { click: [0, 2, 1] } });
    expect(some.outputs.map(({ weight }) => weight)).toEqual([undefined, "weight.click"]);
    expect(held(some, "x.user", 3)).toEqual([5, 6, 7]);
    const both = await bound({ x: X, y: Y, weight: { click: [0, 2, 1], rating: [0, 0, 1] } });
    expect(held(both, "weight.rating", 3)).toEqual([0, 0, 1]);
    expect(held(both, "x.user", 3)).toEqual([0, 6, 7]);
  });

  test("in a stream they are the same", async () => {
    const weight = { click: [0, 2, 1], rating: [0, 0, 1] };
    const both = await streamed([{ x: X, y: Y, weight }]);
    expect(held(both, "weight.rating", 3)).toEqual([0, 0, 1]);
    expect(held(both, "weight.click", 3)).toEqual([0, 2, 1]);
    expect(held(both, "x.user", 3)).toEqual([0, 6, 7]);
    const first = { ...single(0), weight: { click: 1 } };
    await expect(streamed([first, single(1)])).rejects.toMatchObject({
      code: "ERR_DATA",
      message: expect.stringContaining("a weight, as the first example has one"),
    });
  });

  test("an output that weighs nothing at all is refused by its name", async () => {
    await expect(bound({ x: X, y: Y, weight: { click: [0, 0, 0] } })).rejects.toMatchObject({
      code: "ERR_DATA",
      where: "data.weight.click",
    });
  });
});

describe("a set that is held", () => {
  test("is copied with the members of its records", () => {
    const x = { user: Int32Array.of(1, 2), image: [[[1]], [[2]]] };
    const { data } = hold("data", { x, y: [0, 1] } as Anything, true);
    x.user[0] = 9;
    (x.image[0]?.[0] as number[])[0] = 9;
    expect(data).toEqual({ x: { user: Int32Array.of(1, 2), image: [[[1]], [[2]]] }, y: [0, 1] });
  });

  test("tells of a member that was transferred away, by its path", () => {
    const x = { user: Int32Array.of(1, 2) };
    const { unchanged } = hold("data", { x, y: [0, 1] } as Anything, false);
    unchanged();
    structuredClone(x.user, { transfer: [x.user.buffer] });
    expect(unchanged).toThrow(expect.objectContaining({ code: "ERR_DETACHED", where: "data.x.user" }));
  });

  test("is small by the bytes of all members", () => {
    const many = new Float32Array(600_000);
    const set = { x: { a: many, b: many }, y: [1] } as Anything;
    expect(isSmall(set)).toBe(false);
    expect(isSmall({ x: { a: many }, y: [1] } as Anything)).toBe(true);
  });
});

describe("divided", () => {
  const data = { x: X, y: Y, weight: { click: [1, 2, 3] } };

  test("split keeps records, and the rows of all members together", () => {
    const { train, validation, rows } = split(data, { validation: 1, order: "time" });
    expect([...rows.validation]).toEqual([2]);
    expect(train).toEqual({
      x: { user: Int32Array.of(5, 6), age: [20, 30], image: X.image.slice(0, 2) },
      y: { rating: Float32Array.of(0.5, 1.5), click: ["yes", "no"] },
      weight: { click: [1, 2] },
    });
    expect(validation.y.click).toEqual(["later"]);
  });

  test("kFold as well", () => {
    const folds = [...kFold(data, 3, { seed: 1 })];
    const held = folds.flatMap(({ validation }) => [...validation.x.user]);
    expect(held.sort()).toEqual([5, 6, 7]);
    for (const { train, rows } of folds) expect([...train.x.user]).toEqual([...rows.train].map((row) => 5 + row));
  });

  test("members of another number of rows are refused by their path", () => {
    expect(() => split({ ...data, y: { ...Y, rating: Float32Array.of(1, 2, 3, 4) } }, { validation: 1 })).toThrow(
      expect.objectContaining({ code: "ERR_DATA", where: "split.data.y.rating" }),
    );
  });
});

// Labels as people write them: every form trains the very bits of integers.
import {
  binaryCrossEntropy,
  crossEntropy,
  dataset,
  fit,
  kFold,
  type Loss,
  linear,
  sequential,
  sgd,
  split,
} from "carillon";
import { describe, expect, test } from "vitest";
import { bindLabels } from "../../lib/data/labels.js";

const integers = [0, 2, 1, 1, 2, 0];
const expected = Int32Array.from(integers);
const hot = integers.map((label) => [0, 1, 2].map((place) => (place === label ? 1 : 0)));
const x = integers.map((label, row) => [label / 2 + row / 8, (row * 3) % 4]);

describe("labels of every form are integers", () => {
  test.each<[string, unknown]>([
    ["an array", integers],
    ["bigints", integers.map(BigInt)],
    ["a BigInt64Array", BigInt64Array.from(integers.map(BigInt))],
    ["a BigUint64Array", BigUint64Array.from(integers.map(BigInt))],
    ["a Float32Array", Float32Array.from(integers)],
    ["a Float64Array", Float64Array.from(integers)],
    ["an Int8Array", Int8Array.from(integers)],
    ["a Uint16Array", Uint16Array.from(integers)],
    ["a tensor of floats", { shape: [6], data: Float32Array.from(integers) }],
    ["rows with a single 1", hot],
    ["typed rows with a single 1", hot.map((row) => Float32Array.from(row))],
    ["flat rows with a single 1", Uint8Array.from(hot.flat())],
    ["a tensor with a single 1 a row", { shape: [6, 3], data: Float32Array.from(hot.flat()) }],
  ])("%s", (_, y) => {
    expect(bindLabels("y", y, 3, { rows: 6 })).toEqual(expected);
  });

  test("names", () => {
    const names = ["apple", "pear", "plum"];
    const y = integers.map((label) => names[label]);
    expect(bindLabels("y", y, 3, { names })).toEqual(expected);
    expect(bindLabels("y", integers, 3, { names })).toEqual(expected);
  });

  test.each<[unknown, string]>([
    [[0n, 3n], "expected an integer in [0, 2] for 'y' but received 3n in row 1"],
    [[-1n], "received -1n in row 0"],
    [[2n ** 70n], "received 1180591620717411303424n in row 0"],
    [Float64Array.of(0, 1.5), "received 1.5 in row 1"],
    [
      [
        [0, 1, 0],
        [0, 0, 0],
      ],
      "a single 1 among zeros",
    ],
    [
      [
        [0, 1, 0],
        [1, 0, 1],
      ],
      "in row 1",
    ],
    [[[0.2, 0.3, 0.5]], "crossEntropy({ target: 'probabilities' })"],
    [
      ["0"],
      "an integer in [0, 2], as the classes have no names (option 'classes' of fit), for 'y' but received \"0\" in row 0",
    ],
  ])("%# refuses %o", (y, text) => {
    expect(() => bindLabels("y", y, 3, { rows: 2 })).toThrow(
      expect.objectContaining({ code: "ERR_LABEL", where: "y", message: expect.stringContaining(text) }),
    );
  });

  test("an unknown name is told with those that are known", () => {
    expect(() => bindLabels("y", ["a", "c"], 2, { names: ["a", "b"] })).toThrow(
      "expected one of the classes 'a', 'b' for 'y' but received \"c\" in row 1",
    );
  });
});

async function trained(loss: Loss, outputs: number, y: unknown): Promise<readonly number[]> {
  const model = sequential(linear(2, outputs));
  const data = { x, y: y as readonly number[] };
  await fit(model, { data, loss, optimizer: sgd({ lr: 0.1 }), batchSize: 2, epochs: 2, shuffle: false, seed: 1 });
  return [...model.weights().values()].flatMap(({ data: values }) => [...values]);
}

async function streamed(loss: Loss, outputs: number, items: () => Iterable<unknown>): Promise<readonly number[]> {
  const model = sequential(linear(2, outputs));
  const data = dataset(items as () => Iterable<{ x: number[]; y: number }>);
  await fit(model, { data, loss, optimizer: sgd({ lr: 0.1 }), batchSize: 2, epochs: 2, shuffle: false, seed: 1 });
  return [...model.weights().values()].flatMap(({ data: values }) => [...values]);
}

// A column of a CSV that was read half as numbers looks like this.
test("labels of several types in one array are refused by their row", async () => {
  const mixed: unknown[][] = [
    ["a", 1, "b", "a", "b", "a"],
    [0, 1n, 1, 0, 1, 0],
    [0, [0, 1], 1, 0, 1, 0],
  ];
  for (const y of mixed) {
    const refused = { code: "ERR_LABEL", message: expect.stringContaining("row 1") };
    await expect(trained(crossEntropy(), 2, y)).rejects.toMatchObject(refused);
    expect(() =>
      Reflect.apply(split, undefined, [
        { x, y },
        { validation: 0.5, stratify: true },
      ]),
    ).toThrow(expect.objectContaining(refused));
  }
});

test("flat rows with a single 1 are labels of a set in memory", async () => {
  const bits = await trained(crossEntropy(), 3, integers);
  expect(await trained(crossEntropy(), 3, Float32Array.from(hot.flat()))).toEqual(bits);
  expect(await trained(crossEntropy(), 3, { shape: [6, 3], data: Uint8Array.from(hot.flat()) })).toEqual(bits);
});

test("bigints and rows with a single 1 train the bits of integers, from memory and from a stream", async () => {
  const bits = await trained(crossEntropy(), 3, integers);
  for (const y of [integers.map(BigInt), hot]) {
    expect(await trained(crossEntropy(), 3, y)).toEqual(bits);
    const one = function* () {
      for (const [row, label] of y.entries()) yield { x: x[row], y: label };
    };
    expect(await streamed(crossEntropy(), 3, one)).toEqual(bits);
    const all = function* () {
      yield { x: x.flat(), y: y.flat() };
    };
    expect(await streamed(crossEntropy(), 3, all)).toEqual(bits);
  }
});

test("bigints are the targets of one output that says yes or no", async () => {
  const y = integers.map((label) => (label === 2 ? 1 : 0));
  const bits = await trained(binaryCrossEntropy(), 1, y);
  expect(await trained(binaryCrossEntropy(), 1, y.map(BigInt))).toEqual(bits);
  const items = function* () {
    for (const [row, label] of y.entries()) yield { x: x[row], y: BigInt(label) };
  };
  expect(await streamed(binaryCrossEntropy(), 1, items)).toEqual(bits);
});

describe("split and kFold divide by classes of every form as by integers", () => {
  const rows = 30;
  const features = Array.from({ length: rows }, (_, row) => [row]);
  const labels = Array.from({ length: rows }, (_, row) => (row % 5 === 0 ? 2 : row % 2));
  const forms = {
    bigints: labels.map(BigInt),
    names: labels.map((label) => ["a", "b", "c"][label] ?? ""),
    hot: labels.map((label) => [0, 1, 2].map((place) => (place === label ? 1 : 0))),
  };

  test.each(Object.entries(forms))("%s", (_, y) => {
    const options = { validation: 9, stratify: true, seed: 4 };
    const found = split({ x: features, y: y as string[] }, options);
    expect(found.validation.x).toEqual(split({ x: features, y: labels }, options).validation.x);
    expect(found.validation.y).toHaveLength(9);
    const folds = [...kFold({ x: features, y: y as string[] }, 3, { stratify: true })];
    const plain = [...kFold({ x: features, y: labels }, 3, { stratify: true })];
    expect(folds.map(({ validation }) => validation.x)).toEqual(plain.map(({ validation }) => validation.x));
  });

  test("numbers in quotes are in the order of their text", () => {
    const { validation } = split(
      { x: [[1], [2], [3], [4]], y: ["10", "9", "9", "10"] },
      { validation: 2, stratify: true },
    );
    expect([...validation.y].sort()).toEqual(["10", "9"]);
  });
});

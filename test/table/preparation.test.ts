// What columns become for a network: the figures of scikit-learn and NumPy, and the same bits from raw rows in another process.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { Sample } from "../../lib/data/quantiles.js";
import {
  adam,
  crossEntropy,
  embedding,
  embeddingBag,
  fit,
  linear,
  network,
  ops,
  type Preparation,
  preparationOf,
  prepare,
  type Schema,
  spec,
  table,
} from "../../lib/index.js";
import { fixture } from "./fixture.js";

const schema: Schema = {
  columns: {
    age: { kind: "number" },
    plan: { kind: "category" },
    active: { kind: "boolean", levels: ["no", "yes"] },
    since: { kind: "date" },
    note: { kind: "text" },
    id: { kind: "id" },
    churned: { kind: "category" },
  },
  target: "churned",
};

const people = Array.from({ length: 40 }, (_, row) => ({
  age: row === 3 ? null : 20 + ((row * 7) % 50),
  plan: row % 5 === 0 ? null : ["basic", "pro", "10"][row % 3],
  active: row % 4 === 0 ? "no" : "yes",
  since: `2020-0${1 + (row % 9)}-1${row % 10}`,
  note: row % 6 === 0 ? "" : `asked for help ${row % 4} times`,
  id: row,
  churned: row % 3 === 0 ? "left" : "stayed",
}));
const source = await table(people);
const preparation = await prepare(source, { schema });

const numbersOf = (made: Preparation, rows: Parameters<Preparation["encode"]>[0]): number[] => [
  ...(made.encode(rows).x.numbers?.data ?? []),
];

describe("numbers", () => {
  test.each(Object.entries(fixture.numbers))(
    "scikit-learn's scales of %s",
    async (_, { values, median, iqr, mean, deviation, min, max }) => {
      const found = await table({ x: values });
      const of = async (scale: string): Promise<number[]> =>
        numbersOf(
          await prepare(found, {
            schema: { columns: { x: { kind: "number" } } },
            transforms: { x: { kind: "numeric", options: { scale } } },
          }),
          found,
        );
      const factor = iqr > 0 ? 1 / iqr : max > min ? 2 / (max - min) : 0;
      const near = (given: readonly number[], expected: readonly number[]): void => {
        given.forEach((value, row) => {
          const wanted = expected[row] ?? Number.NaN;
          expect(Math.abs(value - wanted)).toBeLessThanOrEqual(1e-6 * Math.abs(wanted) + 1e-9);
        });
      };
      near(
        await of("robust"),
        values.map((value) => (value - median) * factor),
      );
      near(
        await of("standard"),
        values.map((value) => (value - mean) / (max > min ? deviation : 1)),
      );
      near(await of("none"), values);
    },
  );

  test("a missing one is the median, and is told", async () => {
    const found = await table({ x: [1, null, 3, 10, Number.NaN] });
    const made = await prepare(found, { schema: { columns: { x: { kind: "number" } } } });
    expect(made.inputs.numbers).toEqual(["x", "x is missing"]);
    expect(numbersOf(made, found)).toEqual(
      [1, null, 3, 10, null].flatMap((x) => [Math.fround(((x ?? 3) - 3) / 4.5), x === null ? 1 : 0]),
    );
    expect(numbersOf(made, { x: "3" })).toEqual([0, 0]);
    expect(numbersOf(made, { x: "NA" })).toEqual([0, 1]);
  });

  test("training rows alone count", async () => {
    const found = await table({ x: [1, 2, 3, 1000], c: ["a", "b", "a", "new"] });
    const made = await prepare(found, {
      schema: { columns: { x: { kind: "number" }, c: { kind: "category" } } },
      rows: [0, 1, 2],
    });
    expect(numbersOf(made, found)).toEqual([-1, 0, 1, 998]);
    const { x, unseen } = made.encode(found);
    expect([[...(x.categories?.data ?? [])], unseen]).toEqual([[1, 2, 1, 0], { c: 1 }]);
  });

  test.each<[string, (row: number) => number]>([
    ["in any order", (row) => (row * 7919) % 99_991],
    ["rising", (row) => row],
    ["falling, with gaps", (row) => (row % 3 === 0 ? Number.NaN : -row)],
    ["few different ones", (row) => (row * 31) % 4],
    ["some far out", (row) => (row % 50 === 0 ? row * 1e9 : (row * 7919) % 17)],
    // The rows that are looked at first lie otherwise than the others.
    ["against what is looked at", (row) => (row % 12 === 0 ? 1e6 + row : row)],
  ])("quantiles of many values are those of sorting: %s", (_, made) => {
    const values = Float64Array.from({ length: 99_991 }, (_, row) => made(row));
    const sample = new Sample(0, 1);
    const missing = sample.add(values);
    const sorted = values.filter((value) => !Number.isNaN(value)).sort();
    expect(missing).toBe(values.length - sorted.length);
    for (const share of [0.5, 0.75, 0.25, 0, 1, 0.001, 0.999]) {
      const place = (sorted.length - 1) * share;
      const [low = 0, high = low] = sorted.subarray(Math.floor(place), Math.floor(place) + 2);
      expect(sample.quantile(share), `${share}`).toBeCloseTo(low + (high - low) * (place % 1), 6);
    }
  });

  test("quantiles beyond what is kept are those of a uniform sample, the same for a seed", () => {
    const of = (seed: number): number[] => {
      const sample = new Sample(seed, 1, 2000);
      for (let value = 0; value < 50_000; value++) sample.add(Float64Array.of((value * 7919) % 50_000));
      return [0.1, 0.5, 0.9].map((share) => sample.quantile(share));
    };
    expect(of(1)).toEqual(of(1));
    expect(of(1)).not.toEqual(of(2));
    // A share of 2,000 has a deviation of at most 0.5/√2000 = 0.0112; five of them are 2,795 of 50,000.
    for (const seed of [1, 2, 3]) {
      of(seed).forEach((value, at) => {
        expect(Math.abs(value - ([5000, 25_000, 45_000][at] ?? 0))).toBeLessThan(2795);
      });
    }
  });
});

test("categories have scikit-learn's codes and one, in the order of code units", async () => {
  const found = await table({ c: fixture.levels });
  const made = await prepare(found, { schema: { columns: { c: { kind: "category" } } } });
  expect([...(made.encode(found).x.categories?.data ?? [])]).toEqual(fixture.codes.map((code) => code + 1));
  expect(made.inputs.categories).toEqual([{ column: "c", count: new Set(fixture.levels).size + 1 }]);
});

test("a category that looks like a number is the text that it is", async () => {
  const made = await prepare(await table({ zip: ["01", "1", "10"] }), {
    schema: { columns: { zip: { kind: "category" } } },
  });
  const codes = (rows: readonly Record<string, unknown>[]): number[] => [
    ...(made.encode(rows).x.categories?.data ?? []),
  ];
  expect(codes([{ zip: "01" }, { zip: "1" }, { zip: 1 }, { zip: 10 }, { zip: 2 }, { zip: null }])).toEqual([
    1, 2, 2, 3, 0, 0,
  ]);
});

test("two values are −1 and 1; what is neither is 0 and counted", async () => {
  const made = await prepare(await table({ b: ["no", "yes", "no"], t: [true, false, null] }), {
    schema: { columns: { b: { kind: "boolean", levels: ["no", "yes"] }, t: { kind: "boolean" } } },
  });
  const rows = [
    { b: "yes", t: false },
    { b: "maybe", t: "true" },
    { b: null, t: null },
  ];
  expect(numbersOf(made, rows)).toEqual([1, -1, 0, 1, 0, 0]);
  expect(made.encode(rows).unseen).toEqual({ b: 1 });
});

test("texts have the pieces of scikit-learn's vectorizers", async () => {
  const found = await table({ t: fixture.texts });
  const most = async (options: object): Promise<number[]> => {
    const made = await prepare(found, {
      schema: { columns: { t: { kind: "text" } } },
      transforms: { t: { kind: "hashedText", options } },
    });
    const { data, shape } = made.encode(found).x.text1 ?? { data: new Int32Array(), shape: [0, 0] };
    const [rows = 0, width = 0] = shape;
    return Array.from(
      { length: rows },
      (_, row) => data.subarray(row * width, (row + 1) * width).filter((id) => id >= 0).length,
    );
  };
  const buckets = 2 ** 30; // two pieces of these share none of them
  expect(await most({ buckets, characters: [0, 0] })).toEqual(fixture.pieces.map(([words]) => words));
  expect(await most({ buckets, words: [0, 0] })).toEqual(fixture.pieces.map(([, characters]) => characters));
  expect(await most({ buckets })).toEqual(fixture.pieces.map(([words, characters]) => words + characters));
});

test("the most pieces are those of the text that has most alone, be there longer ones that say the same again and again", async () => {
  const fitted = async (t: readonly string[], options: object): Promise<number | undefined> => {
    const schema: Schema = { columns: { t: { kind: "text" } } };
    const made = await prepare({ t }, { schema, transforms: { t: { kind: "hashedText", options } } });
    return made.inputs.texts[0]?.most;
  };
  const texts = ["so ".repeat(90), "a", "one two three four five", "", "on and on and on and on", "Große Straße, 12"];
  for (const options of [
    {},
    { buckets: 4 },
    { words: [2, 3] },
    { words: [0, 0] },
    { characters: [0, 0] },
    { most: 9 },
  ]) {
    const alone = await Promise.all(texts.map((text) => fitted([text, "a"], options)));
    expect(await fitted(texts, options)).toBe(Math.max(...alone.map(Number)));
  }
});

test("the bucket of a piece is FNV-1a of its UTF-16 units, mixed: values worked out in Python", async () => {
  const made = await prepare(await table({ t: ["cat", "é"] }), {
    schema: { columns: { t: { kind: "text" } } },
    transforms: { t: { kind: "hashedText", options: { buckets: 262_144, characters: [0, 0] } } },
  });
  expect([...(made.encode([{ t: "Cat" }, { t: "É" }, { t: null }]).x.text1?.data ?? [])]).toEqual([CAT, ACUTE, -1]);
});
const CAT = 64_417;
const ACUTE = 31_415;

test("dates are a trend and turns of the year and the week", async () => {
  const found = await table({ d: ["2020-01-01", "2020-01-11", "2020-01-21", null] });
  const made = await prepare(found, { schema: { columns: { d: { kind: "date" } } } });
  expect(made.inputs.numbers.map((name) => name.slice(2))).toEqual([
    "trend",
    "year sine",
    "year cosine",
    "week sine",
    "week cosine",
    "is missing",
  ]);
  const row = numbersOf(made, { d: "2020-01-21" });
  const [year, week] = [(2 * Math.PI * 20) / 365.2425, (2 * Math.PI * (18_282 % 7)) / 7];
  const expected = [1, Math.sin(year), Math.cos(year), Math.sin(week), Math.cos(week), 0];
  row.forEach((value, at) => {
    expect(value).toBeCloseTo(expected[at] ?? Number.NaN, 6);
  });
  expect(numbersOf(made, { d: new Date("2020-01-21") })).toEqual(row);
  expect(numbersOf(made, { d: null })).toEqual([0, 0, 0, 0, 0, 1]);
});

describe("rows in any form, in any process", () => {
  test("objects, lists, columns and tables have the same bits", () => {
    const whole = preparation.encode(source);
    expect(preparation.encode(people)).toEqual(whole);
    const columns = Object.fromEntries(
      source.names.map((name) => [name, people.map((row) => Reflect.get(row, name) as unknown)]),
    );
    expect(preparation.encode(columns as never)).toEqual(whole);
    const one = preparation.encode(people[7] ?? {});
    expect(one.x.numbers?.data).toEqual(whole.x.numbers?.data.slice(7 * 8, 8 * 8));
    expect(whole.x.numbers?.shape).toEqual([40, 8]);
  });

  test("its JSON makes the same again", () => {
    const json = JSON.stringify(preparation);
    const again = preparationOf(JSON.parse(json));
    expect(again.encode(people)).toEqual(preparation.encode(people));
    expect(again.classes).toEqual(["left", "stayed"]);
    expect(JSON.stringify(again)).toBe(json);
  });

  test("in another process too", () => {
    const dist = fileURLToPath(new URL("../../dist/index.js", import.meta.url));
    if (!existsSync(join(dist))) return;
    const program = `
      import { preparationOf } from ${JSON.stringify(dist)};
      const made = preparationOf(JSON.parse(process.argv[1]));
      const { x } = made.encode(JSON.parse(process.argv[2]));
      console.log(JSON.stringify(Object.values(x).map(({ data }) => [...data])));`;
    const { stdout, stderr } = spawnSync(
      process.execPath,
      ["--input-type=module", "-e", program, JSON.stringify(preparation), JSON.stringify(people)],
      { encoding: "utf8" },
    );
    const own = Object.values(preparation.encode(people).x).map(({ data }) => [...data]);
    expect(JSON.parse(stdout === "" ? `"${stderr}"` : stdout)).toEqual(own);
  });

  test("targets: classes in the order of their names, values as they are", async () => {
    expect([...(preparation.examples(source).y as Int32Array)].slice(0, 4)).toEqual([0, 1, 1, 0]);
    const value = await prepare(source, { schema: { ...schema, target: "age" } });
    await expect(async () => value.examples(source)).rejects.toThrow(
      "expected a value for 'table, row 3, target 'age'' but received null",
    );
    expect(value.examples(source.pick([0, 1])).y).toEqual({ shape: [2, 1], data: Float64Array.of(20, 27) });
  });
});

test("a network takes what is prepared, and learns of it", async () => {
  const { most = 1, buckets = 1 } = preparation.inputs.texts[0] ?? {};
  const model = network({
    inputs: {
      numbers: spec(["batch", 8]),
      categories: spec(["batch", 1], "i32"),
      text1: spec(["batch", most], "i32"),
    },
    layers: { plans: embedding(4, 2), notes: embeddingBag(buckets, 2, { rows: "touched" }), last: linear(12, 2) },
    forward(inputs, { plans, notes, last }) {
      const plan = ops.reshape(plans(inputs.categories), ["batch", 2]);
      return last(ops.concat([inputs.numbers, plan, notes(inputs.text1)]));
    },
  });
  const { x, y } = preparation.examples(source);
  const [numbers, categories, note] = [x.numbers, x.categories, x.text1];
  if (numbers === undefined || categories === undefined || note === undefined || !(y instanceof Int32Array))
    throw new Error("expected all inputs");
  const data = { x: { numbers, categories, text1: note }, y };
  const { history } = await fit(model, {
    data,
    classes: preparation.classes,
    loss: crossEntropy(),
    optimizer: adam({ lr: 0.05 }),
    epochs: 20,
    seed: 1,
  });
  expect(history.at(-1)?.loss).toBeLessThan(0.8 * (history[0]?.loss ?? 0));
});

describe("what is wrong is one sentence with row and column", () => {
  test.each([
    [
      "a text in the place of a number",
      { ...people[0], age: "old" },
      "expected a number for 'row 0, column 'age'' but received \"old\"",
    ],
    [
      "no number at all",
      { ...people[0], age: Number.POSITIVE_INFINITY },
      "expected a finite number for 'row 0, column 'age'' but received Infinity",
    ],
    [
      "no date",
      { ...people[0], since: "soon" },
      "expected a date (ymd) for 'row 0, column 'since'' but received \"soon\"",
    ],
    ["a list", { ...people[0], plan: [1] }, "for 'row 0, column 'plan'' but received array of 1"],
    [
      "a key that is not there",
      { agee: 1 },
      "expected 'age' in 'row 0', null where it is missing, but received 'agee'",
    ],
  ])("%s", (_, row, message) => {
    expect(() => preparation.encode([row])).toThrow(message);
  });

  test("columns of which nothing can be made, by their names", async () => {
    const columns = { a: { kind: "number" }, t: { kind: "category" } } as const;
    const given = async (rows: Record<string, unknown>[], target?: string): Promise<unknown> =>
      await prepare(await table(rows), { schema: { columns, ...(target === undefined ? {} : { target }) } });
    await expect(given([{ a: null, t: "x" }])).rejects.toThrow(
      "expected a number in some training row for 'column 'a''",
    );
    await expect(given([{ a: 1, t: "x" }], "t")).rejects.toThrow(
      "expected two classes at least for 'prepare, target 't'' but received \"x\"",
    );
    await expect(given([{ t: "x" }])).rejects.toThrow("expected a column of 'prepare");
    await expect(given([{ a: "x", t: "x" }])).rejects.toThrow("expected numbers for 'column 'a''");
  });

  test("a preparation that somebody has changed", () => {
    const json = JSON.parse(JSON.stringify(preparation)) as {
      version: number;
      columns: { state: Record<string, unknown> }[];
    };
    expect(() => preparationOf({ ...json, version: 2 })).toThrow(expect.objectContaining({ code: "ERR_FILE" }));
    const columns = json.columns.map((column, at) =>
      at === 0 ? { ...column, state: { ...column.state, shift: "x" } } : column,
    );
    expect(() => preparationOf({ ...json, columns })).toThrow(
      "expected a finite number for 'preparation.columns[0].state.shift'",
    );
    expect(() => preparationOf("x")).toThrow(expect.objectContaining({ code: "ERR_FILE" }));
  });
});

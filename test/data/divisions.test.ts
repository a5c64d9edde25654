// Groups, time, several labels, three parts, lists of rows, and how many rows flat data has.
import { crossEntropy, dataset, fit, kFold, linear, sequential, sgd, split } from "carillon";
import { describe, expect, test } from "vitest";
import fixture from "./fixtures/divisions.json" with { type: "json" };

const count = (rows: number): number[] => Array.from({ length: rows }, (_, row) => row);
const sorted = (rows: Iterable<number>): number[] => [...rows].sort((a, b) => a - b);
const down = (sizes: readonly number[]): number[] => [...sizes].sort((a, b) => b - a);
const overlap = <T>(a: readonly T[], b: readonly T[]): T[] => a.filter((one) => b.includes(one));

describe("flat data", () => {
  const x = Float32Array.from(count(24)); // 6 rows of 4
  const y = Float32Array.from(count(12)); // 6 rows of 2

  /** Rows of x and y by their first value: both tell the row. */
  function expectWhole({ x: xs, y: ys }: { readonly x: ArrayLike<number>; readonly y: ArrayLike<number> }): void {
    expect(ys.length).toBe(xs.length / 2);
    for (let row = 0; row < xs.length / 4; row++) {
      const number = (xs[row * 4] ?? -1) / 4;
      expect(Array.from({ length: 4 }, (_, column) => xs[row * 4 + column])).toEqual(
        [0, 1, 2, 3].map((c) => number * 4 + c),
      );
      expect([ys[row * 2], ys[row * 2 + 1]]).toEqual([number * 2, number * 2 + 1]);
    }
  }

  test("of several targets a row is told by `rows`, by a tensor, or by weights", () => {
    const weight = new Float32Array(6).fill(1);
    const parts = [
      ...Object.values(split({ x, y }, { validation: 2, rows: 6, seed: 1 })).slice(0, 2),
      ...Object.values(split({ x, y, weight }, { validation: 2, seed: 1 })).slice(0, 2),
      ...[...kFold({ x, y }, 3, { rows: 6 })].flatMap(({ train, validation }) => [train, validation]),
    ];
    for (const part of parts) expectWhole(part as { x: Float32Array; y: Float32Array });
    const { train, validation } = split({ x: { shape: [6, 4], data: x }, y }, { validation: 2, seed: 1 });
    for (const part of [train, validation]) expectWhole({ x: part.x.data, y: part.y });
    const nested = split(
      { x: count(6).map((row) => [...x.subarray(row * 4, row * 4 + 4)]), y },
      { validation: 2, seed: 1 },
    );
    expectWhole({ x: nested.train.x.flat(), y: nested.train.y });
  });

  test("has one value of y a row where nothing says more, and x divides by that", () => {
    expect(split({ x, y }, { validation: 2 }).validation.y).toHaveLength(2);
    const torn = { x, y: Float32Array.from(count(10)) };
    for (const make of [() => split(torn, { validation: 2 }), () => kFold(torn, 2)]) {
      expect(make).toThrow(expect.objectContaining({ code: "ERR_DATA", message: expect.stringContaining("10 rows") }));
    }
  });

  test.each<[string, object, number | undefined, string]>([
    [
      "y that does not divide by the rows of x",
      { x: [[1], [2], [3], [4]], y: Float32Array.of(1, 2, 3, 4, 5, 6) },
      undefined,
      "split.data.y",
    ],
    [
      "weights of another number",
      { x: [[1], [2], [3], [4]], y: [1, 2, 3, 4], weight: new Float32Array(8) },
      undefined,
      "split.data.weight",
    ],
    ["x that does not divide by `rows`", { x, y }, 5, "split.data.x"],
    ["y that does not divide by `rows`", { x, y: y.subarray(0, 11) }, 6, "split.data.y"],
    ["`rows` other than those of x", { x: [[1], [2], [3], [4]], y: [1, 2, 3, 4] }, 2, "split.rows"],
  ])("%s is refused", (_name, data, rows, where) => {
    expect(() => split(data as { x: number[][]; y: number[] }, { validation: 1, rows })).toThrow(
      expect.objectContaining({ where }),
    );
  });

  test("bigints and bytes of a Buffer are copied as what they are", () => {
    const bytes = Buffer.from([0, 1, 2, 3, 4, 5, 6, 7]);
    const { train } = split({ x: bytes, y: BigInt64Array.of(0n, 1n, 2n, 3n) }, { validation: 1 });
    expect(train.y).toBeInstanceOf(BigInt64Array);
    expect([...train.x].filter((_, index) => index % 2 === 0)).toEqual([...train.y].map((one) => Number(one) * 2));
    train.x.fill(9);
    expect([...bytes]).toEqual(count(8));
  });
});

describe("three parts", () => {
  const x = count(100).map((row) => [row]);
  const y = count(100).map((row) => (row % 10 === 0 ? "rare" : "often"));

  test("are of the sizes asked for and have every row once", () => {
    for (const [validation, test_, sizes] of [
      [0.2, 0.1, [70, 20, 10]],
      [25, 0.25, [50, 25, 25]],
      [0.001, 98, [1, 1, 98]],
    ] as const) {
      const { train, validation: held, test: last, rows } = split({ x, y }, { validation, test: test_, seed: 3 });
      expect([train.x.length, held.x.length, last.x.length]).toEqual(sizes);
      expect(sorted([...rows.train, ...rows.validation, ...rows.test])).toEqual(count(100));
      for (const [part, numbers] of [
        [train, rows.train],
        [held, rows.validation],
        [last, rows.test],
      ] as const) {
        expect(part.x.flat()).toEqual([...numbers]);
        expect(part.x.flat()).toEqual(sorted(numbers));
      }
    }
  });

  test("keep the validation set that two parts have, and the share of each class", () => {
    const two = split({ x, y }, { validation: 20, stratify: true, seed: 5 });
    const three = split({ x, y }, { validation: 20, test: 30, stratify: true, seed: 5 });
    expect(three.rows.validation).toEqual(two.rows.validation);
    const rare = (labels: readonly string[]): number => labels.filter((label) => label === "rare").length;
    expect([rare(three.train.y), rare(three.validation.y), rare(three.test.y)]).toEqual([5, 2, 3]);
  });

  test.each([
    { validation: 0.5, test: 0.5 },
    { validation: 50, test: 50 },
    { validation: 20, test: 0 },
    { validation: 20, test: 1.5 },
    { validation: 20, test: 99 },
  ])("%o is refused", (options) => {
    expect(() => split({ x, y }, options)).toThrow(
      expect.objectContaining({ code: "ERR_OPTION", where: "split.test" }),
    );
  });
});

describe("lists of rows", () => {
  const visits = count(60).map((row) => ({ patient: `p${row % 7}`, age: row, ill: row % 5 === 0 }));

  test("are divided as they are, and typed so", () => {
    const { train, validation, rows } = split(visits, { validation: 0.25, seed: 2 });
    const ages: number[] = train.map(({ age }) => age);
    expect([train.length, validation.length]).toEqual([45, 15]);
    expect(ages).toEqual([...rows.train]);
    expect(validation[0]).toBe(visits[rows.validation[0] ?? -1]);
    const same = split({ x: visits.map(({ age }) => [age]), y: count(60) }, { validation: 0.25, seed: 2 });
    expect(same.rows).toEqual(rows);
    const three = split(visits, { validation: 10, test: 10 });
    expect(three.test).toHaveLength(10);
  });

  test("give classes and groups by functions", () => {
    const { validation } = split(visits, { validation: 10, stratify: ({ ill }) => (ill ? "ill" : "well") });
    expect(validation.filter(({ ill }) => ill)).toHaveLength(2);
    for (const { train, validation: held } of kFold(visits, 3, { groups: ({ patient }) => patient })) {
      expect(
        overlap(
          train.map(({ patient }) => patient),
          held.map(({ patient }) => patient),
        ),
      ).toEqual([]);
    }
  });

  test("of { x, y } have their classes in y, and are examples of a stream", async () => {
    const examples = count(40).map((row) => ({ x: [row / 40, 1], y: row % 4 === 0 ? 1 : 0 }));
    const { train, validation } = split(examples, { validation: 8, stratify: true, seed: 1 });
    expect(validation.filter(({ y }) => y === 1)).toHaveLength(2);
    const { step } = await fit(sequential(linear(2, 2)), {
      data: dataset(train),
      validation: dataset(validation),
      loss: crossEntropy(),
      optimizer: sgd({ lr: 0.1 }),
      batchSize: 8,
      epochs: 2,
    });
    expect(step).toBe(8);
    expect(() => split(visits, { validation: 8, stratify: true })).toThrow(
      expect.objectContaining({ code: "ERR_LABEL" }),
    );
  });
});

describe("groups", () => {
  test.each(fixture.groups)("k = $k: sizes are those of scikit-learn's GroupKFold", ({ k, of, sizes }) => {
    const data = { x: of.map((_, row) => [row]), y: of };
    for (const groups of [of, of.map(String), of.map(BigInt), Int32Array.from(of)]) {
      const folds = [...kFold(data, k, { groups, seed: 4 })];
      expect(down(folds.map(({ validation }) => validation.y.length))).toEqual(down(sizes));
      for (const { train, validation } of folds) expect(overlap(train.y, validation.y)).toEqual([]);
      expect(sorted(folds.flatMap(({ rows }) => [...rows.validation]))).toEqual(count(of.length));
    }
  });

  test("the seed decides which of equal groups goes where", () => {
    const of = count(40).map((row) => row % 20);
    const held = (seed: number): string =>
      [...kFold(of, 4, { groups: of, seed })].map(({ rows }) => rows.validation.join()).join(" ");
    expect(held(1)).toBe(held(1));
    expect(held(1)).not.toBe(held(2));
  });

  test("split holds out whole groups, as near to the count as they allow", () => {
    const of = count(200).map((row) => (row * 7) % 23);
    for (const seed of [0, 1, 2, 3]) {
      const { rows } = split(of, { validation: 0.3, test: 40, groups: of, seed });
      const groupsOf = (numbers: Uint32Array): number[] => [...new Set([...numbers].map((row) => of[row] ?? -1))];
      const [train, validation, last] = [rows.train, rows.validation, rows.test].map(groupsOf);
      expect([...overlap(train ?? [], validation ?? []), ...overlap(validation ?? [], last ?? [])]).toEqual([]);
      expect(overlap(train ?? [], last ?? [])).toEqual([]);
      // Groups have 8 or 9 rows: half of one at most is off.
      expect(Math.abs(rows.validation.length - 60)).toBeLessThanOrEqual(4.5);
      expect(Math.abs(rows.test.length - 40)).toBeLessThanOrEqual(4.5);
    }
  });

  test("one group that is larger than the count, and groups that are too few", () => {
    const of = ["a", "a", "a", "a", "b", "b", "b", "b", "b"];
    const { rows } = split(of, { validation: 1, groups: of });
    expect([...rows.validation].map((row) => of[row])).toEqual(["a", "a", "a", "a"]);
    for (const make of [
      () => split(["a", "a"], { validation: 1, groups: ["a", "a"] }),
      () => split(of, { validation: 1, test: 1, groups: of }),
      () => kFold(of, 3, { groups: of }),
    ]) {
      expect(make).toThrow(expect.objectContaining({ code: "ERR_OPTION", where: expect.stringContaining("groups") }));
    }
    expect(() => kFold(of, 2, { groups: of.map(() => ({})) as never })).toThrow(
      expect.objectContaining({ code: "ERR_DATA", message: expect.stringContaining("in row 0") }),
    );
    expect(() => kFold(of, 2, { groups: ["a"] })).toThrow(expect.objectContaining({ code: "ERR_DATA" }));
  });
});

describe("time", () => {
  test.each(fixture.time)("$rows rows in $k folds are scikit-learn's TimeSeriesSplit", ({ rows, k, folds }) => {
    const found = [...kFold(count(rows), k, { order: "time" })];
    expect(found.map(({ fold }) => fold)).toEqual(count(k).map((index) => index + 1));
    for (const [index, { train, validation }] of folds.entries()) {
      expect(found[index]?.validation).toEqual(validation);
      expect(found[index]?.train).toEqual(count(train));
    }
  });

  test("split holds out the last rows", () => {
    expect(split(count(10), { validation: 0.3, order: "time" })).toMatchObject({
      train: count(7),
      validation: [7, 8, 9],
    });
    expect(split(count(10), { validation: 2, test: 3, order: "time" })).toMatchObject({
      train: count(5),
      validation: [5, 6],
      test: [7, 8, 9],
    });
  });

  test("there is one way to divide", () => {
    const of = count(10);
    for (const wrong of [
      { order: "time", groups: of },
      { order: "time", stratify: of },
      { stratify: of, groups: of },
      { order: "random", stratify: 1 },
      { order: "backwards" },
    ]) {
      expect(() => split(of, { validation: 2, ...wrong } as never)).toThrow(
        expect.objectContaining({ code: "ERR_OPTION" }),
      );
      expect(() => kFold(of, 2, wrong as never)).toThrow(expect.objectContaining({ code: "ERR_OPTION" }));
    }
    expect(() => kFold(of, 10, { order: "time" })).toThrow(expect.objectContaining({ where: "kFold.k" }));
    expect([...kFold(of, 9, { order: "time" })]).toHaveLength(9);
  });
});

describe("several labels a row", () => {
  const rows = 300;
  // Labels of 50 %, 20 %, 7 % and 2 % of the rows; some rows have none, some several.
  const y = count(rows).map((row) => [row % 2, row % 5 === 0 ? 1 : 0, row % 14 === 3 ? 1 : 0, row % 50 === 7 ? 1 : 0]);
  const totals = [0, 1, 2, 3].map((label) => y.filter((labels) => labels[label] === 1).length);
  const x = count(rows).map((row) => [row]);

  const forms = {
    rows: y,
    bytes: Uint8Array.from(y.flat()),
    tensor: { shape: [rows, 4], data: Float32Array.from(y.flat()) },
  };
  test.each(Object.entries(forms))("every fold has its share of each: %s", (_name, targets) => {
    for (const k of [3, 5]) {
      const folds = [...kFold({ x, y: targets as number[][] }, k, { stratify: true, seed: 2 })];
      expect(sorted(folds.flatMap(({ rows: { validation } }) => [...validation]))).toEqual(count(rows));
      for (const { rows: numbers } of folds) {
        expect(Math.abs(numbers.validation.length - rows / k)).toBeLessThan(1);
        for (const [label, total] of totals.entries()) {
          const held = [...numbers.validation].filter((row) => y[row]?.[label] === 1).length;
          expect(Math.abs(held - total / k)).toBeLessThanOrEqual(1);
        }
      }
    }
  });

  test("so have two or three parts", () => {
    for (const seed of [0, 1]) {
      const { rows: numbers } = split({ x, y }, { validation: 0.2, test: 30, stratify: true, seed });
      const parts = [numbers.train, numbers.validation, numbers.test];
      expect(parts.map(({ length }) => length)).toEqual([210, 60, 30]);
      for (const part of parts) {
        for (const [label, total] of totals.entries()) {
          const held = [...part].filter((row) => y[row]?.[label] === 1).length;
          expect(Math.abs(held - (total * part.length) / rows)).toBeLessThanOrEqual(1);
        }
      }
    }
    expect(split({ x, y }, { validation: 60, stratify: true, seed: 1 }).rows).not.toEqual(
      split({ x, y }, { validation: 60, stratify: true, seed: 2 }).rows,
    );
  });

  test("rows of other numbers are no labels", () => {
    const wrong = { x, y: y.map((labels) => labels.map((one) => one / 2)) };
    expect(() => split(wrong, { validation: 60, stratify: true })).toThrow(
      expect.objectContaining({ code: "ERR_LABEL" }),
    );
  });
});

test("a class a row, 150,000 of them and one with two, overflows nothing", () => {
  const rows = 150_000;
  const y = Int32Array.from({ length: rows }, (_, row) => Math.max(row, 1));
  const [first] = kFold({ x: new Float32Array(rows), y }, 2, { stratify: true });
  expect(first?.validation.y).toHaveLength(rows / 2);
  expect(split({ x: new Float32Array(rows), y }, { validation: 1, stratify: true }).validation.y).toHaveLength(1);
  const groups = count(rows);
  expect([...kFold(groups, 2, { groups })].map(({ validation }) => validation.length)).toEqual([rows / 2, rows / 2]);
});

test("classes may be given beside the data, compared by value", () => {
  const x = count(30).map((row) => [row]);
  const y = count(30).map((row) => row / 7);
  const stratify = count(30).map((row) => (row % 3 === 0 ? "high" : "low"));
  const { rows } = split({ x, y }, { validation: 9, stratify });
  expect([...rows.validation].filter((row) => row % 3 === 0)).toHaveLength(3);
  for (const fold of kFold({ x, y }, 5, { stratify })) {
    expect([...fold.rows.validation].filter((row) => row % 3 === 0)).toHaveLength(2);
  }
  expect(() => split({ x, y }, { validation: 9, stratify: () => 1 } as never)).toThrow(
    expect.objectContaining({ code: "ERR_OPTION", where: "split.stratify" }),
  );
});

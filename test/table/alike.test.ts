// Random tables by seed, of all kinds of columns through all transforms: a row has the same bits alone, among others, in columns, in tables, in lists, and after JSON.
import { describe, expect, test } from "vitest";
import { preparationOf, prepare, type Schema, table } from "../../lib/index.js";

type Draw = (below: number) => number;

/** Integers below a bound: Park and Miller's minimal standard generator. */
function draws(seed: number): Draw {
  let state = seed + 1;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

type Column = Schema["columns"][string];

interface Kind {
  readonly schema: Column;
  readonly transforms: readonly unknown[];
  /** A value; the later ones are of no training row. */
  value(draw: Draw, isNew: boolean): unknown;
}

const WORDS = ["one", "two", "Три", "three-four", "a", "é", "", "NA", " x "];
const words = (draw: Draw): string => Array.from({ length: draw(6) }, () => WORDS[draw(WORDS.length)]).join(" ");

const oneHots = [{ kind: "oneHot" }, { kind: "oneHot", options: { scale: "none" } }];
const few = [{ kind: "categories" }, { kind: "categories", options: { least: 3 } }, ...oneHots];
const numbers = ["robust", "standard", "normal", "none"].map((scale) => ({ kind: "numeric", options: { scale } }));

const KINDS: readonly Kind[] = [
  { schema: { kind: "number" }, transforms: numbers, value: (draw) => (draw(2000) - 1000) / 7 },
  { schema: { kind: "number" }, transforms: numbers, value: () => -0 },
  {
    schema: { kind: "number", missing: ["-999", "?"] },
    transforms: numbers,
    value: (draw) => (draw(4) === 0 ? -999 : draw(5)),
  },
  {
    schema: { kind: "number", missing: ["?"] },
    transforms: numbers,
    value: (draw) => (draw(4) === 0 ? "?" : String(draw(90) / 8)),
  },
  { schema: { kind: "category" }, transforms: few, value: (draw, isNew) => `c${draw(isNew ? 12 : 6)}` },
  { schema: { kind: "category" }, transforms: few, value: (draw, isNew) => draw(isNew ? 9 : 3) - 1 },
  { schema: { kind: "category" }, transforms: [{ kind: "signs" }, ...few], value: (draw) => draw(2) === 1 },
  {
    schema: { kind: "category" },
    transforms: [{ kind: "hashedText", options: { buckets: 64 } }],
    value: (draw) => words(draw),
  },
  { schema: { kind: "boolean" }, transforms: [{ kind: "signs" }, ...few], value: (draw) => draw(2) },
  { schema: { kind: "boolean" }, transforms: [{ kind: "signs" }, ...few], value: (draw) => ["yes", "no "][draw(2)] },
  {
    schema: { kind: "boolean", levels: ["no", "yes"] },
    transforms: [{ kind: "signs" }, ...few],
    value: (draw, isNew) => ["yes", "no", "maybe"][draw(isNew ? 3 : 2)],
  },
  {
    schema: { kind: "date" },
    transforms: [{ kind: "dateParts" }],
    value: (draw) => new Date(draw(20_000) * 86_400_000),
  },
  {
    schema: { kind: "date" },
    transforms: [{ kind: "dateParts" }],
    value: (draw) => draw(2_000_000) * 1_000_003 - 1e12,
  },
  {
    schema: { kind: "date", format: "dmy" },
    transforms: [{ kind: "dateParts" }],
    value: (draw) => `${1 + draw(28)}.${1 + draw(12)}.20${10 + draw(20)} 0${draw(10)}:30`,
  },
  {
    schema: { kind: "text" },
    transforms: [
      { kind: "hashedText", options: { buckets: 128, most: 7 } },
      { kind: "hashedText", options: { buckets: 2, words: [0, 0], characters: [1, 2] } },
    ],
    value: (draw) => words(draw),
  },
];

/** What is missing, in every form that a column can hold. */
function nothing(draw: Draw, value: unknown): unknown {
  if (typeof value === "number") return [null, undefined, Number.NaN][draw(3)];
  if (typeof value === "string") return [null, undefined, "", "  "][draw(4)];
  return typeof value === "object" ? [null, undefined, new Date(Number.NaN)][draw(3)] : null;
}

type Row = Readonly<Record<string, unknown>>;

function made(seed: number): {
  readonly rows: readonly Row[];
  readonly schema: Schema;
  readonly transforms: Row;
  readonly train: number;
} {
  const draw = draws(seed);
  const count = 20 + draw(30);
  const train = 15 + draw(5);
  const chosen = Array.from(
    { length: 1 + draw(5) },
    (_, at) => [`k${(at * 7) % 5}${at}`, KINDS[draw(KINDS.length)] ?? KINDS[0]] as const,
  );
  const rows = Array.from({ length: count }, (_, row) =>
    Object.fromEntries(
      chosen.map(([name, kind]) => {
        const value = kind?.value(draw, row >= train);
        // Rows at the beginning say what a column holds.
        return [name, row > 1 && draw(5) === 0 ? nothing(draw, value) : value];
      }),
    ),
  );
  const columns = Object.fromEntries(chosen.map(([name, kind]) => [name, kind?.schema ?? { kind: "ignore" as const }]));
  const transforms = Object.fromEntries(
    chosen.flatMap(([name, kind]) => (draw(3) === 0 ? [] : [[name, kind?.transforms[draw(kind.transforms.length)]]])),
  );
  // The default of a category is no bag.
  return { rows, schema: { columns }, transforms, train };
}

interface Encoded {
  readonly x: Readonly<Record<string, { readonly shape: readonly number[]; readonly data: Float32Array | Int32Array }>>;
  readonly unseen: Readonly<Record<string, number>>;
}

const bitsOf = ({ x }: Encoded): readonly unknown[] =>
  Object.entries(x).map(([name, { shape, data }]) => [
    name,
    shape,
    [...new Int32Array(data.buffer, data.byteOffset, data.length)],
  ]);

describe.each(Array.from({ length: 120 }, (_, seed) => seed))("table %i", (seed) => {
  test("has the same bits in every form", async () => {
    const { rows, schema, transforms, train } = made(seed);
    const whole = await table(rows);
    const preparation = await prepare(whole, {
      schema,
      transforms,
      rows: Array.from({ length: train }, (_, row) => row),
    });
    const expected = preparation.encode(rows);
    const forms = {
      table: preparation.encode(whole),
      columns: preparation.encode(
        Object.fromEntries(Object.keys(schema.columns).map((name) => [name, rows.map((row) => row[name])])),
      ),
      lists: preparation.encode(rows.map((row) => preparation.columns.map((name) => row[name]))),
      again: preparationOf(JSON.parse(JSON.stringify(preparation))).encode(rows),
      slices: joined([whole.slice(0, 7), whole.slice(7, 8), whole.slice(8)].map((part) => preparation.encode(part))),
      alone: joined(rows.map((row) => preparation.encode(row))),
    };
    for (const [form, given] of Object.entries(forms))
      expect([form, bitsOf(given), given.unseen]).toEqual([form, bitsOf(expected), expected.unseen]);
    for (const { data } of Object.values(expected.x)) expect(data.every(Number.isFinite)).toBe(true);
    // What is fitted is fitted on the rows of training alone.
    const own = await prepare(await table(rows.slice(0, train)), { schema, transforms });
    expect(JSON.stringify(own)).toBe(JSON.stringify(preparation));
  });
});

/** Inputs of several encodings, one behind the other. */
function joined(parts: readonly Encoded[]): Encoded {
  const x: Record<string, Encoded["x"][string]> = {};
  const unseen: Record<string, number> = {};
  for (const part of parts) {
    for (const [name, count] of Object.entries(part.unseen)) unseen[name] = (unseen[name] ?? 0) + count;
    for (const [name, { shape, data }] of Object.entries(part.x)) {
      const before = x[name];
      const all = [...(before?.data ?? []), ...data];
      const [rows = 0, ...rest] = shape;
      x[name] = {
        shape: [(before?.shape[0] ?? 0) + rows, ...rest],
        data: data instanceof Float32Array ? Float32Array.from(all) : Int32Array.from(all),
      };
    }
  }
  return { x, unseen };
}

describe("a schema that somebody has edited", () => {
  const fitted = async (values: readonly unknown[], column: Column): Promise<Awaited<ReturnType<typeof prepare>>> =>
    await prepare(await table(values.map((v) => ({ v }))), { schema: { columns: { v: column } } });
  const numbersOf = (made: Awaited<ReturnType<typeof prepare>>, v: unknown): readonly number[] => [
    ...(made.encode({ v }).x.numbers?.data ?? []),
  ];

  test("says which numbers stand for nothing, in files and in memory", async () => {
    const column: Column = { kind: "number", missing: ["-999", "?"] };
    const made = await fitted([1, 2, -999, 3, 4, 5], column);
    // Of 1 to 5: median 3, quartiles 2 and 4.
    expect([-999, -999n, "-999", "?", Number.NaN, 5].map((v) => numbersOf(made, v))).toEqual([
      ...Array.from({ length: 5 }, () => [0, 1]),
      [1, 0],
    ]);
    expect(JSON.stringify(await fitted(["1", "2", "?", "3", "4", "5"], column))).toBe(JSON.stringify(made));
    const csv = new TextEncoder().encode("v,w\n1,a\n2,a\n-999,a\n3,a\n4,a\n5,a\n");
    expect(JSON.stringify(await prepare(csv, { schema: { columns: { v: column } } }))).toBe(JSON.stringify(made));
  });

  test("makes two values a boolean without naming them, and a third is refused", async () => {
    for (const [no, yes] of [
      [0, 1],
      ["no", "yes"],
      [false, true],
      ["left", "right"],
    ]) {
      const made = await fitted([no, yes, yes], { kind: "boolean" });
      expect([no, yes].map((v) => numbersOf(made, v))).toEqual([[-1], [1]]);
    }
    await expect(fitted(["a", "b", "c"], { kind: "boolean" })).rejects.toThrow(
      "expected two different values, or 'levels' in the schema, for 'column 'v'' but received \"a, b, c\"",
    );
  });

  test("makes milliseconds a date, and no moment of what is beyond the dates that there are", async () => {
    const days = [0, 1, 2, 3, 4].map((day) => day * 86_400_000);
    const made = await fitted(days, { kind: "date" });
    const moments = days.map((day) => new Date(day));
    expect(JSON.stringify(await fitted(moments, { kind: "date" }))).toBe(
      JSON.stringify(
        await fitted(
          moments.map((moment) => moment.toISOString()),
          { kind: "date" },
        ),
      ),
    );
    expect(numbersOf(made, days[4])).toEqual(numbersOf(made, moments[4]));
    expect(numbersOf(made, new Date(Number.NaN))).toEqual(numbersOf(made, null));
    for (const v of [Number.POSITIVE_INFINITY, 1e300])
      expect(() => made.encode({ v })).toThrow("expected a date (ymd)");
  });

  test("what no double or float32 holds is refused with row and column", async () => {
    const made = await fitted([1, 2, 3], { kind: "number" });
    for (const rows of [[{ v: 1 }, { v: 1e39 }], { v: [1, 1e39] }])
      expect(() => made.encode(rows)).toThrow(
        /expected a number whose scaled one a float32 holds for '.*row 1, column 'v''/,
      );
    for (const rows of [[{ v: 2n ** 64n }], { v: [2n ** 64n] }])
      expect(() => made.encode(rows)).toThrow("expected an integer that a double holds");
  });
});

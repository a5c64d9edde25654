// What columns are taken for, why, and what is warned of.
import { describe, expect, test } from "vitest";
import { type SchemaOptions, schemaOf } from "../../lib/index.js";
import { parseDate } from "../../lib/table/schema/dates.js";
import { fixture } from "./fixture.js";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A table of 200 rows, whose columns are functions of the row. */
function rows(columns: Readonly<Record<string, (row: number) => unknown>>, count = 200): Record<string, unknown>[] {
  return Array.from({ length: count }, (_, row) =>
    Object.fromEntries(Object.entries(columns).map(([name, of]) => [name, of(row)])),
  );
}

/** A number that looks drawn: the same for a row and a series. */
const drawn = (row: number, series = 0): number => {
  let hash = Math.imul(row + 1, 0x9e3779b1) ^ Math.imul(series + 7, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return ((hash ^ (hash >>> 13)) >>> 0) / 2 ** 32;
};

async function kindsOf(columns: Readonly<Record<string, (row: number) => unknown>>): Promise<Record<string, string>> {
  const { schema } = await schemaOf(rows(columns));
  return Object.fromEntries(Object.entries(schema.columns).map(([name, { kind }]) => [name, kind]));
}

describe("guesses", () => {
  test("numbers, and names of rows among them", async () => {
    expect(
      await kindsOf({
        amount: (row) => drawn(row),
        rating: (row) => row % 5,
        flag: (row) => row % 2,
        customer_id: (row) => 7 * row + 3,
        nr: (row) => row,
        reading: (row) => 1000 - row,
        fixed: () => 4,
        nothing: () => null,
      }),
    ).toEqual({
      amount: "number",
      rating: "number",
      flag: "boolean",
      customer_id: "id",
      nr: "id",
      reading: "number",
      fixed: "ignore",
      nothing: "ignore",
    });
  });

  test("texts: answers, dates, codes, categories, words, names of rows", async () => {
    expect(
      await kindsOf({
        answer: (row) => (row % 3 === 0 ? "No" : "Yes"),
        colour: (row) => (row % 3 === 0 ? "red" : "blue"),
        day: (row) => `2020-01-${String(1 + (row % 28)).padStart(2, "0")}`,
        german: (row) => `${1 + (row % 28)}.2.2020`,
        either: (row) => `${1 + (row % 12)}/${1 + (row % 9)}/2020`,
        american: (row) => `${1 + (row % 12)}/${1 + (row % 28)}/2020`,
        zip: (row) => `00${500 + (row % 40)}`,
        phone: (row) => `382-${4657 + row}`,
        words: (row) => `the ${row} quick brown foxes jump over ${row % 7} dogs`,
      }),
    ).toEqual({
      answer: "boolean",
      colour: "category",
      day: "date",
      german: "date",
      either: "category",
      american: "date",
      zip: "category",
      phone: "id",
      words: "text",
    });
  });

  test("each says why", async () => {
    const text = `age,city,power,gone\n${Array.from({ length: 40 }, (_, row) => `${row === 3 ? "" : (row * 7) % 40},${row % 3 === 0 ? "NA" : `c${row % 4}`},${row === 7 ? "?" : 50 + (row % 9)},x`).join("\n")}\n`;
    const { schema } = await schemaOf(bytes(text));
    expect(schema.columns).toEqual({
      age: { kind: "number", why: "whole numbers from 0 to 39; missing in 1 row (2.5%)" },
      city: {
        kind: "category",
        missing: ["NA"],
        why: "4 different texts such as 'c1'; missing in 14 rows (35%), among them 'NA'",
      },
      power: {
        kind: "category",
        why: `10 different texts such as '50'; numbers but for '?' in 1 row: { "kind": "number", "missing": ["?"] } makes numbers of it`,
      },
      gone: { kind: "ignore", why: "the same in every row: 'x'" },
    });
  });

  test("the target decides the task, and what is given is not guessed", async () => {
    const source = rows({
      a: (row) => drawn(row),
      b: (row) => `x${row % 3}`,
      c: (row) => (row % 2 === 0 ? "up" : "down"),
      d: (row) => row % 4,
    });
    const task = async (target: SchemaOptions["target"], schema?: SchemaOptions["schema"]): Promise<unknown> =>
      (await schemaOf(source, { target, schema })).schema.task;
    expect(await task("a")).toBe("value");
    expect(await task("b")).toBe("classes");
    expect(await task("c")).toBe("binary");
    expect(await task("d")).toBe("value");
    expect(await task("d", { columns: { d: "category" } })).toBe("classes");
    expect(await task(["a", "d"])).toBe("values");
    await expect(task("e")).rejects.toThrow("expected columns of the schema for 'schemaOf.target' but received \"e\"");
    await expect(task(["a", "b"])).rejects.toThrow("several columns of numbers, or several of two values each,");
  });

  test("the whole file counts: the last row may make texts of numbers", async () => {
    const text = `zip,x\n${Array.from({ length: 150_000 }, (_, row) => `${10000 + ((37 * row) % 90_000)},${row % 7}`).join("\n")}\n00501,1\n`;
    const { schema, rows: looked } = await schemaOf(bytes(text));
    expect([schema.columns.zip?.kind, looked]).toEqual(["category", 150_001]);
    expect((await schemaOf(bytes(text), { rows: 1000 })).schema.columns.zip?.kind).toBe("number");
  });
});

describe("warnings", () => {
  const clean = {
    amount: (row: number) => drawn(row),
    colour: (row: number) => ["red", "blue", "green"][Math.floor(drawn(row, 1) * 3)],
    target: (row: number) => (drawn(row) + 0.5 * drawn(row, 2) > 0.75 ? "yes" : "no"),
  };
  const warned = async (
    columns: Readonly<Record<string, (row: number) => unknown>>,
    target = "target",
  ): Promise<unknown> =>
    (await schemaOf(rows({ ...clean, ...columns }), { target })).warnings.map(({ kind, column }) => [kind, column]);

  test("a clean table gives none", async () => {
    expect(await warned({})).toEqual([]);
    expect(await warned({}, "amount")).toEqual([]);
  });

  test.each([
    [
      "a category that gives the target away",
      { reason: (row: number) => (clean.target(row) === "yes" ? "left" : `r${row % 2}`) },
      ["leak", "reason"],
    ],
    [
      "a number that does",
      { score: (row: number) => (clean.target(row) === "yes" ? 10 : 0) + drawn(row, 5) },
      ["leak", "score"],
    ],
    ["names of rows", { id: (row: number) => row + 1 }, ["id", "id"]],
    ["a constant", { version: () => "3" }, ["constant", "version"]],
    ["a column of nothing", { nothing: () => null }, ["empty", "nothing"]],
    ["a time", { when: (row: number) => new Date(86_400_000 * row) }, ["time", "when"]],
    [
      "a class of one row",
      { target: (row: number) => (row === 5 ? "maybe" : clean.target(row)) },
      ["rare class", "target"],
    ],
  ])("%s", async (_, columns, warning) => {
    expect(await warned(columns)).toEqual([warning]);
  });

  test("the target in other units gives a value away", async () => {
    expect(await warned({ cents: (row) => 100 * drawn(row) + 3 }, "amount")).toEqual([["leak", "cents"]]);
  });

  test("rows that stand more than once, with the place of one", async () => {
    const source = rows(clean);
    const { warnings } = await schemaOf([...source, ...source.slice(0, 3)], { target: "target" });
    expect(warnings.map(({ kind }) => kind)).toEqual(["duplicates"]);
    expect(warnings[0]?.text).toContain("3 rows stand more than once, such as table, row 200");
  });
});

test("dates as people write them, those of Python's fromisoformat among them", () => {
  const { dates, moments } = fixture;
  expect(dates.map((date) => parseDate(date, "ymd"))).toEqual(moments);
  const day = Date.UTC(2020, 0, 31);
  expect(["31.1.2020", "31/01/2020", "31-1-2020"].map((text) => parseDate(text, "dmy"))).toEqual([day, day, day]);
  expect(parseDate("1/31/2020 17:05", "mdy")).toBe(day + (17 * 60 + 5) * 60_000);
  const none = [
    "2020-02-30",
    "2019-02-29",
    "2020-13-01",
    "2020-1",
    "20200131",
    "2020-01/31",
    "2020-01-31T24:00",
    "31.1.2020",
  ];
  expect(none.map((text) => parseDate(text, "ymd"))).toEqual(none.map(() => Number.NaN));
});

test.each([
  ["a kind", { columns: { a: "numbr" } }, "Did you mean 'number'?"],
  ["a key", { columns: { a: { kind: "number", mising: [] } } }, "Did you mean 'missing'?"],
  ["levels", { columns: { a: { kind: "boolean", levels: ["x"] } } }, "two different texts"],
  ["a column", { columns: { c: "number" } }, "columns of the table"],
])("a schema with another %s is refused", async (_, schema, message) => {
  await expect(schemaOf([{ a: 1 }, { a: 2 }], { schema })).rejects.toThrow(message);
});

// Tables: columns of what is in memory, their rows, and how they print themselves.
import { inspect } from "node:util";
import { expect, test } from "vitest";
import { table } from "../../lib/index.js";

const people = await table([
  { name: "Anna", age: 31, member: true, since: new Date("2020-01-02") },
  { name: "Bo", age: null, member: false, since: null },
  { name: "Anna", age: 40.5, member: null, since: new Date("2021-05-06T07:08:09Z") },
]);

test("rows that are objects", () => {
  expect(people.rows).toBe(3);
  expect(people.kinds).toEqual({ name: "text", age: "number", member: "boolean", since: "date" });
  expect(people.row(1)).toEqual({ name: "Bo", age: null, member: false, since: null });
  expect(people.row(2)).toEqual({ name: "Anna", age: 40.5, member: null, since: new Date("2021-05-06T07:08:09Z") });
  const names = people.column("name");
  expect(names).toEqual({ kind: "text", codes: Int32Array.of(0, 1, 0), levels: ["Anna", "Bo"] });
});

test("columns by name, and rows that are lists", async () => {
  const found = await table({
    a: Float32Array.of(0.5, 1),
    b: BigInt64Array.of(1n, -2n),
    c: ["x", null],
    d: [Number.NaN, 2],
  });
  expect([...found]).toEqual([
    { a: 0.5, b: 1, c: "x", d: null },
    { a: 1, b: -2, c: null, d: 2 },
  ]);
  const listed = await table([
    [1, "x"],
    [2, "y"],
  ]);
  expect(listed.names).toEqual(["column1", "column2"]);
  expect((await table([[1, "x"]], { columns: ["p", "q"] })).row(0)).toEqual({ p: 1, q: "x" });
});

test("a key that some rows lack is missing there", async () => {
  expect([...(await table([{ a: 1 }, { b: "x" }]))]).toEqual([
    { a: 1, b: null },
    { a: null, b: "x" },
  ]);
});

test("other columns and rows", () => {
  expect([...people.select(["age", "name"]).head(1)]).toEqual([{ age: 31, name: "Anna" }]);
  expect(people.without(["age", "since"]).names).toEqual(["name", "member"]);
  expect([...people.pick([2, 0]).select(["age"])]).toEqual([{ age: 40.5 }, { age: 31 }]);
  expect(people.filter(({ name }) => name === "Anna").rows).toBe(2);
  expect(people.pick([2, 0]).pick([1]).place(0)).toBe("table, row 0");
  expect(people.slice(1).pick([1]).place(0)).toBe("table, row 2");
  expect(people.slice(1, 2).row(0).name).toBe("Bo");
});

test.each([
  ["a column that is not there", () => people.column("nmae"), "Did you mean 'name'?"],
  ["a row that is not there", () => people.row(3), "an integer in [0, 2]"],
  ["rows that are not there", () => people.pick([0, 7]), "'table.pick[1]'"],
])("%s", (_, work, message) => {
  expect(work).toThrow(message);
});

test.each([
  [
    "two kinds in a column",
    [{ a: 1 }, { a: "x" }],
    "expected a number, as in the rows before, for 'table, row 1, column 'a'' but received \"x\"",
  ],
  [
    "a value of no kind",
    [{ a: [1] }],
    "expected a number, a text, true, false, a Date or null for 'table, row 0, column 'a'' but received array of 1",
  ],
  [
    "an integer that is none",
    [{ a: 2n ** 60n }],
    "expected an integer that a double holds for 'table, row 0, column 'a''",
  ],
  ["no rows", 7, "expected a path, bytes, a stream, rows or columns for 'table.source' but received 7"],
  ["rows of several lengths", [[1, 2], [3]], "expected 2 values for 'table, row 1' but received array of 1"],
  ["columns of several lengths", { a: [1, 2], b: [1] }, "expected 2 rows for 'table.b' but received 1"],
])("%s", async (_, source, message) => {
  await expect(table(source as never)).rejects.toThrow(message);
});

test("it prints its first rows in columns", () => {
  expect(inspect(people)).toBe(
    [
      "Table of 3 rows, 4 columns",
      "  name     age  member   since",
      "  text  number  boolean  date",
      "  Anna      31  true     2020-01-02",
      "  Bo         ·  false    ·",
      "  Anna    40.5  ·        2021-05-06T07:08:09.000Z",
    ].join("\n"),
  );
  expect(inspect({ people }, { depth: 0 })).toBe("{ people: [Table] }");
});

test("JSON lines: an object a line, whose kinds hold on", async () => {
  const read = (text: string): ReturnType<typeof table> => table(new TextEncoder().encode(text));
  const found = await read('{"a": 1, "b": "x"}\n\n{"b": "y", "c": true}\n{"a": null}');
  expect([...found]).toEqual([
    { a: 1, b: "x", c: null },
    { a: null, b: "y", c: true },
    { a: null, b: null, c: null },
  ]);
  expect(found.place(1)).toBe("bytes, line 3");
  expect([...(await read('[{"a": 1}, {"a": 2}]'))]).toEqual([{ a: 1 }, { a: 2 }]);
  await expect(read('{"a": 1}\n{"a": }\n')).rejects.toThrow("expected JSON for 'bytes, line 2' but received");
  await expect(read('{"a": 1}\n[2]\n')).rejects.toThrow(
    "expected an object for 'bytes, line 2' but received array of 1",
  );
  await expect(read('{"a": 1}\n{"a": {"b": 2}}\n')).rejects.toThrow(
    "for 'bytes, line 2, column 'a'' but received object with b",
  );
});

test("rows that are none are refused, whether the columns are named or not", async () => {
  for (const options of [{}, { columns: ["a"] }]) {
    await expect(table([{ a: 1 }, new Date(0)] as never, options)).rejects.toThrow(
      "expected an object, or a list of values, for 'table, row 1'",
    );
    await expect(table([7] as never, options)).rejects.toThrow("for 'table, row 0' but received 7");
  }
});

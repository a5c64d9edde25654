// Large tables in memory are looked at in turns of the event loop, and a few rows of a large table are what they are alone.
import { expect, test } from "vitest";
import { prepare, type Schema, schemaOf, table } from "../../lib/index.js";

const schema: Schema = {
  columns: { n: { kind: "number" }, c: { kind: "category" }, t: { kind: "text" }, y: { kind: "boolean" } },
  target: "y",
};

const rows = (count: number): Readonly<Record<string, readonly unknown[]>> => ({
  n: Array.from({ length: count }, (_, row) => (row * 7919) % 1000),
  c: Array.from({ length: count }, (_, row) => `c${(row * 31) % 17}`),
  t: Array.from({ length: count }, (_, row) => `row ${row} says one thing`),
  y: Array.from({ length: count }, (_, row) => row % 3 === 0),
});

/** Turns of the event loop that others had meanwhile. */
async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let [turns, isOver] = [0, false];
  const count = (): void => {
    turns += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  await work();
  isOver = true;
  return turns;
}

test("others have a turn at least every 8,192 rows", async () => {
  const people = await table(rows(50_000));
  const some = Uint32Array.from({ length: 40_000 }, (_, at) => 49_999 - at);
  expect(await turnsDuring(() => schemaOf(people, { target: "y" }))).toBeGreaterThan(5);
  expect(await turnsDuring(() => prepare(people, { schema }))).toBeGreaterThan(5);
  expect(await turnsDuring(() => prepare(people, { schema, rows: some }))).toBeGreaterThan(4);
});

test("a signal ends them in between", async () => {
  const people = await table(rows(50_000));
  for (const work of [schemaOf(people, { signal: late() }), prepare(people, { schema, signal: late() })])
    await expect(work).rejects.toThrow("enough");
});
function late(): AbortSignal {
  const controller = new AbortController();
  setImmediate(() => controller.abort(new Error("enough")));
  return controller.signal;
}

test("few rows of a table of many texts are told and prepared as they are alone", async () => {
  const large = await table(rows(20_000));
  const some = Array.from({ length: 60 }, (_, at) => 17 * 1117 + at);
  const few = large.pick(some);
  const alone = await table([...few]);
  expect((await schemaOf(few, { target: "y" })).schema).toEqual((await schemaOf(alone, { target: "y" })).schema);
  const fitted = (await prepare(alone, { schema })).toJSON();
  expect((await prepare(few, { schema })).toJSON()).toEqual(fitted);
  expect((await prepare(large, { schema, rows: some })).toJSON()).toEqual(fitted);
});

test("rows that a table has not are refused by their place among those that were given", async () => {
  const people = await table(rows(10));
  await expect(prepare(people, { schema, rows: [1, 2, 10] })).rejects.toThrow("'prepare.rows[2]'");
});

// The published JSON Schema, read by zod, takes and refuses what we do.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { checkSchema } from "../../lib/table/schema/schema.js";

const published = z.fromJSONSchema(
  JSON.parse(readFileSync(new URL("../../docs/schemas/table.json", import.meta.url), "utf8")),
);

const sound = {
  $schema: "table.json",
  columns: {
    age: { kind: "number", missing: ["?"], why: "numbers" },
    plan: { kind: "category" },
    active: { kind: "boolean", levels: ["no", "yes"] },
    since: { kind: "date", format: "dmy" },
    note: "text",
    id: { kind: "id" },
    rest: "ignore",
  },
  target: "plan",
  task: "binary",
};

function isTaken(schema: unknown): boolean {
  try {
    checkSchema("schema", schema);
    return true;
  } catch {
    return false;
  }
}

/** Every place of a value. */
function placesOf(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, one]) => placesOf(one, [...path, key]))];
}

function changed(value: unknown, [key, ...others]: readonly string[], put: unknown): unknown {
  if (key === undefined) return put;
  const copy: Record<string, unknown> = Array.isArray(value) ? Object.assign([], value) : { ...Object(value) };
  copy[key] = changed(copy[key], others, put);
  return copy;
}

test("what is sound is taken by both", () => {
  expect([isTaken(sound), published.safeParse(sound).success]).toEqual([true, true]);
});

test("every value in the place of every other: both take it, or neither", () => {
  const others = [
    null,
    1,
    true,
    "x",
    "number",
    "dmy",
    [],
    ["a"],
    ["a", "b"],
    ["a", "b", "c"],
    {},
    { kind: "number" },
    { kind: "id", levels: ["a", "b"] },
    { more: 1 },
  ];
  let taken = 0;
  let all = 0;
  for (const place of placesOf(sound)) {
    for (const put of others) {
      // That the target is a column, that its names and the two levels differ, no schema can say.
      if (place[0] === "target" || JSON.stringify(put) === '["a","a"]') continue;
      const given = changed(sound, place, put);
      const withoutTarget = { ...Object(given) };
      const both = place.length === 0 ? given : withoutTarget;
      if (place.length <= 1 && place[0] !== "task" && place[0] !== "$schema") delete withoutTarget.target;
      expect(isTaken(both), JSON.stringify(both)).toBe(published.safeParse(both).success);
      taken += isTaken(both) ? 1 : 0;
      all += 1;
    }
  }
  expect(taken).toBeGreaterThan(20);
  expect(all - taken).toBeGreaterThan(100);
});

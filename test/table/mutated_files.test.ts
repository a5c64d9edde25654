// JSON lines and files of Parquet that were changed by chance: an error of ours in time, or the values that another reader has; never a column that is silently another.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parquetReadObjects } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { expect, test } from "vitest";
import { table } from "../../lib/index.js";
import { lengthOf } from "../../lib/table/column.js";
import { Table } from "../../lib/table/table.js";

/** Draws below a bound. */
function drawing(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

/** What a source gives; errors are ours, within a time. */
async function readOrRefused(what: string, bytes: Uint8Array, format: "jsonl" | "parquet") {
  const begun = performance.now();
  const found: unknown = await table(bytes, { format }).catch((error: unknown) => error);
  expect(performance.now() - begun, what).toBeLessThan(5000);
  if (!(found instanceof Table)) {
    expect(found, what).toMatchObject({ name: "CarillonError" });
    expect(Reflect.get(Object(found), "code"), what).toMatch(/^ERR_(DATA|FILE)$/);
    return undefined;
  }
  for (const name of found.names) expect(lengthOf(found.column(name)), what).toBe(found.rows);
  if (found.rows > 0) expect(Object.keys(found.row(found.rows - 1)).sort(), what).toEqual([...found.names].sort());
  return found;
}

const LINES = `{"id":1,"name":"Smith, \\"Anna\\"","when":null,"ok":true,"x":-1.5e3}
{"id":2,"name":"größe 😀","ok":false,"x":0.1}

{"id":3,"x":12345678901234,"name":"","extra":"[1,2]"}
{"name":"\\u00e9\\n","id":4,"ok":true,"x":7}
`;
const PIECES = [
  "{",
  "}",
  '"',
  ",",
  ":",
  "[",
  "]",
  "\n",
  "null",
  "1",
  "e5",
  "-",
  ".",
  "\\",
  "true",
  " ",
  "é",
  "\0",
  "NaN",
];

test("500 mutated JSON lines", async () => {
  const draw = drawing(5);
  let read = 0;
  for (let round = 0; round < 500; round++) {
    let text = LINES;
    for (let left = 1 + draw(2); left > 0; left--) {
      const at = draw(text.length);
      text = text.slice(0, at) + (PIECES[draw(PIECES.length)] ?? "") + text.slice(at + draw(3));
    }
    const bytes = new TextEncoder().encode(text);
    const found = await readOrRefused(text, bytes, "jsonl");
    if (found === undefined) continue;
    read += 1;
    const rows = new TextDecoder()
      .decode(bytes)
      .split("\n")
      .filter((line) => line.trim() !== "")
      .map((line): Record<string, unknown> => JSON.parse(line));
    const own = rows.map((row) =>
      Object.fromEntries(found.names.map((name) => [name, row[name] === "" ? null : (row[name] ?? null)])),
    );
    expect([...found], text).toEqual(own);
    expect([...found.names].sort(), text).toEqual([...new Set(rows.flatMap((row) => Object.keys(row)))].sort());
  }
  expect(read).toBeGreaterThan(50);
  expect(read).toBeLessThan(450);
}, 60_000);

const fixture = (name: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(readFileSync(fileURLToPath(new URL(`fixtures/${name}`, import.meta.url))));

/** A copy with some bytes changed, or cut. */
function mutated(whole: Uint8Array<ArrayBuffer>, draw: (bound: number) => number): Uint8Array<ArrayBuffer> {
  const bytes = whole.slice(0, draw(8) === 0 ? draw(whole.length) : whole.length);
  for (let count = draw(3); count >= 0 && bytes.length > 0; count--) {
    // Half of them where a file says what it has.
    const at = draw(2) === 0 ? draw(bytes.length) : bytes.length - 1 - draw(Math.min(bytes.length, 2000));
    bytes[at] = draw(3) === 0 ? draw(256) : (bytes[at] ?? 0) ^ (1 << draw(8));
  }
  return bytes;
}

/** A value of hyparquet's as ours has it. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "number") return Number.isNaN(value) ? null : value;
  return value === undefined || value === "" ? null : value;
}

/** A moment in parts of a millisecond, rounded down. */
const moment = (value: bigint, per: bigint): Date => new Date(Number((value - (((value % per) + per) % per)) / per));

const MILLISECONDS = {
  timestampFromMilliseconds: (value: bigint) => moment(value, 1n),
  timestampFromMicroseconds: (value: bigint) => moment(value, 1000n),
  timestampFromNanoseconds: (value: bigint) => moment(value, 1_000_000n),
};

test("500 mutated files of Parquet", async () => {
  const draw = drawing(3);
  const wholes = ["plain", "second", "small", "second-plain"].map((way) => fixture(`pages-${way}.parquet`));
  let [read, compared] = [0, 0];
  for (let round = 0; round < 500; round++) {
    const bytes = mutated(wholes[round % wholes.length] ?? fixture("pages-plain.parquet"), draw);
    const found = await readOrRefused(`round ${round}`, bytes, "parquet");
    if (found === undefined) continue;
    read += 1;
    const options = { file: bytes.buffer, compressors, parsers: MILLISECONDS, utf8: false };
    const rows = await parquetReadObjects(options).catch(() => undefined);
    if (rows === undefined) continue;
    compared += 1;
    expect(rows.length, `round ${round}`).toBe(found.rows);
    for (const name of found.names) {
      // Where the two names of a column differ, or its kind says lists, hyparquet has no values, or lists of them.
      if (rows.every((row) => (row[name] ?? null) === null) || rows.some((row) => Array.isArray(row[name]))) continue;
      expect(
        rows.map((row) => plain(row[name])),
        `round ${round}, ${name}`,
      ).toEqual(Array.from({ length: found.rows }, (_, row) => found.at(row, name)));
    }
  }
  expect(read).toBeGreaterThan(50);
  expect(read).toBeLessThan(450);
  expect(compared).toBeGreaterThan(0.9 * read);
}, 60_000);

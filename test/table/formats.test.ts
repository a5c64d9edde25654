// Files of PyArrow and NumPy (make_tables_fixture.py) hold what these libraries say that they hold.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { table, tableBlocks } from "../../lib/index.js";

const fixtures = fileURLToPath(new URL("fixtures/", import.meta.url));
const at = (name: string): string => join(fixtures, name);

interface Expected {
  readonly parquet: Readonly<Record<string, readonly unknown[]>>;
}
const expected = JSON.parse(readFileSync(at("tables.json"), "utf8")) as Expected;

/** Dates as milliseconds, as the fixture has them. */
const plain = (cell: unknown): unknown => (cell instanceof Date ? cell.getTime() : cell);

describe("Parquet", () => {
  test.each(["snappy", "zstd", "gzip", "brotli", "lz4", "none"])("%s", async (codec) => {
    const found = await table(at(`types-${codec}.parquet`));
    expect(found.names).toEqual(Object.keys(expected.parquet));
    for (const [name, values] of Object.entries(expected.parquet)) {
      expect(
        [...found.select([name])].map((row) => plain(row[name])),
        name,
      ).toEqual(values);
    }
    expect(found.kinds.micro).toBe("date");
    expect(found.kinds.flag).toBe("boolean");
    expect(found.place(30)).toBe(`${at(`types-${codec}.parquet`)}, row 30`);
  });

  test.each(["plain", "second", "small", "second-plain", "delta", "old"])("pages of PyArrow's: %s", async (way) => {
    const values = JSON.parse(readFileSync(at("pages.json"), "utf8")) as Expected["parquet"];
    const found = await table(at(`pages-${way}.parquet`));
    expect(found.names).toEqual(Object.keys(values));
    const rows = [...found];
    for (const [name, own] of Object.entries(values))
      expect(
        rows.map((row) => plain(row[name])),
        name,
      ).toEqual(own);
    expect(found.kinds).toMatchObject({ day: "date", nano: "date", time: "number", flag: "boolean", nothing: "text" });
  });

  test("a column that stands twice is refused, as of Arrow", async () => {
    await expect(table(at("pages-twice.parquet"))).rejects.toThrow("every column once");
  });

  test("texts that are no UTF-8 are refused by their row", async () => {
    await expect(table(at("pages-bad-utf8.parquet"))).rejects.toThrow("row 1, column 'x'' but received other bytes");
  });

  test("bytes in memory, some columns, a row group a block", async () => {
    const bytes = new Uint8Array(readFileSync(at("types-zstd.parquet")));
    const rows: number[] = [];
    for await (const block of tableBlocks(bytes, { columns: ["whole", "text"] })) {
      expect(block.names).toEqual(["whole", "text"]);
      rows.push(block.rows);
    }
    expect(rows).toEqual([25, 25, 10]);
    await expect(table(bytes, { columns: ["hole"] })).rejects.toThrow("Did you mean 'whole'?");
  });

  test("what no table holds is refused by its column", async () => {
    await expect(table(at("lists.parquet"))).rejects.toThrow("column 'x'' but received lists or structures");
    expect((await table(at("lists.parquet"), { columns: ["y"] })).row(0)).toEqual({ y: 1 });
    await expect(table(at("bytes.parquet"))).rejects.toThrow("bytes of no known meaning");
    await expect(table(at("bytes.parquet"), { columns: ["y"] })).rejects.toThrow(
      "row 0, column 'y'' but received 1152921504606846976",
    );
  });

  test("a file that was cut or changed is ERR_FILE or ERR_DATA, whatever was", async () => {
    const whole = readFileSync(at("types-snappy.parquet"));
    for (let round = 0; round < 60; round++) {
      const bytes = new Uint8Array(whole);
      if (round % 2 === 0) bytes[(round * 7919) % bytes.length] = (round * 131) & 255;
      const given = round % 2 === 0 ? bytes : bytes.slice(0, (bytes.length * round) / 61);
      const found = await table(given, { format: "parquet" }).catch((error: unknown) => error);
      if (!(found instanceof Error)) continue;
      expect(["ERR_FILE", "ERR_DATA"], String(found.stack)).toContain(Reflect.get(found, "code"));
    }
  });
});

describe("NumPy", () => {
  test("an archive: a column an array, several of a matrix", async () => {
    expect([...(await table(at("arrays.npz")))].map((row) => Object.values(row).map(plain))).toEqual([
      [31, 1577872800000, true, 0.5, "x", 1, 2],
      [40, null, false, -2, "yé", 3, 4],
      [2, -86400000, true, 65504, "z", 5, 6],
    ]);
    expect((await table(at("arrays.npz"))).names).toEqual(["age", "at", "ok", "half", "name", "pair1", "pair2"]);
  });

  test("one array: a matrix by columns, big-endian; elements with fields", async () => {
    expect([...(await table(at("matrix.npy")))].map((row) => Object.values(row))).toEqual(
      [0, 1, 2, 3].map((row) => [0, 1, 2].map((column) => (3 * row + column) / 8)),
    );
    expect([...(await table(at("fields.npy")))]).toEqual([
      { id: 1, score: 2.5, name: "a" },
      { id: 2, score: null, name: "éb" },
      { id: 3, score: -1, name: null },
    ]);
  });

  test("objects of Python, and archives that were cut, are refused", async () => {
    await expect(table(at("objects.npy"))).rejects.toThrow("but received Python objects");
    const whole = readFileSync(at("arrays.npz"));
    for (let length = 10; length < whole.length; length += 37) {
      await expect(table(new Uint8Array(whole.subarray(0, length)), { format: "npz" })).rejects.toThrow(
        expect.objectContaining({ code: "ERR_DATA" }),
      );
    }
  });
});

test("zstd, by its first bytes", async () => {
  const found = await table(at("rows.csv.zst"));
  expect(found.rows).toBe(5000);
  expect(found.row(4)).toEqual({ number: 4, text: "ééééx" });
  expect(found.place(4999)).toBe(`${at("rows.csv.zst")}, line 5001`);
  const cut = new Uint8Array(readFileSync(at("rows.csv.zst"))).subarray(0, 3000);
  await expect(table(cut, { format: "csv" })).rejects.toThrow(expect.objectContaining({ code: "ERR_FILE" }));
});

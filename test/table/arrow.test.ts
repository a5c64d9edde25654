// Files of PyArrow and pandas (make_arrow_fixture.py) hold what these libraries say that they hold.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { schemaOf, type Table, table, tableBlocks } from "../../lib/index.js";

const fixtures = fileURLToPath(new URL("fixtures/", import.meta.url));
const at = (name: string): string => join(fixtures, name);

const { rows: expected } = JSON.parse(readFileSync(at("arrow.json"), "utf8")) as {
  readonly rows: Readonly<Record<string, readonly unknown[]>>;
};

/** Dates as milliseconds, as the fixture has them. */
const plain = (cell: unknown): unknown => (cell instanceof Date ? cell.getTime() : cell);

function expectAll(found: Table): void {
  expect(found.names).toEqual(Object.keys(expected));
  for (const [name, values] of Object.entries(expected)) {
    const cells = [...found.select([name])].map((row) => plain(row[name]));
    if (name === "clock") expect(cells.map((cell) => Math.round(Number(cell) * 1e6) / 1e6)).toEqual(values);
    else expect(cells, name).toEqual(values);
  }
}

const files = ["types-lz4.feather", "types-zstd.feather", "types-none.arrow", "types-stream.arrow"];

describe("Arrow and Feather", () => {
  test.each(files)("%s", async (file) => {
    const found = await table(at(file));
    expectAll(found);
    const { double, coded, levels, flag, day, nano, nothing } = found.kinds;
    expect([double, coded, levels, flag, day, nano, nothing]).toEqual(
      ["number", "text", "number", "boolean", "date", "date", "number"], // where nothing is, no kind is
    );
    expect(found.place(30)).toBe(`${at(file)}, row 30`);
  });

  test("told by the first bytes, in pieces of any length, a batch a block, some columns", async () => {
    for (const file of files) {
      const bytes = new Uint8Array(readFileSync(at(file)));
      async function* pieces() {
        for (let begin = 0; begin < bytes.length; begin += 997) {
          await Promise.resolve();
          yield bytes.subarray(begin, begin + 997);
        }
      }
      const rows: number[] = [];
      for await (const block of tableBlocks(Readable.from(pieces()), { columns: ["whole", "text"] })) {
        expect(block.names).toEqual(["whole", "text"]);
        rows.push(block.rows);
      }
      expect(rows).toEqual([25, 25, 10]);
    }
    await expect(table(at("types-none.arrow"), { columns: ["hole"] })).rejects.toThrow("Did you mean 'whole'?");
  });

  test("LZ4 of many blocks, what pandas and polars write, a schema", async () => {
    const long = await table(at("long.feather"));
    expect([long.rows, long.at(39_999, "i"), long.at(39_999, "t")]).toEqual([40_000, 5714, `row ${39_999 % 501}`]);
    expect([...(await table(at("pandas.feather")))]).toEqual([
      { a: 1, b: "x" },
      { a: null, b: null },
      { a: 3, b: "z" },
    ]);
    expect([...(await table(at("polars.arrow")))]).toEqual([
      { a: 1, s: "x", c: "u" },
      { a: 2, s: "a text that is not held in its view", c: "v" },
      { a: 3, s: null, c: "u" },
    ]);
    const { schema } = await schemaOf(at("types-lz4.feather"));
    expect(schema.columns.coded?.kind).toBe("category");
    expect(schema.columns.nothing?.kind).toBe("ignore");
  });

  test("what no table holds is refused by its column", async () => {
    await expect(table(at("lists.arrow"))).rejects.toThrow("column 'x'' but received List<Int64>");
    expect((await table(at("lists.arrow"), { columns: ["y"] })).row(0)).toEqual({ y: 1 });
    await expect(table(new TextEncoder().encode("FEA1 and more"))).rejects.toThrow("version 1: write it anew");
  });
});

describe("damaged files", () => {
  test.each(files)("%s, cut anywhere, has no rows fewer", async (file) => {
    const whole = readFileSync(at(file));
    for (let part = 1; part < 60; part++) {
      const bytes = new Uint8Array(whole.subarray(0, Math.floor((whole.length * part) / 60)));
      const found = await table(bytes, { format: "arrow" }).catch((error: unknown) => error);
      expect(found).toMatchObject({ name: "CarillonError", code: "ERR_FILE" });
    }
  });

  test("500 mutated files are errors, or tables with as many rows", async () => {
    let state = 7;
    const draw = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const wholes = files.map((file) => readFileSync(at(file)));
    for (let round = 0; round < 500; round++) {
      const bytes = new Uint8Array(wholes[round % wholes.length] ?? []);
      for (let count = draw(4); count >= 0; count--) bytes[draw(bytes.length)] = draw(256);
      const found: unknown = await table(bytes, { format: "arrow" }).catch((error: unknown) => error);
      if (found instanceof Error) expect(found).toMatchObject({ name: "CarillonError" });
      else {
        expect((found as Table).rows, `round ${round}`).toBe(60);
        for (const name of (found as Table).names) expect(name, `round ${round}`).toBeTypeOf("string");
      }
    }
  }, 60_000);
});

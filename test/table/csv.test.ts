// Separated text: what its values are, how it is written, and the line of everything that is wrong with it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { type TableOptions, table, tableBlocks } from "../../lib/index.js";
import { numberOf } from "../../lib/table/csv/numbers.js";
import type { Table } from "../../lib/table/table.js";

const folder = mkdtempSync(join(tmpdir(), "carillon-csv-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, contents: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, contents);
  return path;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const read = (text: string, options: TableOptions = {}): Promise<Table> => table(bytes(text), options);
const rows = (found: Table): unknown[][] => [...found].map((row) => Object.values(row));

describe("values", () => {
  test("numbers and texts, by column; what is missing is null", async () => {
    const found = await read("name,age,score\nAnna,31,1.5\nBo,NA,\n,40,-2e-3\n");
    expect(found.names).toEqual(["name", "age", "score"]);
    expect(found.kinds).toEqual({ name: "text", age: "number", score: "number" });
    expect(rows(found)).toEqual([
      ["Anna", 31, 1.5],
      ["Bo", null, null],
      [null, 40, -0.002],
    ]);
    expect(found.missing("age")).toBe(1);
  });

  test("a word for a missing number may have any letters", async () => {
    const found = await read("a,b\n1,2\n—,3\nné,4\n", { missing: ["—", "né"] });
    expect(rows(found)).toEqual([
      [1, 2],
      [null, 3],
      [null, 4],
    ]);
  });

  test("a code is no number: leading zeros, more digits than a double holds, hexadecimal, words for infinity", async () => {
    const found = await read("zip,card,hex,wide,plain\n00501,12345678901234567890,0x1f,inf,1e3\n10001,1,1,1,+4\n");
    expect(found.kinds).toEqual({ zip: "text", card: "text", hex: "text", wide: "text", plain: "number" });
    expect(rows(found)[0]).toEqual(["00501", "12345678901234567890", "0x1f", "inf", 1000]);
  });

  test("quotes hold delimiters, ends of lines and quotes; a text is kept as it is, spaces around an unquoted one are not", async () => {
    const found = await read('a,b\n" x, ""y"" ",1\r\n"two\nlines", 2 \n  spaced out  ,3\n5" pipe,4\n');
    expect(rows(found)).toEqual([
      [' x, "y" ', 1],
      ["two\nlines", 2],
      ["spaced out", 3],
      ['5" pipe', 4],
    ]);
    expect([0, 1, 2, 3].map((row) => found.place(row))).toEqual([2, 3, 5, 6].map((line) => `bytes, line ${line}`));
  });

  test("a doubled quote says the same as the text that it is, and an unquoted one what it is", async () => {
    const found = await read('a,b\n"x""y",1\nx"y,2\nx""y,3\n');
    expect(rows(found).map(([text]) => text)).toEqual(['x"y', 'x"y', 'x""y']);
    const column = found.column("a");
    expect(column.kind === "text" && [...column.codes]).toEqual([0, 0, 1]);
  });

  test("empty lines are no rows; a last line needs no end; a delimiter at the end has an empty value behind it", async () => {
    expect(rows(await read("a,b\n\n1,2\n  \n3,4"))).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(rows(await read("a,b\n1,"))).toEqual([[1, null]]);
    expect(rows(await read("a,b\n1,2\n,"))).toEqual([
      [1, 2],
      [null, null],
    ]);
    expect(rows(await read("only\n1\n2\n"))).toEqual([[1], [2]]);
  });

  test("names alone are a table of no rows", async () => {
    const found = await read("a,b\n");
    expect([found.rows, found.names]).toEqual([0, ["a", "b"]]);
  });

  test("numbers are those of JavaScript, to the bit", () => {
    let state = 1;
    const draw = (): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 2 ** 32;
    };
    let compared = 0;
    for (let round = 0; round < 40_000; round++) {
      const value = (draw() - 0.5) * 10 ** Math.floor(draw() * 20 - 8) + draw() * 1e-9;
      const places = Math.floor(draw() * 20);
      const forms = [String(value), value.toFixed(places), value.toPrecision(1 + places), value.toExponential(places)];
      const text = forms[round % 4] ?? "";
      if (/^-?\d{16,}$/.test(text)) continue; // an integer that a double does not hold is no number here
      expect(numberOf(text), text).toBe(Number(text));
      compared += 1;
    }
    expect(compared).toBeGreaterThan(39_000);
    expect(["0.1", "-0", "9007199254740991", ".5", "5.", "1e-400"].map((text) => numberOf(text))).toEqual([
      0.1, -0, 9007199254740991, 0.5, 5, 0,
    ]);
    expect(
      ["", "-", ".", "007", "1_000", "1,5", "0x1f", "1e", "1e400", "9007199254740993", "1 2"].map((text) =>
        numberOf(text),
      ),
    ).toEqual(new Array(11).fill(Number.NaN));
  });
});

describe("dialect", () => {
  test.each([
    [
      "semicolons with decimal commas",
      "a;b\n1,5;x\n2,25;y\n",
      [
        [1.5, "x"],
        [2.25, "y"],
      ],
    ],
    [
      "tabs",
      "a\tb\n1\tx y\n2\tz, w\n",
      [
        [1, "x y"],
        [2, "z, w"],
      ],
    ],
    ["bars", "a|b\n1|2\n", [[1, 2]]],
    [
      "delimiters within quotes",
      '"a;b",c\n"1;2",3\n"4;5",6\n',
      [
        ["1;2", 3],
        ["4;5", 6],
      ],
    ],
    [
      "carriage returns alone",
      "a,b\r1,2\r3,4\r",
      [
        [1, 2],
        [3, 4],
      ],
    ],
    ["a byte-order mark", "\uFEFFa,b\n1,2\n", [[1, 2]]],
  ])("%s", async (_, text, expected) => {
    expect(rows(await read(text))).toEqual(expected);
  });

  test("a table says what was found, whatever is taken of it; the next file can be read so", async () => {
    const found = await read("a;'b'\n1,5;x\n2,25;y\n", { quote: "'" });
    const dialect = { delimiter: ";", quote: "'", header: true, decimal: "," };
    expect(found.dialect).toEqual(dialect);
    expect(found.pick([1]).select(["a"]).dialect).toEqual(dialect);
    expect(rows(await read("a;b\n'1';2,5\n", found.dialect))).toEqual([[1, 2.5]]);
    expect((await read("1\t2\n", {})).dialect).toEqual({ delimiter: "\t", quote: '"', header: false, decimal: "." });
    expect((await read("a|b\n")).dialect?.delimiter).toBe("|");
    expect((await table([{ a: 1 }])).dialect).toBeUndefined();
  });

  test("a first row of numbers alone has no names", async () => {
    const found = await read("1,2\n3,4\n");
    expect([found.names, rows(found)]).toEqual([
      ["column1", "column2"],
      [
        [1, 2],
        [3, 4],
      ],
    ]);
    expect((await read("1,2\n3,4\n", { header: true })).names).toEqual(["1", "2"]);
    expect(rows(await read("a,b\nc,d\n", { header: false }))).toEqual([
      ["a", "b"],
      ["c", "d"],
    ]);
    expect((await read("x,2019,2020\n1,2,3\n")).names).toEqual(["x", "2019", "2020"]);
  });

  test("what is said is not guessed", async () => {
    expect(rows(await read("a,b;c\n1,2;3\n", { delimiter: ";", decimal: "." }))).toEqual([["1,2", 3]]);
    expect(rows(await read("a;b\n1,234;3\n"))).toEqual([["1,234", 3]]); // or 1234: nobody can tell
    expect(rows(await read("a,b\n'x,y',2\n", { quote: "'" }))).toEqual([["x,y", 2]]);
    expect((await read("1,2\n", { columns: ["p", "q"] })).names).toEqual(["p", "q"]);
    expect((await read("a\n1\n2\n", { kinds: { a: "text" } })).kinds).toEqual({ a: "text" });
    expect(rows(await read("a,b\n?,1\n2,-\n", { missing: ["?", "-"] }))).toEqual([
      [null, 1],
      [2, null],
    ]);
    expect(rows(await table(Uint8Array.of(97, 10, 0xe9, 10), { encoding: "latin1" }))).toEqual([["é"]]);
  });
});

describe("what is wrong has a line", () => {
  test.each([
    [
      "a short row",
      "a,b\n1,2\n3\n",
      "expected 2 values for 'bytes, line 3' but received 1, the last of which is \"3\"",
    ],
    [
      "a long row",
      'a,b\n"x\ny",2\n3,4,5\n',
      "expected 2 values for 'bytes, line 4' but received 3, the last of which is \"5\"",
    ],
    [
      "an open quote",
      'a,b\n1,2\n3,"x\n4,5\n',
      "expected a quote that is closed before the end of the file for 'bytes, line 3, column 'b'' but received a quote that stays open",
    ],
    [
      "text behind a quote",
      'a,b\n"x"y,2\n',
      "expected a delimiter or the end of the line behind a closing quote for 'bytes, line 2, column 'a'' but received other text",
    ],
    [
      "a name twice",
      "a,b,a\n1,2,3\n",
      "expected every column name once for 'bytes, line 1' but received 'a' in columns 1 and 3: give { columns: [names] }",
    ],
    ["nothing", "", "expected rows for 'bytes' but received an empty file"],
  ])("%s", async (_, text, message) => {
    await expect(read(text)).rejects.toThrow(expect.objectContaining({ code: "ERR_DATA", message }));
  });

  test("bytes that are no UTF-8", async () => {
    const wrong = Buffer.concat([bytes("a,b\nx,1\ny"), Uint8Array.of(0xff), bytes(",2\n")]);
    await expect(table(wrong)).rejects.toThrow(
      "expected UTF-8 for 'bytes, line 3' but received other bytes, in the line that begins at byte 8: give { encoding }, such as 'latin1'",
    );
    await expect(table(Uint8Array.of(0xff, 0xfe, 97, 0))).rejects.toThrow("{ encoding: 'utf-16le' }");
  });

  test("a row without an end is refused where it begins, whatever its length", async () => {
    const piece = new Uint8Array(4_194_304).fill(120);
    async function* endless(): AsyncGenerator<Uint8Array> {
      yield bytes('a,b\n1,2\n3,"');
      for (;;) {
        await Promise.resolve();
        yield piece;
      }
    }
    await expect(table(endless())).rejects.toThrow("expected a row of at most 67108864 bytes for 'stream, line 3'");
  });

  test("files", async () => {
    const { code, message } = await table(join(folder, "none.csv")).catch((error: unknown) => Object(error));
    expect([code, message]).toEqual(["ERR_FILE", expect.stringContaining("none.csv")]);
    await expect(table(folder)).rejects.toThrow(expect.objectContaining({ code: "ERR_FILE" }));
    await expect(table(join(folder, "*.none"))).rejects.toThrow(expect.objectContaining({ code: "ERR_FILE" }));
    const cut = gzipSync(bytes("a,b\n1,2\n".repeat(1000)));
    await expect(table(file("cut.csv.gz", cut.subarray(0, cut.length - 20)))).rejects.toThrow(
      expect.objectContaining({ code: "ERR_FILE", message: expect.stringContaining("a whole file of gzip") }),
    );
  });

  test("options", async () => {
    await expect(read("a\n1\n", { delimeter: ";" } as object)).rejects.toThrow("Did you mean 'delimiter'?");
    await expect(read("a\n1\n", { delimiter: ";;" })).rejects.toThrow("one ASCII character");
    await expect(read("a\n1\n", { kinds: { a: "date" } })).rejects.toThrow("'number' or 'text' for separated text");
    await expect(read("a\n1\n", { kinds: { b: "text" } })).rejects.toThrow(
      expect.objectContaining({ code: "ERR_DATA" }),
    );
  });
});

describe("blocks", () => {
  /** A text of several blocks, whose last column is a number until the last row. */
  const long = `id,city,zip\n${Array.from({ length: 120_000 }, (_, row) => `${row},city ${row % 7},${10_000 + (row % 80_000)}`).join("\n")}\n`;

  test("a column that is none of numbers further on has the texts that were written", async () => {
    const found = await read(`${long}120000,"a ""b""",00501\n`);
    expect(found.rows).toBe(120_001);
    expect(found.kinds).toEqual({ id: "number", city: "text", zip: "text" });
    expect(found.at(0, "zip")).toBe("10000");
    expect(found.row(120_000)).toEqual({ id: 120_000, city: 'a "b"', zip: "00501" });
    expect(found.place(120_000)).toBe("bytes, line 120002");
    const column = found.column("city");
    expect(column.kind === "text" && column.levels.length).toBe(8);
  });

  test("the same of a stream that can be read once, in pieces of any length", async () => {
    const text = `${long}120000,last,00501\n`;
    const pieces = (size: number): Readable =>
      Readable.from(
        (function* () {
          const all = bytes(text);
          for (let begin = 0; begin < all.length; begin += size) yield all.subarray(begin, begin + size);
        })(),
      );
    const whole = await table(pieces(77_777));
    expect([whole.kinds.zip, whole.rows, whole.at(120_000, "zip")]).toEqual(["text", 120_001, "00501"]);
    const small = 'a,b\r\n"x\r\n""é""",1\r\ny,2\r\n';
    for (let size = 1; size < 12; size++) {
      const all = bytes(small);
      const parts = Array.from({ length: Math.ceil(all.length / size) }, (_, at) =>
        all.slice(at * size, (at + 1) * size),
      );
      expect(rows(await table(Readable.from(parts)))).toEqual([
        ['x\r\n"é"', 1],
        ["y", 2],
      ]);
    }
  });

  test("a stream is what its first bytes say, however short its pieces are, in memory that it fills again", async () => {
    const text = "\uFEFFa,b\n1,x\n2,y\n";
    async function* pieces(all: Uint8Array): AsyncGenerator<Uint8Array> {
      const piece = new Uint8Array(1);
      yield piece.subarray(1);
      for (const byte of all) {
        await Promise.resolve();
        piece[0] = byte;
        yield piece;
      }
    }
    const expected = [
      [1, "x"],
      [2, "y"],
    ];
    for (const all of [bytes(text), gzipSync(bytes(text)), bytes('\n {"a":1,"b":"x"}\n{"a":2,"b":"y"}\n')]) {
      expect(rows(await table(pieces(all)))).toEqual(expected);
      const blocks: Table[] = [];
      for await (const block of tableBlocks(pieces(all))) blocks.push(block);
      expect(blocks.flatMap(rows)).toEqual(expected);
    }
    const array = readFileSync("test/table/fixtures/fields.npy");
    expect((await table(pieces(array))).names).toEqual(["id", "score", "name"]);
  });

  test("a stream of which no more is wanted is ended, be its first piece longer than what was read", async () => {
    let ended = false;
    async function* pieces(): AsyncGenerator<Uint8Array> {
      try {
        await Promise.resolve();
        yield bytes(`a,b\n${"1,2\n".repeat(500_000)}`);
        yield bytes("1,2\n");
      } finally {
        ended = true;
      }
    }
    expect([(await table(pieces(), { rows: 1 })).rows, ended]).toEqual([1, true]);
  });

  test("block by block such a column is refused with its line, unless its kind is given", async () => {
    const text = bytes(`${long}120000,last,00501\n`);
    const all = async (options: TableOptions): Promise<number> => {
      let sum = 0;
      for await (const block of tableBlocks(text, options)) sum += block.rows;
      return sum;
    };
    await expect(all({})).rejects.toThrow(
      "expected a number, as in the first rows, or { kinds: { 'zip': 'text' } }, for 'bytes, line 120002, column 'zip'' but received \"00501\"",
    );
    expect(await all({ kinds: { zip: "text" } })).toBe(120_001);
    expect(await all({ rows: 50_001 })).toBe(50_001);
  });

  test("files of a pattern, compressed or not, one behind the other", async () => {
    file("part-1.csv", "a,b\n1,x\n");
    file("part-2.csv.gz", gzipSync(bytes("a,b\n2,y\n3,x\n")));
    const found = await table(join(folder, "part-*"));
    expect(rows(found)).toEqual([
      [1, "x"],
      [2, "y"],
      [3, "x"],
    ]);
    expect(found.place(2)).toBe(`${join(folder, "part-2.csv.gz")}, line 3`);
    expect((await table(join(folder, "part-{1,2}.csv*"))).rows).toBe(3);
    file("part-3.csv", "a,c\n2,y\n");
    await expect(table(join(folder, "part-*"))).rejects.toThrow(expect.objectContaining({ code: "ERR_DATA" }));
  });

  test("an abort ends it with the reason", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const reading = (async () => {
      for await (const block of tableBlocks(bytes(long), { signal: controller.signal })) {
        if (block.rows > 0) controller.abort(reason);
      }
    })();
    await expect(reading).rejects.toBe(reason);
  });
});

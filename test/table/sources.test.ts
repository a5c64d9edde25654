// Sources as programs have them: memory that is filled again, pipes, long headers, files that claim more than they hold.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { prepare, type Schema, schemaOf, type TableOptions, table, tableBlocks, tabular } from "../../lib/index.js";

const folder = mkdtempSync(join(tmpdir(), "carillon-sources-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("memory", () => {
  test("up to 4 MB are copied at the call", async () => {
    const text = `a,b\n${"1,2\n".repeat(200_000)}`;
    const given = bytes(text);
    const calls = [table(given), schemaOf(given), tableBlocks(given).next()] as const;
    given.fill(120);
    const [whole, inferred, block] = await Promise.all(calls);
    expect([whole.rows, whole.names, inferred.rows]).toEqual([200_000, ["a", "b"], 200_000]);
    expect(block.value?.names).toEqual(["a", "b"]);
  });

  test("more that is transferred meanwhile is ERR_DETACHED", async () => {
    const given = Uint8Array.from(bytes(`a,b\n${"1,2\n".repeat(1_100_000)}`));
    const reading = table(given);
    structuredClone(given.buffer, { transfer: [given.buffer] });
    await expect(reading).rejects.toMatchObject({ code: "ERR_DETACHED" });
  });
});

describe("what is read at the call", () => {
  const schema: Schema = { columns: { a: { kind: "number" }, b: { kind: "boolean" } }, target: "b", task: "binary" };
  const text = `a,b\n${Array.from({ length: 60 }, (_, row) => `${((row * 37) % 61) + 0.5},${row % 3 === 0 ? "x" : "y"}`).join("\n")}\n`;

  test("rows and columns in memory may be changed behind it", async () => {
    const rows = [{ a: 1 }, { a: 2 }];
    const columns = { a: Float64Array.of(1, 2) };
    const of = { schema: { columns: { a: { kind: "number" } } } } as const;
    const calls = [rows, columns].map(
      (given) => [table(given), tableBlocks(given).next(), schemaOf(given), prepare(given, of)] as const,
    );
    rows.push({ a: 9 });
    for (const row of rows) row.a = 9;
    columns.a.fill(9);
    for (const [whole, block, inferred, preparation] of calls) {
      expect([...(await whole)].map(({ a }) => a)).toEqual([1, 2]);
      expect([...((await block).value ?? [])].map(({ a }) => a)).toEqual([1, 2]);
      expect([(await inferred).rows, (await preparation).rows]).toEqual([2, 2]);
    }
  });

  test("so may bytes, whoever reads them", async () => {
    const estimator = tabular({ preset: "fast", epochs: 1, hidden: [4] });
    const given = bytes(text);
    const fitting = estimator.fit(given, { target: "b" });
    given.fill(120);
    const model = await fitting;
    expect(model.columns).toEqual(["a"]);
    const again = bytes(text);
    const measured = model.evaluate(again);
    const blocks = model.preparation.blocks(again);
    again.fill(120);
    expect(await measured).toEqual(await model.evaluate(bytes(text)));
    expect((await blocks.next()).value?.x.numbers?.shape).toEqual([60, 1]);
  });

  /** Answers once, and then never; nor does it ever close. */
  const silent = (first = text): AsyncIterable<string> => ({
    [Symbol.asyncIterator]() {
      let asked = 0;
      const never = new Promise<never>(() => undefined);
      return {
        next: () => (asked++ === 0 ? Promise.resolve({ done: false as const, value: first }) : never),
        return: () => never,
      };
    },
  });
  const readers: Readonly<Record<string, (options: TableOptions) => PromiseLike<unknown>>> = {
    table: (options) => table(silent(), options),
    tableBlocks: (options) => tableBlocks(silent(), options).next(),
    schemaOf: ({ signal }) => schemaOf(silent(), { signal }),
    prepare: ({ signal }) => prepare(silent(), { schema, signal }),
    gzip: (options) => table(packed(), options),
    "tabular.fit": ({ signal }) => tabular().fit(silent(), { target: "b", signal }),
  };
  /** The beginning of a compressed file. */
  async function* packed(): AsyncGenerator<Uint8Array> {
    yield gzipSync(bytes(text)).subarray(0, 100);
    await new Promise(() => undefined);
  }

  test.each(Object.entries(readers))("an abort is heard while a source does not answer: %s", async (_, read) => {
    const aborting = new AbortController();
    const reading = Promise.resolve(read({ signal: aborting.signal }));
    setTimeout(() => aborting.abort(new Error("enough")), 20);
    await expect(reading).rejects.toThrow("enough");
  });

  test("a run is stopped while its source does not answer, and a source that never closes is not waited for", async () => {
    const run = tabular().fit(silent(), { target: "b" });
    setTimeout(() => run.stop(), 20);
    await expect(run).rejects.toMatchObject({ code: "ERR_STATE" });
    for await (const block of tableBlocks(silent(text + "1,x\n".repeat(1_000_000)))) {
      expect(block.rows).toBeGreaterThan(60);
      break;
    }
  });
});

describe("separated text", () => {
  test("a header of more than a block has names", async () => {
    const name = "x".repeat(3_000_000);
    const found = await table(bytes(`${name},b\n1,2\n`));
    expect([found.rows, found.names[0]?.length, found.names[1]]).toEqual([1, 3_000_000, "b"]);
  });

  test("the time that names of many columns take follows their number", async () => {
    const names = Array.from({ length: 100_000 }, (_, at) => `c${at}`);
    const found = await table(bytes(`${names.join(",")}\n${names.map((_, at) => at).join(",")}\n`));
    expect([found.rows, found.names.length, found.at(0, "c99999")]).toEqual([1, 100_000, 99_999]);
    await expect(table(bytes(`${names.join(",")},c7\n`))).rejects.toThrow("'c7' in columns 8 and 100001");
  }, 10_000);

  test.skipIf(process.platform === "win32")(
    "a pipe is read once, though a column turns out to be texts",
    async () => {
      const pipe = join(folder, "pipe.csv");
      expect(spawnSync("mkfifo", [pipe]).status).toBe(0);
      const source = join(folder, "source.csv");
      writeFileSync(source, `a,b\n${"1,2\n".repeat(400_000)}x,2\n`);
      const writer = spawn("sh", ["-c", 'cat "$0" > "$1"', source, pipe]);
      const found = await table(pipe);
      expect([found.rows, found.kinds]).toEqual([400_001, { a: "text", b: "number" }]);
      writer.kill();
    },
    20_000,
  );
});

describe("NumPy's files", () => {
  /** An array whose header says what it likes. */
  const array = (descr: string, shape: string, data: Uint8Array = new Uint8Array()): Uint8Array => {
    const text = `{'descr': ${descr}, 'fortran_order': False, 'shape': ${shape}, }`;
    const header = bytes(text.padEnd(117, " ").concat("\n"));
    return Buffer.concat([Uint8Array.of(0x93, ...bytes("NUMPY"), 1, 0, header.length, 0), header, data]);
  };

  test.each([
    ["texts of no bytes", "'|S0'", "(4000000000,)"],
    ["the same in four bytes each", "'<U0'", "(1000000000000,)"],
    ["no fields", "[]", "(9000000000,)"],
    ["columns without rows", "'<f8'", "(0, 4000000000)"],
    ["more rows than bytes", "'<f8'", "(1000000000000,)"],
  ])("what is claimed is bounded by what is there: %s", async (_, descr, shape) => {
    await expect(table(array(descr, shape), { format: "npy" })).rejects.toMatchObject({ code: "ERR_DATA" });
  });

  test("arrays without rows have their columns", async () => {
    expect((await table(array("'<f8'", "(0, 3)"), { format: "npy" })).names).toEqual(["column1", "column2", "column3"]);
  });

  test("long texts; a number that is no character", async () => {
    const long = new Uint8Array(400_000).fill(120, 0, 200_000);
    const found = await table(array("'|S200000'", "(2,)", long), { format: "npy" });
    expect([found.at(0, "column"), found.at(1, "column")]).toEqual(["x".repeat(200_000), null]);
    const none = table(array("'<U1'", "(1,)", new Uint8Array(4).fill(255)), { format: "npy" });
    await expect(none).rejects.toMatchObject({ code: "ERR_DATA" });
  });

  test("files of an archive that lie over each other are refused", async () => {
    const one = array("'<f8'", "(1,)", new Uint8Array(8));
    const record = (signature: number, size: number, fields: readonly (readonly [number, number, 2 | 4])[]) => {
      const view = new DataView(new ArrayBuffer(size));
      view.setUint32(0, signature, true);
      for (const [at, value, width] of fields) {
        if (width === 2) view.setUint16(at, value, true);
        else view.setUint32(at, value, true);
      }
      return new Uint8Array(view.buffer);
    };
    const archive = (count: number): Uint8Array => {
      const local = record(0x04034b50, 30, []);
      const entries = Array.from({ length: count }, (_, at) => [
        ...record(0x02014b50, 46, [
          [20, one.length, 4],
          [24, one.length, 4],
          [28, 2, 2],
        ]),
        ...bytes(`a${at}`),
      ]).flat();
      const end = record(0x06054b50, 22, [
        [10, count, 2],
        [16, local.length + one.length, 4],
      ]);
      return Uint8Array.of(...local, ...one, ...entries, ...end);
    };
    expect((await table(archive(1), { format: "npz" })).row(0)).toEqual({ a0: 0 });
    await expect(table(archive(9), { format: "npz" })).rejects.toThrow("lie over each other");
  });
});

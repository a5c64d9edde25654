// Queries of DuckDB, whose types are told by itself.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, describe, expect, test } from "vitest";
import { prepare, schemaOf, table, tableBlocks } from "../../lib/index.js";

const folder = mkdtempSync(join(tmpdir(), "carillon-duckdb-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const from = "duckdb:";
const rejected = async (pending: Promise<unknown>): Promise<unknown> => await pending.catch((error: unknown) => error);

describe("DuckDB", () => {
  test("types by column: decimals, large integers, dates, missing ones", async () => {
    const sql = `SELECT * FROM (VALUES
      (1::TINYINT, 9007199254740991::BIGINT, 0.1::DECIMAL(18, 4), 1.5::FLOAT, true, 'a'::VARCHAR, DATE '1969-12-31', TIMESTAMP '2021-03-04 05:06:07.0899', TIME '01:00:00.5', 'x'::ENUM('x', 'y'), uuid '11111111-2222-3333-4444-555555555555', NULL),
      (NULL, -1, -12.3456, NULL, NULL, '', NULL, NULL, NULL, NULL, NULL, NULL)
    ) AS t(tiny, big, price, single, flag, name, day, moment, clock, level, id, nothing)`;
    const found = await table({ sql, from });
    expect([...found]).toEqual([
      {
        tiny: 1,
        big: 9_007_199_254_740_991,
        price: 0.1,
        single: 1.5,
        flag: true,
        name: "a",
        day: new Date(-86_400_000),
        moment: new Date(Date.UTC(2021, 2, 4, 5, 6, 7, 89)),
        clock: 3600.5,
        level: "x",
        id: "11111111-2222-3333-4444-555555555555",
        nothing: null,
      },
      {
        tiny: null,
        big: -1,
        price: -12.3456,
        single: null,
        flag: null,
        name: null,
        day: null,
        moment: null,
        clock: null,
        level: null,
        id: null,
        nothing: null,
      },
    ]);
    expect(found.place(1)).toBe("duckdb, row 1");
    expect((await table({ sql: "SELECT 1 AS a, 'x' AS b WHERE false", from })).kinds).toEqual({
      a: "number",
      b: "text",
    });
  });

  test("block by block, parameters, columns, rows, schema, preparation", async () => {
    const sql = "SELECT range AS i, range % $1 AS code, 'n' || (range % 3) AS name FROM range(50000) ORDER BY i";
    const source = { sql, from, parameters: [7] };
    const rows: number[] = [];
    for await (const block of tableBlocks(source, { columns: ["code", "i"] })) {
      expect(block.names).toEqual(["code", "i"]);
      rows.push(block.rows);
    }
    expect([rows.length > 2, rows.reduce((a, b) => a + b)]).toEqual([true, 50_000]);
    expect((await table(source, { rows: 30 })).at(29, "i")).toBe(29);
    const { schema } = await schemaOf(source, { target: "name" });
    expect(schema.columns).toMatchObject({ i: { kind: "id" }, code: { kind: "number" }, name: { kind: "category" } });
    expect((await prepare(source, { schema })).classes).toEqual(["n0", "n1", "n2"]);
  });

  test("a file is read, and not written", async () => {
    const path = join(folder, "own.duckdb");
    const instance = await DuckDBInstance.create(path);
    const connection = await instance.connect();
    await connection.run("CREATE TABLE t AS SELECT 5 AS x");
    connection.closeSync();
    instance.closeSync();
    expect((await table({ sql: "SELECT * FROM t;", from: path })).row(0)).toEqual({ x: 5 });
    expect(await rejected(table({ sql: "DROP TABLE t", from: `duckdb:${path}` }))).toMatchObject({
      code: "ERR_OPTION",
    });
    expect((await table({ sql: "SELECT count(*) AS n FROM t", from: path })).at(0, "n")).toBe(1);
  });

  test("what no table holds, and what no query is, in a sentence", async () => {
    const told = async (sql: string, where: string = from): Promise<string> =>
      String(await rejected(table({ sql, from: where })));
    expect(await told("SELECT [1, 2] AS x")).toContain("'duckdb, column 'x'' but received LIST: cast it in the query");
    expect(await told("SELECT 9007199254740993 AS x")).toContain("column 'x'' but received 9007199254740993n");
    expect(await told("SELECT 1 AS x, 2 AS x")).toContain("every column once (name them with AS)");
    expect(await told("SELEC 1")).toContain("one statement that gives rows for 'sql' but received Parser Error");
    expect(await told("COPY (SELECT 1) TO 'x.csv'")).toContain("a statement of another kind");
    expect(await told("SELECT error('gone') FROM range(3)")).toContain("gone");
    expect(await told("SELECT 1", join(folder, "none.db"))).toContain("ENOENT");
    expect(await told("SELECT 1", "mysql://me:secret@host/db")).toMatch(/DuckDB, or duckdb:.*mysql:\/\/me@host\/db/);
    for (const from of ["mysql+x://me:secret@host/db", " postgres://me:secret@host/db", "mysql://host?password=secret"])
      expect(await told("SELECT 1", from)).toMatch(/DuckDB, or duckdb:.*:\/\/(?!.*secret)/);
    writeFileSync(join(folder, "text.db"), "no database");
    expect(await told("SELECT 1", join(folder, "text.db"))).toContain("postgres://…, a file of SQLite or DuckDB");
    expect(String(await rejected(table({ sql: "SELECT 1", form: "x" } as never)))).toContain("Did you mean 'from'?");
  });

  test("an abort ends a query that goes on and on", async () => {
    const sql = "SELECT sum(a.range * b.range) AS x FROM range(2000000) a, range(2000000) b";
    const begun = performance.now();
    await expect(table({ sql, from }, { signal: AbortSignal.timeout(200) })).rejects.toMatchObject({
      name: "TimeoutError",
    });
    expect(performance.now() - begun).toBeLessThan(1500);
  });
});

test("a package that is not there is named, with the line that installs it", async () => {
  const { peer } = await import("../../lib/table/peer.js");
  await expect(peer("carillon-none-such", "nothing")).rejects.toThrow(
    "expected the package 'carillon-none-such', which nothing is read with, but received none. Install it: npm install carillon-none-such",
  );
});

// SQLite: a database of Python's (make_sqlite_fixture.py). `npm run test:databases` runs it on a Node.js that has SQLite.
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { schemaOf, table, tableBlocks } from "../../lib/index.js";

const from = fileURLToPath(new URL("fixtures/types.sqlite", import.meta.url));
const own: object | undefined = process.getBuiltinModule("node:sqlite");
const prototype: unknown = own === undefined ? undefined : Reflect.get(Reflect.get(own, "StatementSync"), "prototype");
const hasSqlite =
  process.env.CARILLON_SQLITE !== undefined ||
  (typeof prototype === "object" && prototype !== null && "setReturnArrays" in prototype);
if (!hasSqlite) console.log("left out: SQLite, which this Node.js has not (npm run test:databases)");

describe.skipIf(!hasSqlite)("SQLite", () => {
  test("types by column", async () => {
    const found = await table({ sql: "SELECT * FROM t ORDER BY id", from });
    expect([...found]).toEqual([
      { id: 1, zip: "00501", price: null, active: true, at: "2021-03-04 05:06:07", plain: 1.5 },
      { id: 2, zip: "10001", price: 12.25, active: false, at: null, plain: null },
      { id: 9_007_199_254_740_991, zip: null, price: 7, active: null, at: "2021-03-05", plain: 2 },
    ]);
    expect(found.place(2)).toBe(`${from}, row 2`);
    const none = await table({ sql: "SELECT * FROM t WHERE id < 0", from });
    expect(none.kinds).toMatchObject({ id: "number", zip: "text", active: "boolean" });
    const { schema } = await schemaOf({ sql: "SELECT at, zip FROM t", from });
    expect(schema.columns.at?.kind).toBe("date");
  });

  test("parameters, columns, rows, blocks", async () => {
    const source = { sql: "SELECT id, zip FROM t WHERE id <= ? AND active = ?;", from, parameters: [2, true] };
    expect([...(await table(source, { columns: ["zip"] }))]).toEqual([{ zip: "00501" }]);
    const sql = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT i, 'x' || i % 3 AS x FROM n`;
    const rows: number[] = [];
    for await (const block of tableBlocks({ sql, from })) rows.push(block.rows);
    expect([rows.length > 1, rows.reduce((a, b) => a + b)]).toEqual([true, 20_000]);
    expect((await table({ sql, from }, { rows: 7 })).rows).toBe(7);
  });

  test("what no table holds, and what no query is, in a sentence", async () => {
    const told = async (sql: string): Promise<string> =>
      String(await table({ sql, from: `sqlite:${from}` }).catch((error: unknown) => error));
    expect(await told("SELECT x FROM odd")).toContain("row 1, column 'x'' but received \"NA\"");
    expect(await told("SELECT wide FROM odd")).toContain("9007199254740993");
    expect(await told("SELECT bytes FROM odd")).toContain("row 0, column 'bytes''");
    expect(await told("SELEC 1")).toContain("one statement that gives rows for 'sql' but received near \"SELEC\"");
    expect(await told("DELETE FROM t")).toMatch(/statement without rows|readonly/);
    expect(await told("SELECT count(*) AS n FROM t")).toContain("3");
  });
});

// PostgreSQL: a real server, which `npm run test:databases` starts.
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { prepare, schemaOf, table, tableBlocks } from "../../lib/index.js";

const from = process.env.CARILLON_POSTGRES ?? "";
if (from === "") console.log("left out: PostgreSQL, of which no server runs (npm run test:databases)");

const told = async (sql: string, where: string = from): Promise<string> =>
  String(await table({ sql, from: where }).catch((error: unknown) => error));

describe.skipIf(from === "")("PostgreSQL", () => {
  const admin = new Client({ connectionString: from });
  beforeAll(async () => {
    await admin.connect();
    await admin.query(`CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE DOMAIN plz AS text;
      CREATE TABLE types (small int2, big int8, price numeric(12, 4), single float4, "double" float8, flag boolean, name text,
        code varchar(5), zip plz, feeling mood, id uuid, document jsonb, day date, moment timestamp, zoned timestamptz, clock time);
      INSERT INTO types VALUES
        (-3, 9007199254740991, 0.1000, 0.1, 0.1, true, 'Zoë "quoted", \\ and so on', '00501', '01', 'glad',
         '11111111-2222-3333-4444-555555555555', '{"a": 1}', '1969-12-31', '2021-03-04 05:06:07.0899', '2021-03-04 05:06:07+02', '14:30:00.5'),
        (NULL, NULL, NULL, NULL, 'NaN', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
        (0, -5, 'NaN', -1.5, 'Infinity', false, '', ' ', '', 'sad', NULL, '[]', '0044-03-15 BC', '12021-01-01', '0001-01-01 00:00:00+00', '00:00');
      CREATE TABLE many AS SELECT i, i % 13 AS code, CASE WHEN i % 5 = 0 THEN NULL ELSE i / 7.0 END::float8 AS value, 'n' || i % 3 AS name
        FROM generate_series(0, 99999) AS i`);
  });
  afterAll(async () => await admin.end());

  test("types by column: decimals, large integers, dates before our time, missing ones", async () => {
    const found = await table({ sql: "SELECT * FROM types", from });
    const [first, second, third] = [...found];
    expect(first).toEqual({
      small: -3,
      big: 9_007_199_254_740_991,
      price: 0.1,
      single: 0.1,
      double: 0.1,
      flag: true,
      name: 'Zoë "quoted", \\ and so on',
      code: "00501",
      zip: "01",
      feeling: "glad",
      id: "11111111-2222-3333-4444-555555555555",
      document: '{"a": 1}',
      day: new Date(-86_400_000),
      moment: new Date(Date.UTC(2021, 2, 4, 5, 6, 7, 89)),
      zoned: new Date(Date.UTC(2021, 2, 4, 3, 6, 7)),
      clock: 52_200.5,
    });
    expect(Object.values(second ?? {})).toEqual(Array(16).fill(null));
    expect(third).toMatchObject({ small: 0, price: null, double: Number.POSITIVE_INFINITY, flag: false, name: null });
    expect(third?.day).toEqual(new Date("-000043-03-15T00:00:00Z"));
    expect(third?.moment).toEqual(new Date("+012021-01-01T00:00:00Z"));
    expect(third?.zoned).toEqual(new Date("0001-01-01T00:00:00Z"));
    expect((await table({ sql: "SELECT * FROM types WHERE false", from })).kinds).toMatchObject({
      big: "number",
      flag: "boolean",
      feeling: "text",
      zoned: "date",
    });
  });

  test("block by block, parameters, columns, rows, schema, preparation", async () => {
    const sql = "SELECT * FROM many WHERE i >= $1 ORDER BY i; -- all";
    const source = { sql: sql.replace(" -- all", ""), from, parameters: [10] };
    let [rows, largest, sum] = [0, 0, 0];
    for await (const block of tableBlocks(source, { columns: ["name", "i"] })) {
      rows += block.rows;
      largest = Math.max(largest, block.rows);
      const column = block.column("i");
      if (column.kind === "number") for (const value of column.values) sum += value;
    }
    expect([rows, largest <= 16_384, sum]).toEqual([99_990, true, (99_999 * 100_000) / 2 - 45]);
    expect((await table(source, { rows: 30 })).at(29, "i")).toBe(39);
    const { schema } = await schemaOf(source, { target: "name" });
    expect(schema.columns).toMatchObject({ i: { kind: "id" }, value: { kind: "number" }, name: { kind: "category" } });
    const preparation = await prepare(source, { schema });
    expect([preparation.rows, preparation.classes]).toEqual([99_990, ["n0", "n1", "n2"]]);
  });

  test("what no table holds, and what no query is, in a sentence; nothing is changed", async () => {
    expect(await told("SELECT ARRAY[1, 2] AS x")).toContain("column 'x'' but received another type: cast it");
    expect(await told("SELECT interval '1 day' AS x")).toContain("extract(epoch from …)");
    expect(await told("SELECT 9007199254740993 AS x")).toContain("row 0, column 'x'' but received 9007199254740993n");
    expect(await told("SELECT 'infinity'::date AS x")).toContain("column 'x'' but received \"infinity\"");
    expect(await told("SELECT 1 AS x, 2 AS x")).toContain("every column once (name them with AS)");
    expect(await told("SELECT * FROM none")).toContain("for 'sql' but received relation \"none\" does not exist");
    expect(await told("SELECT 1; DROP TABLE many")).toContain("one statement that gives rows");
    expect(await told("DELETE FROM many")).toContain("one statement that gives rows");
    expect(await told("SELECT 1 / (i - 50000) FROM many ORDER BY i")).toContain("division by zero");
    expect(await told("SELECT 1", from.replace(/:[^:@]*@/, ":wrong@"))).toMatch(/can be read for 'postgres/);
    expect(await told("SELECT 1", "postgres://me:secret@127.0.0.1:1/none")).toMatch(
      /me@127\.0\.0\.1:1\/none' but received .*ECONNREFUSED/,
    );
    expect(await told("SELECT 1", "postgres://me:secret@127.0.0.1:1/none")).not.toContain("secret");
    const { rows } = await admin.query("SELECT count(*)::int AS n FROM many");
    expect(rows).toEqual([{ n: 100_000 }]);
  });

  test("an abort ends a query within a second, on the server, too", async () => {
    const sql = "SELECT count(*) FROM many a, many b, many c /* goes on and on */";
    const begun = performance.now();
    await expect(table({ sql, from }, { signal: AbortSignal.timeout(300) })).rejects.toMatchObject({
      name: "TimeoutError",
    });
    expect(performance.now() - begun).toBeLessThan(1300);
    const busy = async (): Promise<unknown> =>
      (
        await admin.query(
          "SELECT count(*)::int AS n FROM pg_stat_activity WHERE query LIKE 'DECLARE%goes on%' OR (state = 'active' AND query LIKE 'FETCH%')",
        )
      ).rows[0];
    await expect.poll(busy, { timeout: 5000 }).toEqual({ n: 0 });
  });

  test("who takes some blocks leaves no connection", async () => {
    for await (const block of tableBlocks({ sql: "SELECT * FROM many", from })) if (block.rows > 0) break;
    const open = async (): Promise<unknown> =>
      (await admin.query("SELECT count(*)::int AS n FROM pg_stat_activity WHERE backend_type = 'client backend'"))
        .rows[0];
    await expect.poll(open, { timeout: 5000 }).toEqual({ n: 1 });
  });
});

// `npm run large-test [-- --rows 2000000] [--csv] [--quick]`: test/large/main.ts, beside a PostgreSQL of its own unless the rows come from a file.
import { join } from "node:path";
import { argv, execPath } from "node:process";
import pg from "pg";
import { besidePostgres } from "./postgres.mjs";
import { root, run } from "./tools.mjs";

const args = argv.slice(2);
const ROWS = Number(args[args.indexOf("--rows") + 1] ?? 0) || 2_000_000;

/** The columns of row i, as test/large/rows.ts writes them to a file. */
const NUMBERS = Array.from({ length: 13 }, (_, k) => {
  const number = `(((i * ${2 * k + 7919} + ${k * 104_729}) % 1000003) / 1000.0)::float8`;
  return `${k === 0 ? `CASE WHEN i % 17 = 0 THEN NULL ELSE ${number} END` : number} AS n${k}`;
});
const COLUMNS = [
  "i AS id",
  ...NUMBERS,
  "((i * 31) % 100)::int4 AS age",
  "(ARRAY['basic', 'pro', 'max', 'free'])[1 + (i * 13) % 4] AS plan",
  "'city ' || (i * 97) % 40 AS city",
  "(i * 7) % 3 = 0 AS paid",
  "((i * 11) % 5)::int4 AS calls",
  "CASE WHEN (i * 7919) % 1000003 + ((i * 31) % 100) * 8000 > 900000 THEN 'yes' ELSE 'no' END AS target",
];

/** @param {string} url */
async function makeTable(url) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const from = `FROM generate_series(0::int8, ${ROWS - 1}::int8) AS i`;
  await client.query(`CREATE UNLOGGED TABLE large AS SELECT ${COLUMNS.join(", ")} ${from}`);
  await client.query("ALTER TABLE large ADD PRIMARY KEY (id)");
  await client.query("ANALYZE large");
  await client.end();
}

/** @param {Readonly<Record<string, string>>} env */
async function test(env) {
  const program = [join(root, "scripts/run.mjs"), "test/large/main.ts", ...args];
  return (await run(execPath, program, { env, show: true })).status;
}

const isFile = args.includes("--csv") || args.includes("--quick");
process.exitCode = isFile
  ? await test({})
  : await besidePostgres(async (url) => {
      await makeTable(url);
      return await test({ CARILLON_POSTGRES: url });
    });

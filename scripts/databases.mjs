// `npm run test:databases`: the readers of databases against real ones. Starts a PostgreSQL of its own, which Debian has as the package
// `postgresql`, and takes a Node.js with SQLite from npm where this one has none; fails without.
import { argv, execPath } from "node:process";
import { cells, nodeOf } from "./matrix-cells.mjs";
import { besidePostgres } from "./postgres.mjs";
import { run } from "./tools.mjs";

/** Runs the tests of PostgreSQL. */
function testPostgres() {
  return besidePostgres(async (url) => {
    const tests = [...new Set(["test/databases/postgres.test.ts", ...argv.slice(2)])];
    return (await run("vitest", ["run", ...tests], { env: { CARILLON_POSTGRES: url }, show: true })).status;
  });
}

/** Runs the tests of SQLite on a Node.js that has it. */
async function testSqlite() {
  const [major = 0] = process.versions.node.split(".").map(Number);
  const cell = cells.find(({ name }) => name === "linux-x64-glibc-node22");
  const found = major >= 24 || cell === undefined ? { node: execPath } : await nodeOf(cell);
  if ("missing" in found) {
    console.error(`a Node.js with SQLite ${found.missing}`);
    return 1;
  }
  const vitest = ["node_modules/vitest/vitest.mjs", "run", "test/databases/sqlite.test.ts"];
  return (await run(found.node, vitest, { env: { CARILLON_SQLITE: "1" }, show: true })).status;
}

const statuses = [await testPostgres(), await testSqlite()];
process.exitCode = statuses.every((status) => status === 0) ? 0 : 1;

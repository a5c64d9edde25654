// `npm run test:databases`: the readers of databases against real ones. Starts a PostgreSQL of its own, which Debian has as the package
// `postgresql`, and takes a Node.js with SQLite from npm where this one has none; fails without.
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { argv, execPath } from "node:process";
import { cells, nodeOf } from "./matrix-cells.mjs";
import { mustRun, run } from "./tools.mjs";

const USER = "postgres";
const PASSWORD = "carillon test";

/** The newest server's programs: Debian keeps them out of the path. */
function serverFolder() {
  const base = "/usr/lib/postgresql";
  const versions = existsSync(base) ? readdirSync(base).sort((a, b) => Number(b) - Number(a)) : [];
  return (
    versions.map((version) => join(base, version, "bin")).find((folder) => existsSync(join(folder, "initdb"))) ?? ""
  );
}

/**
 * A command as the user of the server, which does not run as root.
 *
 * @param {readonly string[]} command
 * @returns {[string, string[]]}
 */
function asServer([program = "", ...args]) {
  return process.getuid?.() === 0 ? ["runuser", ["-u", USER, "--", program, ...args]] : [program, args];
}

/** Runs the tests of PostgreSQL beside a server that ends with them. */
async function testPostgres() {
  const bin = serverFolder();
  const folder = mkdtempSync(join(tmpdir(), "carillon-postgres-"));
  if (process.getuid?.() === 0) await mustRun("the server's folder", "chown", [USER, folder]);
  const data = join(folder, "data");
  const port = String(20_000 + (process.pid % 20_000));
  const passwords = join(folder, "password");
  await mustRun("password", ...asServer(["sh", "-c", `printf %s "$0" > "$1"`, PASSWORD, passwords]));
  const auth = ["--auth=scram-sha-256", `--username=${USER}`, `--pwfile=${passwords}`];
  await mustRun("initdb", ...asServer([join(bin, "initdb"), "-D", data, "-E", "UTF8", "--no-sync", ...auth]));
  const options = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off`;
  const log = ["-l", join(folder, "log"), "-w"];
  await mustRun("pg_ctl", ...asServer([join(bin, "pg_ctl"), "-D", data, "-o", options, ...log, "start"]));
  try {
    const url = `postgres://${USER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/postgres`;
    const tests = [...new Set(["test/databases/postgres.test.ts", ...argv.slice(2)])];
    const { status } = await run("vitest", ["run", ...tests], { env: { CARILLON_POSTGRES: url }, show: true });
    return status;
  } finally {
    await run(...asServer([join(bin, "pg_ctl"), "-D", data, "-m", "immediate", "stop"]));
    rmSync(folder, { recursive: true, force: true });
  }
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

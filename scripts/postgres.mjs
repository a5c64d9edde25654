// A PostgreSQL server for tests, which Debian has as the package `postgresql`.
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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

/**
 * Works beside a server of its own, which ends with that.
 *
 * @template T
 * @param {(url: string) => Promise<T>} work is given the string to connect by
 * @returns {Promise<T>}
 */
export async function besidePostgres(work) {
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
    return await work(`postgres://${USER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/postgres`);
  } finally {
    await run(...asServer([join(bin, "pg_ctl"), "-D", data, "-m", "immediate", "stop"]));
    rmSync(folder, { recursive: true, force: true });
  }
}

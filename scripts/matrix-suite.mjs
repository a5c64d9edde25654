// What test-matrix.mjs runs in a cell: the vitest suite and the quickstart.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative } from "node:path";
import { matrix } from "./matrix-cells.mjs";
import { bundleProgram, mustRun, root, run } from "./tools.mjs";

/** @typedef {import("./matrix-cells.mjs").Cell} Cell */

/** Test files that are left out under an emulator, each with its reason; the report says so. */
const LEFT_OUT = {
  qemu: {
    "test/architecture.test.ts": "reads source; objects of another build",
    "test/docs.test.ts": "runs the TypeScript compiler, which qemu does not find",
    "test/exact-arithmetic.test.ts": "runs the linter, which qemu does not find",
    "test/bench/train.test.ts": "starts the benchmark of the machine itself",
  },
  wine: {
    "test/architecture.test.ts": "reads source; objects of another build",
  },
};

/**
 * @param {Cell} cell
 * @returns {[file: string, reason: string][]}
 */
export const leftOut = ({ under }) => (under === undefined ? [] : Object.entries(LEFT_OUT[under]));

/** @param {string} file */
export const sha256 = (file) => createHash("sha256").update(readFileSync(file)).digest("hex");

/**
 * Environment of a cell's processes. Under qemu a test that starts process.execPath must start the script that
 * emulates, so a file that is loaded first names it.
 *
 * @param {Cell} cell
 * @param {string} node
 * @param {string} folder
 * @returns {Record<string, string>}
 */
function environmentOf(cell, node, folder) {
  /** @type {Record<string, string>} */
  const env = cell.libc === undefined ? {} : { LIBC: cell.libc };
  if (cell.libc === "musl") {
    // Vitest's bundler looks at /usr/bin/ldd to learn the C library, which is that of this machine.
    const binding = `node_modules/@rolldown/binding-${cell.platform}/rolldown-binding.${cell.platform}.node`;
    env.NAPI_RS_NATIVE_LIBRARY_PATH = join(folder, binding);
  }
  if (cell.under === "qemu") {
    const first = join(matrix, "nodes", `${cell.name}.cjs`);
    writeFileSync(first, `process.execPath = ${JSON.stringify(node)};\n`);
    env.NODE_OPTIONS = `--require=${first}`;
    // Tests bundle programs; esbuild is a program for arm64 that qemu is not asked to run, and this machine's does the same.
    env.ESBUILD_BINARY_PATH = join(root, "node_modules/@esbuild", `${process.platform}-${process.arch}`, "bin/esbuild");
  }
  if (cell.under !== undefined) env.CARILLON_USES = "100"; // of the property test of uses, which would take an hour
  return env;
}

/**
 * Trains the quickstart's model.
 *
 * @param {Cell} cell
 * @param {string} node
 * @param {string} folder
 * @returns {Promise<{ isa: string, model: string }>}
 */
export async function trainQuickstart(cell, node, folder) {
  const bundle = "build/examples/quickstart.mjs";
  await bundleProgram("examples/digits/quickstart.ts", join(folder, bundle), ["node-gyp-build"]);
  const env = environmentOf(cell, node, folder);
  await mustRun(`${cell.name}, quickstart`, node, [bundle, "--quiet"], { env, cwd: folder });
  /** @type {{ isa: string }} */
  const { isa } = JSON.parse(readFileSync(join(folder, "runs/quickstart/summary.json"), "utf8"));
  return { isa, model: sha256(join(folder, "runs/quickstart/model.safetensors")) };
}

/**
 * @typedef {object} Counts
 * @property {number} passed
 * @property {readonly string[]} failed names
 * @property {number} skipped
 * @property {number} minutes
 */

/** An emulator keeps what it has translated, gigabytes in an hour, so there the suite is cut into so many processes. */
const PARTS = 24;

/**
 * The vitest suite.
 *
 * @param {Cell} cell
 * @param {string} node
 * @param {string} folder
 * @returns {Promise<Counts>}
 */
export async function testCell(cell, node, folder) {
  const begin = Date.now();
  const parts = cell.under === undefined ? 1 : PARTS;
  /** @type {(Omit<Counts, "minutes">)[]} */
  const counts = [];
  let next = 1;
  const inTurn = async () => {
    while (next <= parts) {
      const part = next;
      next += 1;
      counts.push(await testPart(cell, node, folder, { part, parts }));
    }
  };
  await Promise.all(Array.from({ length: parts === 1 ? 1 : availableParallelism() }, inTurn));
  return {
    passed: counts.reduce((sum, { passed }) => sum + passed, 0),
    failed: counts.flatMap(({ failed }) => failed),
    skipped: counts.reduce((sum, { skipped }) => sum + skipped, 0),
    minutes: (Date.now() - begin) / 60_000,
  };
}

/**
 * @param {Cell} cell
 * @param {string} node
 * @param {string} folder
 * @param {{ part: number, parts: number }} which
 * @returns {Promise<Omit<Counts, "minutes">>}
 */
async function testPart(cell, node, folder, { part, parts }) {
  const name = parts === 1 ? cell.name : `${cell.name}-${part}`;
  const report = join(matrix, `${name}.json`);
  const args = ["node_modules/vitest/vitest.mjs", "run", "--reporter=json", `--outputFile=${report}`];
  if (parts > 1) args.push(`--shard=${part}/${parts}`, "--maxWorkers=1");
  if (cell.under === "qemu") args.push("--pool=threads");
  if (cell.under !== undefined) args.push("--testTimeout=3600000", "--hookTimeout=3600000");
  for (const [file] of leftOut(cell)) args.push("--exclude", file);
  rmSync(report, { force: true });
  const { output, status } = await run(node, args, { env: environmentOf(cell, node, folder), cwd: folder });
  writeFileSync(join(matrix, `${name}.log`), output);
  const counts = existsSync(report) ? readReport(report, folder) : { passed: 0, failed: [], skipped: 0 };
  // A process that crashes when it has reported everything has not passed.
  if (counts.failed.length > 0 || status === 0) return counts;
  console.error(output);
  return { ...counts, failed: [`vitest ended with status ${status} (${name})`] };
}

/**
 * @param {string} report
 * @param {string} folder
 * @returns {Omit<Counts, "minutes">}
 */
function readReport(report, folder) {
  /**
   * @type {{ numPassedTests: number, numPendingTests: number, numTodoTests: number, testResults: {
   *   name: string, status: string, message: string, assertionResults: { status: string, fullName: string }[] }[] }}
   */
  const result = JSON.parse(readFileSync(report, "utf8"));
  const failed = result.testResults.flatMap(({ name, status, assertionResults }) => {
    // Wine calls the root of this machine Z:.
    const file = relative(folder, name.replace(/^[A-Z]:/, ""));
    const tests = assertionResults.filter((test) => test.status === "failed");
    if (status === "failed" && tests.length === 0) return [`${file} did not load`];
    return tests.map(({ fullName }) => `${file}: ${fullName}`);
  });
  return { passed: result.numPassedTests, failed, skipped: result.numPendingTests + result.numTodoTests };
}

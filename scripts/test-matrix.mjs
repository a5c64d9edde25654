// The whole vitest suite, and the quickstart, on every Node.js that can run here, with the binaries of prebuilds/:
//
//     npm run test:matrix                      all cells; prints one table, and fails where a cell does
//     npm run test:matrix -- --only x64-musl   the cells whose names have this word
//
// Every platform has a checkout of its own in build/matrix/, with its own node_modules/ and nothing but its prebuilt
// binary. The model that the quickstart trains must have the same bytes everywhere.
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { argv } from "node:process";
import { cells, emulated, matrix, nodeOf } from "./matrix-cells.mjs";
import { bundleProgram, mustRun, root, run } from "./tools.mjs";

/** @typedef {import("./matrix-cells.mjs").Cell} Cell */

/** Test files that are left out, each with its reason; the table says so. */
const LEFT_OUT = {
  emulated: {
    "test/architecture.test.ts": "reads source; objects of another build",
    "test/docs.test.ts": "runs the TypeScript compiler, which qemu does not find",
    "test/exact-arithmetic.test.ts": "runs the linter, which qemu does not find",
    "test/bench/train.test.ts": "starts the benchmark of the machine itself",
  },
  native: {},
};

/** @param {Cell} cell */
const leftOut = (cell) => Object.entries(emulated(cell) ? LEFT_OUT.emulated : LEFT_OUT.native);

/** @param {Cell} cell */
const binaryOf = ({ arch }) => `prebuilds/linux-${arch}/carillon.node`;

/** @param {string} file */
const sha256 = (file) => createHash("sha256").update(readFileSync(file)).digest("hex");

/**
 * The tracked files, with packages for the cell's platform and with its prebuilt binary alone.
 *
 * @param {Cell} cell
 * @returns {Promise<string>} the folder
 */
async function checkoutOf(cell) {
  const folder = join(matrix, `linux-${cell.arch}-${cell.libc}`);
  const tracked = await mustRun("git", "git", ["ls-files", "--cached", "--others", "--exclude-standard"]);
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder).filter((entry) => entry !== "node_modules")) {
    rmSync(join(folder, name), { recursive: true });
  }
  for (const file of tracked.trim().split("\n")) {
    if (existsSync(join(root, file))) cpSync(join(root, file), join(folder, file));
  }
  cpSync(join(root, "dist"), join(folder, "dist"), { recursive: true });
  cpSync(join(root, binaryOf(cell)), join(folder, binaryOf(cell)));
  const lock = sha256(join(root, "package-lock.json"));
  const installed = join(folder, "node_modules/.carillon-lock");
  if (!existsSync(installed) || readFileSync(installed, "utf8") !== lock) {
    const platform = ["--os=linux", `--cpu=${cell.arch}`, `--libc=${cell.libc}`];
    await mustRun(cell.name, "npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", ...platform], {
      cwd: folder,
    });
    writeFileSync(installed, lock);
  }
  return folder;
}

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
  const env = { LIBC: cell.libc };
  if (cell.libc === "musl") {
    // Vitest's bundler looks at /usr/bin/ldd to learn the C library, which is that of this machine.
    const platform = `linux-${cell.arch}-musl`;
    const binding = `node_modules/@rolldown/binding-${platform}/rolldown-binding.${platform}.node`;
    env.NAPI_RS_NATIVE_LIBRARY_PATH = join(folder, binding);
  }
  if (emulated(cell)) {
    const first = join(matrix, "nodes", `${cell.name}.cjs`);
    writeFileSync(first, `process.execPath = ${JSON.stringify(node)};\n`);
    env.NODE_OPTIONS = `--require=${first}`;
  }
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
async function trainQuickstart(cell, node, folder) {
  const bundle = join(folder, "build/examples/quickstart.mjs");
  await bundleProgram("examples/digits/quickstart.ts", bundle, ["node-gyp-build"]);
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

/**
 * @param {Cell} cell
 * @param {string} node
 * @param {string} folder
 * @returns {Promise<Counts>}
 */
async function testCell(cell, node, folder) {
  const report = join(matrix, `${cell.name}.json`);
  const args = [join(folder, "node_modules/vitest/vitest.mjs"), "run", "--reporter=json", `--outputFile=${report}`];
  if (emulated(cell)) args.push("--pool=threads", "--testTimeout=3600000", "--hookTimeout=3600000");
  for (const [file] of leftOut(cell)) args.push("--exclude", file);
  rmSync(report, { force: true });
  const begin = Date.now();
  const { output } = await run(node, args, { env: environmentOf(cell, node, folder), cwd: folder });
  writeFileSync(join(matrix, `${cell.name}.log`), output);
  if (!existsSync(report)) {
    console.error(output);
    return { passed: 0, failed: ["vitest did not come to its end"], skipped: 0, minutes: 0 };
  }
  /**
   * @type {{ numPassedTests: number, numPendingTests: number, numTodoTests: number, testResults: {
   *   name: string, status: string, message: string, assertionResults: { status: string, fullName: string }[] }[] }}
   */
  const result = JSON.parse(readFileSync(report, "utf8"));
  const failed = result.testResults.flatMap(({ name, status, assertionResults }) => {
    const file = relative(folder, name);
    const tests = assertionResults.filter((test) => test.status === "failed");
    if (status === "failed" && tests.length === 0) return [`${file} did not load`];
    return tests.map(({ fullName }) => `${file}: ${fullName}`);
  });
  const skipped = result.numPendingTests + result.numTodoTests;
  return { passed: result.numPassedTests, failed, skipped, minutes: (Date.now() - begin) / 60_000 };
}

/** @param {readonly string[]} args */
async function main(args) {
  const only = args[0] === "--only" ? (args[1] ?? "") : "";
  const chosen = cells.filter(({ name }) => name.includes(only));
  if (chosen.length === 0) {
    console.error(
      `test:matrix: no cell has "${only}" in its name; there are ${cells.map(({ name }) => name).join(" ")}`,
    );
    process.exit(1);
  }
  mkdirSync(join(matrix, "nodes"), { recursive: true });
  const rows = [
    "| cell | Node.js | binary | sha256 | ISA | passed | failed | skipped | minutes | model |",
    "|---|---|---|---|---|---|---|---|---|---|",
  ];
  const models = new Set();
  /** @type {string[]} */
  const notes = [];
  let failures = 0;
  for (const cell of chosen) {
    const binary = binaryOf(cell);
    if (!existsSync(join(root, binary))) {
      notes.push(`${cell.name}: not run, there is no ${binary} (npm run prebuild:all)`);
      failures += 1;
      continue;
    }
    const found = await nodeOf(cell);
    if ("missing" in found) {
      notes.push(`${cell.name}: not run, Node.js ${found.missing}`);
      continue;
    }
    const folder = await checkoutOf(cell);
    const { isa, model } = await trainQuickstart(cell, found.node, folder);
    const { passed, failed, skipped, minutes } = await testCell(cell, found.node, folder);
    models.add(model);
    failures += failed.length;
    for (const name of failed) notes.push(`${cell.name}: FAILED ${name}`);
    const how = emulated(cell) ? `${cell.name} (qemu)` : cell.name;
    const hash = sha256(join(root, binary)).slice(0, 12);
    rows.push(
      `| ${how} | ${cell.version} | ${binary.slice("prebuilds/".length)} | \`${hash}\` | ${isa} | ${passed} | ` +
        `${failed.length} | ${skipped} | ${minutes.toFixed(1)} | \`${model.slice(0, 12)}\` |`,
    );
    console.error(rows.at(-1));
  }
  console.log(`\n${rows.join("\n")}`);
  if (chosen.some(emulated)) {
    console.log("\nLeft out under qemu:");
    for (const [file, reason] of Object.entries(LEFT_OUT.emulated)) console.log(`- ${file}: ${reason}`);
  }
  if (notes.length > 0) console.log(`\n${notes.map((note) => `- ${note}`).join("\n")}`);
  if (models.size > 1) console.log("\nThe models DIFFER");
  if (models.size > 1 || failures > 0) process.exit(1);
}

await main(argv.slice(2));

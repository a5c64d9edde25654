// The bits of a run: test/golden/bits-main.ts prints hashes of what was computed. Every kernel table, and (for
// test-arm64.mjs) an emulated processor, must print what stands in test/golden/bits.json.
//
//     node scripts/golden.mjs             compare
//     node scripts/golden.mjs --update    write bits.json anew: when something was added, or with a new numericsVersion
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { argv, execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { bundleProgram, mustRun, root, run } from "./tools.mjs";

const program = "test/golden/bits-main.ts";
const bundle = join(root, "build/golden/bits.mjs");
const expectedFile = "test/golden/bits.json";

/** @typedef {{ numericsVersion: number, bits: Record<string, string> }} Bits */

/**
 * What the program printed: JSON lines { name, sha256 }, then { numericsVersion }.
 *
 * @param {string} output
 * @returns {Bits}
 */
function parseBits(output) {
  /** @type {Bits} */
  const result = { numericsVersion: 0, bits: {} };
  for (const line of output.trim().split("\n")) {
    /** @type {{ name?: string, sha256?: string, numericsVersion?: number }} */
    const { name, sha256, numericsVersion } = JSON.parse(line);
    if (numericsVersion !== undefined) result.numericsVersion = numericsVersion;
    else if (name === undefined || sha256 === undefined || name in result.bits) fail(`a bad line: ${line}`);
    else result.bits[name] = sha256;
  }
  if (result.numericsVersion === 0) fail(`${program} did not come to its end`);
  return result;
}

/** @returns {Bits} */
function expectedBits() {
  return JSON.parse(readFileSync(join(root, expectedFile), "utf8"));
}

/**
 * @param {string} message
 * @returns {never}
 */
function fail(message) {
  console.error(`golden bits: ${message}`);
  process.exit(1);
}

/**
 * Names that do not stand in both with one hash.
 *
 * @param {Bits} actual
 * @param {Bits} expected
 */
function differences(actual, expected) {
  const names = new Set([...Object.keys(expected.bits), ...Object.keys(actual.bits)]);
  return [...names].filter((name) => actual.bits[name] !== expected.bits[name]);
}

/**
 * Ends the process if the output is not what bits.json says.
 *
 * @param {string} isa what computed it
 * @param {string} output
 */
export function mustEqual(isa, output) {
  const actual = parseBits(output);
  const expected = expectedBits();
  if (actual.numericsVersion !== expected.numericsVersion) {
    fail(
      `${isa} has numericsVersion ${actual.numericsVersion}, ${expectedFile} has ${expected.numericsVersion}: ` +
        "node scripts/golden.mjs --update",
    );
  }
  const different = differences(actual, expected);
  if (different.length === 0) {
    console.log(`golden bits, ${isa}: ${Object.keys(actual.bits).length} hashes as expected`);
    return;
  }
  for (const name of different) {
    console.error(
      `${name}\n  expected ${expected.bits[name] ?? "nothing"}\n  received ${actual.bits[name] ?? "nothing"}`,
    );
  }
  fail(
    `${isa} on ${process.arch} DIFFERS from ${expectedFile} in ${different.length} of ` +
      `${Object.keys(expected.bits).length}. What was computed must keep its bits: a change needs a new numericsVersion.`,
  );
}

/** @returns {Promise<string>} the bundled program */
export async function bundleGolden() {
  await bundleProgram(program, bundle, ["node-gyp-build"]);
  return bundle;
}

/** @param {string} isa */
const forced = (isa) => ({ env: { CARILLON_ISA: isa } });

/** Compares every table of this machine. A table that the processor lacks is skipped, and said to be. */
async function compareAll() {
  await bundleGolden();
  const names = ["scalar", ...(process.arch === "arm64" ? ["neon"] : ["avx2", "avx512"])];
  const runs = await Promise.all(names.map((isa) => run(execPath, [bundle], forced(isa))));
  for (const [at, { status, output, stdout }] of runs.entries()) {
    const isa = names[at] ?? "";
    if (status === 0) mustEqual(isa, stdout);
    else if (isa !== "scalar" && output.includes("CARILLON_ISA names no"))
      console.log(`golden bits, ${isa}: SKIPPED, not on this processor`);
    else fail(`${isa} FAILED (status ${status})\n${output}`);
  }
}

/** The scalar table is the oracle: what it computes is what is expected. */
async function update() {
  await bundleGolden();
  const actual = parseBits(await mustRun("golden bits, scalar", execPath, [bundle], forced("scalar")));
  /** @type {Bits | undefined} */
  let before;
  try {
    before = expectedBits();
  } catch {
    before = undefined;
  }
  writeFileSync(join(root, expectedFile), `${JSON.stringify(actual, undefined, 2)}\n`);
  console.log(`${expectedFile}: ${Object.keys(actual.bits).length} hashes, numericsVersion ${actual.numericsVersion}`);
  if (before === undefined || before.numericsVersion !== actual.numericsVersion) return;
  for (const name of differences(actual, before).filter((changed) => changed in before.bits)) {
    console.log(`changed or gone under the same numericsVersion: ${name}`);
  }
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  if (argv.includes("--update")) await update();
  else await compareAll();
}
